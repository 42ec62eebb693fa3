"""Small training scripts, healthy unless a piece is replaced: what planted mistakes are made of.

Imports nothing beyond the standard library, so that tests can use it as it is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

PLAIN = {
    "data": "target = labels",
    "model": "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))",
    "loss": "nn.CrossEntropyLoss()",
    "optimizer": "torch.optim.Adam(model.parameters(), lr=0.01)",
    "setup": "pass",
    "epochs": "10",
    "batch": "32",
    "order": "torch.randperm(len(x))",
    "mode": "model.train()",
    "clear": "optimizer.zero_grad()",
    "out": "model(x[rows])",
    "total": "criterion(out, target[rows])",
    "backward": "loss.backward()",
    "step": "optimizer.step()",
    "after": "pass",
}
"""Pieces of a healthy script."""
DEPTHS = {"mode": 4, "after": 4, "clear": 8, "backward": 8, "step": 8}
SCRIPT = """
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed({seed})
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
    for rows in ({order}).split({batch}):
        {clear}
        out = {out}
        loss = {total}  # the loss
        {backward}
        {step}
    {after}
"""
LOADED = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

class Noisy(Dataset):
    def __init__(self):
        self.x = torch.randn(64, 4)
        {own}
    def __len__(self):
        return 64
    def __getitem__(self, row):
        noise = 0.01 * {drawn}
        return self.x[row] + noise, (self.x[row, 0] > 0).long()

torch.manual_seed({seed})
model = nn.Linear(4, 2)
rule = torch.optim.Adam(model.parameters(), lr=0.03)
for epoch in range({epochs}):
    for part, answer in DataLoader(Noisy(), batch_size=8, shuffle=True, num_workers={workers}{more}):
        rule.zero_grad()
        nn.functional.cross_entropy(model(part), answer).backward()
        rule.step()
"""
"""A script whose loader has workers."""


def written(pieces: Mapping[str, str], *, seed: int = 0) -> str:
    """Write a script.

    Args:
        pieces: Those that differ from a healthy script; with ``own``, a script whose loader has workers.
        seed: Of everything that it draws.

    Raises:
        KeyError: There is no such piece.
    """
    if "own" in pieces:
        return LOADED.format(seed=seed, **{"epochs": PLAIN["epochs"], **pieces})
    if unknown := pieces.keys() - PLAIN.keys():
        raise KeyError(f"no piece is called {', '.join(sorted(unknown))}")
    filled = {
        name: textwrap.indent(textwrap.dedent(text).strip(), " " * DEPTHS.get(name, 0)).strip()
        for name, text in {**PLAIN, **pieces}.items()
    }
    return SCRIPT.format(seed=seed, **filled)
