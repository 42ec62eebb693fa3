"""Planted illnesses of the training itself, and the twins of the experiments."""

from __future__ import annotations

from patients import (
    BEFORE,
    NUMBERS,
    Make,
    Patient,
    digits,
    few_digits,
    given,
    line,
    plan,
    scaled,
    strangers,
    trial,
    waves,
)
from torch import nn

SGD = "gradient-descent"


def _on(by: str, code: str, illness: str, make: Make) -> Patient:
    return Patient(code=code, illness=illness, make=make, by=by)


def _training(code: str, illness: str, make: Make) -> Patient:
    return _on("training", code, illness, make)


DEEP = (32,) * 8

ON_TRAINING = (
    _training(
        "GF101",
        "eight sigmoid layers",
        lambda s: (plan(*DEEP, rule=SGD, lr=0.1, activation="sigmoid", epochs=6), digits(s)),
    ),
    _training(
        "GF102",
        "weights at 3 times He's scale, eight layers",
        lambda s: (plan(network=given(lambda p: scaled(p, 3), depth=8), rule=SGD, lr=1e-3), digits(s)),
    ),
    _training(
        "GF103",
        "biases far below zero",
        lambda s: (plan(network=given(lambda p: p.bias.fill_(-20)), rule=SGD, lr=0.1, epochs=6), digits(s)),
    ),
    _training(
        "GF104",
        "tanh at its bounds",
        lambda s: (
            plan(network=given(lambda p: scaled(p, 10), activation=nn.Tanh), rule=SGD, lr=0.01),
            digits(s),
        ),
    ),
    _training(
        "GF105",
        "eight sigmoid layers",
        lambda s: (plan(*DEEP, rule=SGD, lr=0.1, activation="sigmoid", epochs=6), digits(s)),
    ),
    _training("GF106", "a rate of a millionth", lambda s: (plan(rule=SGD, lr=1e-6, epochs=6), digits(s))),
    _training(
        "GF107",
        "a rate that shakes the weights",
        lambda s: (plan(32, 32, rule=SGD, lr=10.0, activation="tanh"), digits(s)),
    ),
    _training(
        "GF108",
        "eight sigmoid layers",
        lambda s: (plan(*DEEP, rule=SGD, lr=0.1, activation="sigmoid", epochs=8), digits(s)),
    ),
    _training(
        "GF109", "a rate too low for the time", lambda s: (plan(rule=SGD, lr=0.03, epochs=20), digits(s))
    ),
    _training(
        "GF110",
        "Adam at a tenth, tanh",
        lambda s: (plan(32, 32, lr=0.1, epochs=30, activation="tanh"), digits(s)),
    ),
    _training("GF111", "a rate of ten", lambda s: (plan(rule=SGD, lr=10.0, loss=NUMBERS), waves(s))),
    _training(
        "GF112",
        "one hidden unit",
        lambda s: (plan(1, lr=0.02, loss=NUMBERS, epochs=40, activation="tanh"), waves(s)),
    ),
)

BY_COMPARISON = (
    trial(
        "GF120",
        "fourteen layers, gradient descent",
        lambda s: (plan(*(32,) * 14, rule=SGD, lr=0.1, epochs=40), digits(s)),
        "shallower",
    ),
    trial("GF122", "a rate of three", lambda s: (plan(32, 32, rule=SGD, lr=3.0), digits(s)), "lr-down"),
    trial("GF123", "a rate of a hundredth", lambda s: (plan(rule=SGD, lr=0.01), digits(s)), "lr-up"),
    _on(
        "experiment",
        "GF121",
        "two rows a step at a high rate",
        lambda s: (
            plan(rule=SGD, lr=0.05, loss=NUMBERS, batch_size=2, epochs=6),
            waves(s, rows=500),
        ),
    ),
)

ON_TESTING = (
    _on(
        "testing",
        "GF201",
        "three labels in ten wrong, learnt by heart",
        lambda s: (plan(128, 128, epochs=30), digits(s, change=strangers(0.3))),
    ),
    _on(
        "testing",
        "GF202",
        "three labels in ten wrong, learnt by heart",
        lambda s: (plan(128, 128, epochs=60), digits(s, change=strangers(0.3))),
    ),
    _on(
        "testing",
        "GF203",
        "fifty validation rows, half of the labels wrong",
        lambda s: (plan(epochs=8), digits(s, rows=250, change=strangers(0.5))),
    ),
    _on("testing", "GF204", "a line learnt as a line", lambda s: (plan(16, loss=NUMBERS), line(s))),
    _on(
        "testing",
        "GF208",
        "three labels in ten wrong, learnt by heart",
        lambda s: (plan(128, 128, epochs=60), digits(s, change=strangers(0.3))),
    ),
    _on(
        "rows",
        "GF205",
        "ninety rows of digits",
        lambda s: (plan(64, epochs=60, batch_size=16), few_digits(s)),
    ),
    _on(
        "rows",
        "GF207",
        "dropout of nine tenths",
        lambda s: (plan(32, 32, dropout=0.9), digits(s)),
    ),
)

PATIENTS = (*BEFORE, *ON_TRAINING, *BY_COMPARISON, *ON_TESTING)

TWINS_OF_COMPARISON = (
    trial(
        "GF120",
        "three ReLU layers, Adam",
        lambda s: (plan(32, 32, 32, 32, epochs=40), digits(s)),
        "shallower",
    ),
    trial("GF122", "Adam at 0.003", lambda s: (plan(32, 32, epochs=40), digits(s)), "lr-down"),
    trial("GF123", "Adam at 0.003", lambda s: (plan(32, 32, epochs=40), digits(s)), "lr-up"),
    _on("experiment", "GF121", "Adam at 0.003, 32 rows a step", lambda s: (plan(epochs=8), digits(s))),
    _on(
        "rows",
        "GF205",
        "a line from 900 rows",
        lambda s: (plan(16, loss=NUMBERS, epochs=8), line(s)),
    ),
    _on("rows", "GF207", "dropout of a tenth", lambda s: (plan(64, dropout=0.1), digits(s))),
)
"""Healthy plans through the same comparisons."""

SEEDS = range(5)
