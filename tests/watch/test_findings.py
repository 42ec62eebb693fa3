"""Every finding of scripts: a planted mistake raises it, a healthy twin raises no warning at all."""

from __future__ import annotations

import pytest

DROPOUT = "nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))"
WIDE = "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))"
ONE = "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1){})"
NUMBERS = {"data": "target = numbers", "model": ONE.format(""), "loss": "nn.MSELoss()", "epochs": "20"}
COLUMN = "target = labels.float().reshape(-1, 1)"
EVALUATION = """
with torch.no_grad():
    criterion(model(x), target)
"""
DEEP = ", ".join(["nn.Linear(8, 8), nn.Sigmoid()"] * 10)
CONV = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4), nn.Linear(16, 2)
    def forward(self, x):
        return self.last(self.norm(self.conv(x.view(-1, 2, 2, 2))).flatten(1))
target = labels
"""
SPARE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.spare = nn.Linear(8, 16), nn.Linear(16, 2), nn.Linear(16, 2)
    def forward(self, x):
        return self.two(torch.relu(self.one(x))){}
target = labels
"""
LIST = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = {}([nn.Linear(8, 16)]), nn.Linear(16, 2)
    def forward(self, x):
        return self.last(torch.relu(self.hidden[0](x)))
target = labels
"""
SCHEDULE = "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5)"
NOISE = "target = numbers[torch.randperm(256)]; x_val, y_val = torch.randn(128, 8), torch.randn(128, 1)"
BY_HEART = {
    "model": "nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 1))",
    "epochs": "60",
    "after": "with torch.no_grad(): criterion(model(x_val), y_val)",
}

ILL = {
    "softmax before cross-entropy": (
        "probabilities-into-loss",
        {"model": "nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))"},
    ),
    "softmax as a function before cross-entropy": (
        "probabilities-into-loss",
        {"out": "torch.softmax(model(x[rows]), dim=1)", "total": "F.cross_entropy(out, target[rows])"},
    ),
    "sigmoid before the loss with logits": (
        "probabilities-into-loss",
        {"data": COLUMN, "model": ONE.format(", nn.Sigmoid()"), "loss": "nn.BCEWithLogitsLoss()"},
    ),
    "raw scores into nll_loss": ("scores-into-loss", {"loss": "nn.NLLLoss()"}),
    "cut scores into binary cross-entropy": (
        "scores-into-loss",
        {
            "data": COLUMN,
            "model": ONE.format(""),
            "total": "F.binary_cross_entropy(out.clamp(0.01, 0.99), target[rows])",
        },
    ),
    "a column against a row": ("broadcast-in-loss", {**NUMBERS, "data": "target = numbers[:, 0]"}),
    "ReLU before targets of both signs": (
        "targets-out-of-reach",
        {**NUMBERS, "model": ONE.format(", nn.ReLU()")},
    ),
    "sigmoid before prices": (
        "targets-out-of-reach",
        {**NUMBERS, "model": ONE.format(", nn.Sigmoid()"), "data": "target = 100 + 10 * numbers"},
    ),
    "softmax for labels that do not exclude each other": (
        "targets-out-of-reach",
        {
            "data": "target = (x[:, :3] > 0).float()",
            "model": "nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1))",
            "loss": "nn.MSELoss()",
        },
    ),
    "softmax over one unit": (
        "lone-class",
        {"data": COLUMN, "model": ONE.format(", nn.Softmax(dim=1)"), "loss": "nn.BCELoss()"},
    ),
    "cross-entropy over one class": ("lone-class", {"data": COLUMN, "model": ONE.format("")}),
    "gradients never cleared": ("stale-gradients", {"clear": "pass"}),
    "evaluation mode in training": ("training-in-eval-mode", {"model": DROPOUT, "mode": "model.eval()"}),
    "training mode in evaluation": ("evaluation-in-train-mode", {"model": DROPOUT, "after": EVALUATION}),
    "only the first layer in the optimizer": (
        "parameters-left-out",
        {"optimizer": "torch.optim.Adam(model[0].parameters(), lr=0.01)"},
    ),
    "layers in a plain list": ("parameters-left-out", {"data": LIST.format(""), "model": "Net()"}),
    "a layer never called": ("unused-parameters", {"data": SPARE.format(""), "model": "Net()"}),
    "a group with rate zero": (
        "parameters-stand-still",
        {
            "optimizer": "torch.optim.SGD([{'params': model[0].parameters(), 'lr': 0.0}, "
            "{'params': model[2].parameters()}], lr=0.1)"
        },
    ),
    "a rate of a ten-millionth": (
        "odd-learning-rate",
        {**NUMBERS, "optimizer": "torch.optim.Adam(model.parameters(), lr=1e-7)"},
    ),
    "steps that move nothing": (
        "updates-too-small",
        {**NUMBERS, "optimizer": "torch.optim.Adam(model.parameters(), lr=1e-7)"},
    ),
    "a rate beyond all numbers": (
        "non-finite-loss",
        {**NUMBERS, "optimizer": "torch.optim.SGD(model.parameters(), lr=1e9)"},
    ),
    "a sign turned": ("negated-loss", {"total": "-criterion(out, target[rows])"}),
    "a scheduler before the optimizer": ("early-scheduler", {"setup": SCHEDULE, "mode": "scheduler.step()"}),
    "batch-norm on single rows": ("lone-rows", {"data": CONV, "model": "Net()", "batch": "1", "epochs": "1"}),
    "one row to learn from": ("constant-targets", {"data": "x, target = x[:1], labels[:1]", "epochs": "20"}),
    "a network that is dead": (
        "constant-outputs",
        {"setup": "nn.init.constant_(model[0].bias, -20.0)"},
    ),
    "units that are dead": ("dying-units", {"setup": "nn.init.constant_(model[0].bias, -20.0)"}),
    "labels of -1 and 1 for binary cross-entropy": (
        "targets-out-of-domain",
        {"data": COLUMN + " * 2 - 1", "model": ONE.format(""), "loss": "nn.BCEWithLogitsLoss()"},
    ),
    "targets in the thousands": (
        "unscaled-targets",
        {**NUMBERS, "data": "target = 5000 + 1000 * numbers", "epochs": "5"},
    ),
    "inputs in the thousands": (
        "unscaled-inputs",
        {
            **NUMBERS,
            "data": "target = numbers; x = 1e4 * x + 1e5",
            "model": "nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))",
        },
    ),
    "saturated units": (
        "saturated-units",
        {
            **NUMBERS,
            "data": "target = numbers; x = 1e4 * x + 1e5",
            "model": "nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))",
        },
    ),
    "inputs that are NaN": ("non-finite-inputs", {"data": "target = labels; x[3, 2] = float('nan')"}),
    "targets shuffled alone": ("unrelated-targets", {**NUMBERS, **BY_HEART, "data": NOISE}),
    "ten sigmoid layers": (
        "vanishing-gradients",
        {
            "model": f"nn.Sequential({DEEP}, nn.Linear(8, 2))",
            "optimizer": "torch.optim.SGD(model.parameters(), lr=0.1)",
        },
    ),
    "a network that stays a guess": (
        "no-better-than-guess",
        {
            "model": f"nn.Sequential({DEEP}, nn.Linear(8, 2))",
            "optimizer": "torch.optim.SGD(model.parameters(), lr=0.1)",
        },
    ),
    "a network behind a straight line": (
        "behind-references",
        {**NUMBERS, "optimizer": "torch.optim.Adam(model.parameters(), lr=1e-4)"},
    ),
    "four steps": (
        "few-steps",
        {"epochs": "1", "batch": "64", "optimizer": "torch.optim.Adam(model.parameters(), lr=0.03)"},
    ),
    "gradients beyond the weights": (
        "exploding-gradients",
        {
            **NUMBERS,
            "data": "target = 1e6 * numbers",
            "optimizer": "torch.optim.SGD(model.parameters(), lr=1e-9)",
        },
    ),
}

HEALTHY = {
    "classes": {},
    "log-softmax and nll_loss": {
        "model": "nn.Sequential(nn.Linear(8, 2), nn.LogSoftmax(dim=1))",
        "loss": "nn.NLLLoss()",
    },
    "softmax, logarithm and nll_loss": {
        "model": "nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))",
        "total": "F.nll_loss(torch.log(out.clamp(min=1e-7)), target[rows])",
    },
    "sigmoid and binary cross-entropy": {
        "data": COLUMN,
        "model": ONE.format(", nn.Sigmoid()"),
        "loss": "nn.BCELoss()",
    },
    "logits and their loss": {"data": COLUMN, "model": ONE.format(""), "loss": "nn.BCEWithLogitsLoss()"},
    "numbers": NUMBERS,
    "numbers in a row": {**NUMBERS, "data": "target = numbers[:, 0]", "out": "model(x[rows]).squeeze(1)"},
    "tanh for numbers within its reach": {
        **NUMBERS,
        "model": ONE.format(", nn.Tanh()"),
        "data": "target = torch.tanh(numbers)",
    },
    "sigmoids for labels that do not exclude each other": {
        "data": "target = (x[:, :3] > 0).float()",
        "model": "nn.Sequential(nn.Linear(8, 3), nn.Sigmoid())",
        "loss": "nn.BCELoss()",
        "optimizer": "torch.optim.Adam(model.parameters(), lr=0.03)",
    },
    "gradients gathered over two passes": {
        "backward": "loss.backward(); criterion(model(x[rows]), target[rows]).backward()"
    },
    "gradients cleared by hand": {
        "clear": """
        for parameter in model.parameters():
            parameter.grad = None
        """
    },
    "gradients cleared by the network": {"clear": "model.zero_grad()"},
    "modes as they should be": {
        "model": DROPOUT,
        "after": "model.eval()\nwith torch.no_grad(): criterion(model(x), target)",
    },
    "evaluation without modes": {"after": EVALUATION},
    "a frozen first layer": {
        "model": WIDE,
        "setup": "model[0].requires_grad_(False)",
        "optimizer": "torch.optim.Adam(model[2].parameters(), lr=0.02)",
    },
    "only the last layer in the optimizer": {
        "model": WIDE,
        "optimizer": "torch.optim.Adam(model[2].parameters(), lr=0.02)",
    },
    "layers in a module list": {"data": LIST.format("nn.ModuleList"), "model": "Net()"},
    "every layer called": {
        "data": SPARE.format(" + self.spare(torch.relu(self.one(x)))"),
        "model": "Net()",
    },
    "a scheduler after the optimizer": {"setup": SCHEDULE, "after": "scheduler.step()"},
    "batch-norm on many rows": {"data": CONV, "model": "Net()"},
    "a large rate that learns": {
        **NUMBERS,
        "optimizer": "torch.optim.Adam(model.parameters(), lr=0.05)",
        "epochs": "40",
    },
    "targets with their mates": {
        **NUMBERS,
        **BY_HEART,
        "data": "target = numbers; x_val, y_val = x[:128] * 0.9, numbers[:128] * 0.9",
    },
}


@pytest.mark.parametrize("name", ILL)
def test_a_planted_mistake_is_found(watched, name):
    wanted, pieces = ILL[name]
    done = watched(**pieces)
    assert done.ending.code == 0
    assert wanted in done.severe


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_twin_raises_no_warning(watched, name):
    done = watched(**HEALTHY[name])
    assert done.ending.code == 0
    assert done.severe == set()
    assert done.session.num_steps > 0


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
