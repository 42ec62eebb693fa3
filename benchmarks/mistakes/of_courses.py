"""Scales, starts, the course of training, and what happens inside the layers."""

from __future__ import annotations

from mistakes.pieces import (
    ADAM,
    BY_HEART,
    DEAD,
    DEEP,
    FITTING,
    FROZEN,
    HUGE,
    NOISE,
    NUMBERS,
    SGD,
    ill,
)

WIDE = {"model": "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))"}
ZERO = "for parameter in model.parameters(): nn.init.zeros_(parameter)"
DRAWN = "for layer in model[::2]: nn.init.{}"
TINY = {**NUMBERS, "optimizer": ADAM.format("1e-7")}
SIGMOIDS = {"model": DEEP.format("Sigmoid"), "optimizer": SGD.format("0.1")}

OF_COURSES = (
    ill(
        "GF004",
        "inputs in the thousands",
        HUGE,
        "inputs near one",
        FITTING,
    ),
    ill(
        "GF005",
        "an input that is NaN",
        {"data": "target = labels; x[3, 2] = float('nan')"},
        "NaN put to zero",
        {"data": "target = labels; x[3, 2] = float('nan'); x = x.nan_to_num(0.0)"},
    ),
    ill(
        "GF020",
        "a rate of a ten-millionth",
        TINY,
        "a rate of a hundredth",
        NUMBERS,
    ),
    ill(
        "GF026",
        "a network that is dead",
        DEAD,
        "a network that lives",
        {},
    ),
    ill(
        "GF028",
        "targets in the thousands",
        {**NUMBERS, "data": "target = 5000 + 1000 * numbers", "epochs": "5"},
        "targets near one",
        NUMBERS,
    ),
    ill(
        "GF029",
        "targets shuffled alone",
        {**NUMBERS, **BY_HEART, "data": NOISE},
        "targets with their mates",
        {
            **NUMBERS,
            **BY_HEART,
            "data": "target = numbers; x_val, y_val = x[:128] * 0.9, numbers[:128] * 0.9",
        },
    ),
    ill(
        "GF039",
        "all but the last two layers frozen, unlearnt",
        FROZEN,
        "nothing frozen",
        {},
    ),
    ill(
        "GF042",
        "weights and biases at zero",
        {**WIDE, "setup": ZERO},
        "the last layer at zero",
        {**WIDE, "setup": "nn.init.zeros_(model[4].weight)"},
    ),
    ill(
        "GF043",
        "weights drawn at a hundredth of a thousandth",
        {**WIDE, "setup": DRAWN.format("normal_(layer.weight, std=1e-5)"), "optimizer": SGD.format("0.1")},
        "weights drawn by He's rule",
        {**WIDE, "setup": DRAWN.format("kaiming_normal_(layer.weight)"), "optimizer": SGD.format("0.1")},
    ),
    ill(
        "GF113",
        "ten sigmoid layers, which stay a guess",
        SIGMOIDS,
        "two layers",
        {},
    ),
    ill(
        "GF114",
        "a network behind a straight line",
        {**NUMBERS, "optimizer": ADAM.format("1e-4")},
        "a network that reaches it",
        NUMBERS,
    ),
    ill(
        "GF115",
        "four steps",
        {"epochs": "1", "batch": "64", "optimizer": ADAM.format("0.03")},
        "eighty steps",
        {"optimizer": ADAM.format("0.03")},
    ),
    ill(
        "GF101",
        "ten sigmoid layers",
        SIGMOIDS,
        "one sigmoid layer",
        {"model": "nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 2))", "epochs": "20"},
    ),
    ill(
        "GF102",
        "gradients beyond the weights",
        {**NUMBERS, "data": "target = 1e6 * numbers", "optimizer": SGD.format("1e-9")},
        "targets near one",
        NUMBERS,
    ),
    ill(
        "GF103",
        "units that are dead",
        DEAD,
        "units that live",
        {},
    ),
    ill(
        "GF104",
        "tanh at its bounds",
        HUGE,
        "tanh within them",
        FITTING,
    ),
    ill(
        "GF106",
        "steps that move nothing",
        TINY,
        "steps that move the weights",
        NUMBERS,
    ),
)
