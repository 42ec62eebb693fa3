"""Every finding of scripts: a planted mistake raises it, a healthy twin raises no warning at all."""

from __future__ import annotations

import pytest
from mistakes import MISTAKES
from mistakes.pieces import NUMBERS

from goodfit.diagnosis.catalogue import CATALOGUE

MORE_TWINS = {
    "numbers in a row": {**NUMBERS, "data": "target = numbers[:, 0]", "out": "model(x[rows]).squeeze(1)"},
    "gradients cleared by the network": {"clear": "model.zero_grad()"},
    "a frozen first layer": {
        "model": "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))",
        "setup": "model[0].requires_grad_(False)",
        "optimizer": "torch.optim.Adam(model[2].parameters(), lr=0.02)",
    },
    "one number for all weights, which one unit's worth suffices for": {
        "setup": "for parameter in model[0].parameters(): nn.init.constant_(parameter, 0.1)",
        "epochs": "30",
    },
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.words)
def test_a_planted_mistake_is_found_and_its_twin_raises_no_warning(watched, mistake):
    done, twin = watched(**mistake.pieces), watched(**mistake.twin)
    assert done.ending.code == twin.ending.code == 0
    name = CATALOGUE[mistake.code].name
    assert name in (done.named if mistake.is_noted else done.severe)
    assert twin.severe == set()
    assert not (mistake.is_noted and name in twin.named)
    assert twin.session.num_steps > 0


@pytest.mark.parametrize("name", MORE_TWINS)
def test_other_healthy_scripts_raise_no_warning(watched, name):
    done = watched(**MORE_TWINS[name])
    assert done.ending.code == 0
    assert done.severe == set()


GAME = """
import torch
from torch import nn

torch.manual_seed(0)
maker, judge = (nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, n)) for n in (2, 1))
rules = [torch.optim.Adam(net.parameters(), lr=0.01) for net in (maker, judge)]
criterion = nn.BCEWithLogitsLoss()
for step in range(60):
    real, fake = torch.randn(32, 2) + 3, maker(torch.randn(32, 2))
    rules[1].zero_grad()
    loss = criterion(judge(real), torch.ones(32, 1)) + criterion(judge(fake.detach()), torch.zeros(32, 1))
    loss.backward()
    rules[1].step()
    rules[0].zero_grad()
    criterion(judge(fake), torch.ones(32, 1)).backward()
    rules[0].step()
"""
CLOSURE = """
import torch

torch.manual_seed(0)
x = torch.randn(64, 3)
y = x.sum(1, keepdim=True)
model = torch.nn.Linear(3, 1)
rule = torch.optim.LBFGS(model.parameters(), lr=0.5)
def closure():
    rule.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss
for step in range(20):
    rule.step(closure)
"""


@pytest.mark.parametrize("text", [GAME, CLOSURE], ids=["two networks against each other", "a closure"])
def test_other_kinds_of_loops_raise_no_warning(watched, text):
    done = watched(text)
    assert done.ending.code == 0
    assert done.severe == set()


def test_a_finding_names_the_line_of_the_script(watched):
    done = watched(model="nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))")
    place = done.sighting("probabilities-into-loss").place
    lines = done.path.read_text(encoding="utf-8").splitlines()
    assert place.file == str(done.path)
    assert lines[place.line - 1].endswith("# the loss")


def test_the_layer_that_broke_is_named(watched):
    done = watched(
        data="target = labels; x[3, 2] = float('nan')",
        setup="x = x.nan_to_num(0.0)\nmodel[0].weight.data[0, 0] = float('inf')",
    )
    seen = done.sighting("non-finite-loss")
    assert seen.finding.evidence[0].layer == "0"
