"""Every finding on training data: a planted illness raises it, healthy twins do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from goodfit.diagnosis.training import findings
from goodfit.engine.history import History

Trained = Callable[..., tuple[History, ...]]

ILL: dict[str, tuple[str, dict[str, Any]]] = {
    "ten sigmoid layers": (
        "vanishing-gradients",
        {"widths": (32,) * 10, "activation": "sigmoid", "epochs": 10},
    ),
    "six sigmoid layers": (
        "vanishing-gradients",
        {"widths": (32,) * 6, "activation": "sigmoid", "epochs": 10},
    ),
    "deep sigmoid layers say the same": (
        "dead-layers",
        {"widths": (32,) * 10, "activation": "sigmoid", "epochs": 10},
    ),
    "initial weights too large": ("exploding-gradients", {"widths": (32,) * 8, "gain": 3.0, "lr": 0.001}),
    "inputs in the hundreds": ("exploding-gradients", {"data": "unscaled digits", "lr": 0.01}),
    "biases far below zero": ("dying-units", {"widths": (32, 32), "bias": -20.0}),
    "a rate that kills ReLU": ("dying-units", {"widths": (32, 32), "lr": 3.0}),
    "tanh pushed to its bounds": (
        "saturated-units",
        {"widths": (32, 32), "activation": "tanh", "gain": 10.0, "lr": 0.01},
    ),
    "sigmoid pushed to its bounds": (
        "saturated-units",
        {"widths": (32, 32), "activation": "sigmoid", "gain": 10.0, "lr": 0.01},
    ),
    "a rate of a millionth": ("updates-too-small", {"lr": 1e-6}),
    "Adam at a ten-millionth": ("updates-too-small", {"lr": 1e-7, "rule": "adam"}),
    "a rate that shakes the weights": (
        "updates-too-large",
        {"widths": (32, 32), "activation": "tanh", "lr": 8.0},
    ),
    "a rate too high for numbers": ("updates-too-large", {"data": "waves", "activation": "tanh", "lr": 0.4}),
    "an average answer": ("plateau", {"widths": (32,) * 6, "activation": "sigmoid", "epochs": 10}),
    "a rate too low for the time": ("slow-convergence", {"lr": 0.003}),
    "Adam at a tenth": ("oscillation", {"widths": (32, 32), "rule": "adam", "lr": 0.1, "epochs": 30}),
    "a rate of ten": ("divergence", {"lr": 10.0, "data": "waves"}),
    "one hidden unit": ("capacity-too-small", {"widths": (1,), "epochs": 60, "rule": "adam", "lr": 0.02}),
    "one hidden unit for numbers": (
        "capacity-too-small",
        {"widths": (1,), "data": "waves", "rule": "adam", "lr": 0.01, "epochs": 40},
    ),
}

HEALTHY: dict[str, dict[str, Any]] = {
    "one ReLU layer": {},
    "one ReLU layer, quick": {"lr": 0.3},
    "two ReLU layers, Adam": {"widths": (32, 32), "rule": "adam", "lr": 2e-3},
    "two ReLU layers, Adam, long after the end": {
        "widths": (32, 32),
        "rule": "adam",
        "lr": 1e-2,
        "epochs": 40,
    },
    "five ReLU layers, Adam": {"widths": (32,) * 5, "rule": "adam", "lr": 2e-3, "epochs": 30},
    "eight ReLU layers, He": {"widths": (32,) * 8, "gain": 1.0, "lr": 0.02, "epochs": 25},
    "two tanh layers": {"widths": (32, 32), "activation": "tanh"},
    "two tanh layers, large steps": {"widths": (32, 32), "activation": "tanh", "lr": 2.0, "epochs": 30},
    "one tanh layer, Adam": {"activation": "tanh", "rule": "adam", "lr": 5e-3, "epochs": 40},
    "one sigmoid layer": {"activation": "sigmoid", "lr": 0.5, "epochs": 30},
    "two sigmoid layers, Adam": {
        "widths": (32, 32),
        "activation": "sigmoid",
        "rule": "adam",
        "lr": 1e-2,
        "epochs": 30,
    },
    "two GELU layers": {"widths": (64, 64), "activation": "gelu", "rule": "adam", "lr": 1e-3},
    "a wide layer": {"widths": (256,), "rule": "adam", "lr": 1e-3, "epochs": 40},
    "noise learnt by heart": {
        "widths": (128, 128),
        "rule": "adam",
        "lr": 3e-3,
        "data": "noisy digits",
        "epochs": 40,
    },
    "waves, ReLU": {"data": "waves", "widths": (64, 64), "rule": "adam", "lr": 5e-3, "epochs": 40},
    "waves, tanh": {"data": "waves", "activation": "tanh", "lr": 0.05, "epochs": 50},
}


@pytest.mark.parametrize("illness", ILL)
def test_a_planted_illness_is_found(trained: Trained, illness: str) -> None:
    name, settings = ILL[illness]
    found = findings(trained(**settings))
    assert name in {finding.name for finding in found}
    assert {finding.question for finding in found} == {"training"}


@pytest.mark.parametrize("twin", HEALTHY)
def test_a_healthy_network_raises_nothing(trained: Trained, twin: str) -> None:
    assert findings(trained(**HEALTHY[twin])) == ()


def test_the_first_finding_of_ten_sigmoid_layers_is_vanishing_gradients(trained: Trained) -> None:
    found = findings(trained(**ILL["ten sigmoid layers"][1]))
    assert found[0].code == "GF101"
    assert found[0].remedies[0] == "relu"
    assert found[0].evidence[0].layer == "layers.0"
    assert found[0].evidence[0].value < 1e-6


def test_units_that_died_are_not_called_dead_layers_too(trained: Trained) -> None:
    names = {finding.name for finding in findings(trained(**ILL["biases far below zero"][1]))}
    assert {"dead-layers", "updates-too-small", "vanishing-gradients"}.isdisjoint(names)


def test_a_network_with_something_wrong_inside_is_not_called_too_small(trained: Trained) -> None:
    sick = trained(**ILL["ten sigmoid layers"][1])
    starved = [
        dataclasses.replace(history, num_parameters=10, train_loss=_smooth(len(history.epochs)))
        for history in sick
    ]
    assert "capacity-too-small" not in {finding.name for finding in findings(starved)}


def test_one_unlucky_seed_of_three_is_no_finding(trained: Trained) -> None:
    healthy = trained()
    (*_, unlucky) = trained(lr=1e-6)
    assert findings((*healthy, unlucky)) == ()


def test_one_diverged_seed_of_three_is_a_warning_and_two_are_an_error(trained: Trained) -> None:
    healthy, diverged = trained(data="waves", lr=0.05), trained(lr=10.0, data="waves")
    (one,) = (f for f in findings((*healthy, diverged[0])) if f.name == "divergence")
    (two,) = (f for f in findings((healthy[0], *diverged)) if f.name == "divergence")
    assert (one.severity, two.severity) == ("warning", "error")
    assert "1 of 3 seeds" in one.message


def test_errors_come_before_warnings(trained: Trained) -> None:
    severities = [finding.severity for finding in findings(trained(**ILL["ten sigmoid layers"][1]))]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert len(set(severities)) == 2


def test_a_history_without_probes_or_numbers_is_survived(trained: Trained) -> None:
    history = trained()[0]
    blind = dataclasses.replace(history, layers=(), probed_epochs=())
    assert findings([blind]) == ()
    nothing = (None,) * len(history.epochs)
    mute = dataclasses.replace(history, train_loss=nothing, train_score=nothing, ending="diverged")
    assert [finding.name for finding in findings([mute])] == ["divergence"]
    assert findings([dataclasses.replace(history, epochs=(), train_loss=())]) == ()


def _smooth(count: int) -> tuple[float, ...]:
    return (1.0, *(0.5 + 0.001 * (count - epoch) / count for epoch in range(1, count)))
