"""Tiny training scripts, healthy unless a piece is replaced, run under observation in this process."""

from __future__ import annotations

import textwrap

import pytest

from goodfit.watch.runner import run
from goodfit.watch.session import Session

HEALTHY = {
    "data": "target = labels",
    "model": "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))",
    "loss": "nn.CrossEntropyLoss()",
    "optimizer": "torch.optim.Adam(model.parameters(), lr=0.01)",
    "setup": "pass",
    "epochs": "10",
    "batch": "32",
    "mode": "model.train()",
    "clear": "optimizer.zero_grad()",
    "out": "model(x[rows])",
    "total": "criterion(out, target[rows])",
    "backward": "loss.backward()",
    "after": "pass",
}
SCRIPT = """
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
labels = (x[:, 0] + x[:, 1] > 0).long()
numbers = 2 * x[:, :1] + x[:, 1:2]
{data}
model = {model}
criterion = {loss}
optimizer = {optimizer}
{setup}
for epoch in range({epochs}):
    {mode}
    for rows in torch.randperm(len(x)).split({batch}):
        {clear}
        out = {out}
        loss = {total}  # the loss
        {backward}
        optimizer.step()
    {after}
"""


class Watched:
    """A session that is over, how its script ended, and the script."""

    def __init__(self, session, ending, path):
        self.session, self.ending, self.path = session, ending, path

    @property
    def severe(self):
        return {found.name for found in self.session.findings if found.severity != "info"}

    def sighting(self, name):
        return next(seen for seen in self.session.sightings if seen.finding.name == name)


def script(**pieces):
    unknown = pieces.keys() - HEALTHY.keys()
    assert not unknown, unknown
    filled = {}
    for name, text in {**HEALTHY, **pieces}.items():
        is_indented = name in ("mode", "clear", "backward", "after")
        depth = 8 if name in ("clear", "backward") else 4 if is_indented else 0
        filled[name] = textwrap.indent(textwrap.dedent(text).strip(), " " * depth).strip()
    return SCRIPT.format(**filled)


@pytest.fixture
def write(tmp_path):
    """Write a script from pieces, or from a whole text."""

    def to_file(text=None, **pieces):
        path = tmp_path / "train.py"
        path.write_text(text if text is not None else script(**pieces), encoding="utf-8")
        return path

    return to_file


@pytest.fixture
def watched(write):
    """Run a script made of pieces under observation."""

    def call(text=None, *, quiet=True, arguments=(), **pieces):
        path = write(text, **pieces)
        session = Session(quiet=quiet)
        with session:
            ending = run(str(path), arguments, as_module=False)
            session.close(is_whole=ending.is_whole)
        return Watched(session, ending, path)

    return call
