"""The calibration error is right, is free of chance, and is found where it is planted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from goodfit.diagnosis.calibration import calibration_error, overconfidence, poor_calibration
from goodfit.engine.history import Confidence, History
from goodfit.engine.looks.reliability import reliability

Trained = Callable[..., tuple[History, ...]]


def drawn(stream: np.random.Generator, num_rows: int, lie: float) -> tuple[Confidence, ...]:
    """Rows of which the network claims ``lie`` more than is true."""
    true_N = stream.uniform(0.5, 0.9, num_rows)
    right_N = (stream.random(num_rows) < true_N).astype(float)
    claimed_N = true_N + lie
    return reliability(np.stack([claimed_N, 1 - claimed_N], axis=1), right_N)


def test_many_rows_give_the_planted_error() -> None:
    groups = drawn(np.random.default_rng(0), 40_000, 0.08)
    error, reach = calibration_error(groups)
    assert error == pytest.approx(0.08, abs=reach)
    assert overconfidence(groups) == pytest.approx(0.08, abs=reach)


def test_chance_adds_little_to_few_rows() -> None:
    """Without the correction 200 calibrated rows show an error of 0.07 on average."""
    stream = np.random.default_rng(1)
    found = [calibration_error(drawn(stream, 200, 0.0))[0] for _ in range(200)]
    plain = [
        sum(g.num_rows * abs(g.claimed - g.right) for g in drawn(stream, 200, 0.0)) / 200 for _ in range(200)
    ]
    assert np.mean(plain) > 0.06
    assert np.mean(found) < 0.6 * np.mean(plain)


@pytest.fixture
def history(trained: Trained) -> History:
    return trained()[0]


def judged(history: History, stream: np.random.Generator, num_rows: int, lie: float) -> list[str]:
    seeds = [dataclasses.replace(history, reliability=drawn(stream, num_rows, lie)) for _ in range(3)]
    found = poor_calibration(seeds)
    return [] if found is None else [found.code, "too sure" if "too sure" in found.message else "unsure"]


def test_networks_that_claim_too_much_or_too_little_are_found(history: History) -> None:
    stream = np.random.default_rng(2)
    assert judged(history, stream, 1000, 0.1) == ["GF208", "too sure"]
    assert judged(history, stream, 1000, -0.15) == ["GF208", "unsure"]


@pytest.mark.parametrize("num_rows", [40, 200, 1000])
def test_calibrated_networks_are_not(history: History, num_rows: int) -> None:
    stream = np.random.default_rng(3)
    assert all(judged(history, stream, num_rows, 0.0) == [] for _ in range(40))


def test_numbers_have_no_calibration(history: History) -> None:
    assert poor_calibration([dataclasses.replace(history, reliability=())]) is None
