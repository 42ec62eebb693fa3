"""What a loss is given, and what is made of it."""

from __future__ import annotations

from mistakes.pieces import ADAM, COLUMN, NUMBERS, ONE, SGD, ill

OF_LOSSES = (
    ill(
        "GF010",
        "softmax before cross-entropy",
        {"model": "nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))"},
        "raw scores",
        {"model": "nn.Linear(8, 2)"},
    ),
    ill(
        "GF010",
        "softmax as a function before cross-entropy",
        {"out": "torch.softmax(model(x[rows]), dim=1)", "total": "F.cross_entropy(out, target[rows])"},
        "log-softmax and nll_loss",
        {"out": "torch.log_softmax(model(x[rows]), dim=1)", "total": "F.nll_loss(out, target[rows])"},
    ),
    ill(
        "GF010",
        "sigmoid before the loss with logits",
        {"data": COLUMN, "model": ONE.format(", nn.Sigmoid()"), "loss": "nn.BCEWithLogitsLoss()"},
        "logits and their loss",
        {"data": COLUMN, "model": ONE.format(""), "loss": "nn.BCEWithLogitsLoss()"},
    ),
    ill(
        "GF011",
        "raw scores into nll_loss",
        {"loss": "nn.NLLLoss()"},
        "softmax, logarithm and nll_loss",
        {
            "model": "nn.Sequential(nn.Linear(8, 2), nn.Softmax(dim=1))",
            "total": "F.nll_loss(torch.log(out.clamp(min=1e-7)), target[rows])",
        },
    ),
    ill(
        "GF011",
        "cut scores into binary cross-entropy",
        {
            "data": COLUMN,
            "model": ONE.format(""),
            "total": "F.binary_cross_entropy(out.clamp(0.01, 0.99), target[rows])",
        },
        "sigmoid and binary cross-entropy",
        {"data": COLUMN, "model": ONE.format(", nn.Sigmoid()"), "loss": "nn.BCELoss()"},
    ),
    ill(
        "GF012",
        "a column against a row",
        {**NUMBERS, "data": "target = numbers[:, 0]"},
        "a row against a row",
        {**NUMBERS, "data": "target = numbers[:, 0]", "out": "model(x[rows]).squeeze(1)"},
    ),
    ill(
        "GF013",
        "ReLU before targets of both signs",
        {**NUMBERS, "model": ONE.format(", nn.ReLU()")},
        "nothing at the end",
        NUMBERS,
    ),
    ill(
        "GF013",
        "sigmoid before prices",
        {**NUMBERS, "model": ONE.format(", nn.Sigmoid()"), "data": "target = 100 + 10 * numbers"},
        "tanh for numbers within its reach",
        {**NUMBERS, "model": ONE.format(", nn.Tanh()"), "data": "target = torch.tanh(numbers)"},
    ),
    ill(
        "GF013",
        "softmax for labels that do not exclude each other",
        {
            "data": "target = (x[:, :3] > 0).float()",
            "model": "nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1))",
            "loss": "nn.MSELoss()",
        },
        "a sigmoid for each label",
        {
            "data": "target = (x[:, :3] > 0).float()",
            "model": "nn.Sequential(nn.Linear(8, 3), nn.Sigmoid())",
            "loss": "nn.BCELoss()",
            "optimizer": ADAM.format(0.03),
        },
    ),
    ill(
        "GF014",
        "softmax over one unit",
        {"data": COLUMN, "model": ONE.format(", nn.Softmax(dim=1)"), "loss": "nn.BCELoss()"},
        "sigmoid over one unit",
        {"data": COLUMN, "model": ONE.format(", nn.Sigmoid()"), "loss": "nn.BCELoss()"},
    ),
    ill(
        "GF014",
        "cross-entropy over one class",
        {"data": COLUMN, "model": ONE.format("")},
        "cross-entropy over two",
        {},
    ),
    ill(
        "GF022",
        "a sign turned",
        {"total": "-criterion(out, target[rows])"},
        "the loss as it is",
        {},
    ),
    ill(
        "GF025",
        "one row to learn from",
        {"data": "x, target = x[:1], labels[:1]", "epochs": "20"},
        "many rows",
        {},
    ),
    ill(
        "GF027",
        "labels of -1 and 1 for binary cross-entropy",
        {"data": COLUMN + " * 2 - 1", "model": ONE.format(""), "loss": "nn.BCEWithLogitsLoss()"},
        "labels of 0 and 1",
        {"data": COLUMN, "model": ONE.format(""), "loss": "nn.BCEWithLogitsLoss()"},
    ),
    ill(
        "GF030",
        "a sum at the rate of a mean",
        {**NUMBERS, "loss": 'nn.MSELoss(reduction="sum")', "optimizer": SGD.format(0.3)},
        "a sum, divided by its rows",
        {
            **NUMBERS,
            "loss": 'nn.MSELoss(reduction="sum")',
            "total": "criterion(out, target[rows]) / len(out)",
        },
    ),
    ill(
        "GF038",
        "ten outputs for two classes",
        {"model": "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 10))"},
        "two outputs for two classes",
        {},
        is_noted=True,
    ),
)
