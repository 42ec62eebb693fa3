"""The bootstrap interval must hold the true score as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from goodfit.evidence.bootstrap import bootstrap_interval, unanimous_interval


@pytest.mark.parametrize(("num_rows", "accuracy"), [(60, 0.9), (200, 0.97), (400, 0.7)])
def test_nineteen_of_twenty_intervals_hold_the_true_accuracy(num_rows: int, accuracy: float) -> None:
    stream = np.random.default_rng(num_rows)
    held = 0
    for seed in range(200):
        scores_N = (stream.random(num_rows) < accuracy).astype(float)
        interval = bootstrap_interval(scores_N, seed=seed, num_resamples=500)
        held += interval.low <= accuracy <= interval.high
    assert held / 200 >= 0.90


def test_nineteen_of_twenty_intervals_hold_the_true_r_squared_when_the_targets_are_known() -> None:
    stream = np.random.default_rng(0)
    held = {"with targets": 0, "without": 0}
    for seed in range(200):
        y_N, error_N = stream.normal(size=200), 0.5 * stream.normal(size=200)
        scores_N = 1 - error_N**2 / y_N.var()
        for name, targets_N in (("with targets", y_N), ("without", None)):
            interval = bootstrap_interval(scores_N, targets_N=targets_N, seed=seed, num_resamples=500)
            held[name] += interval.low <= 0.75 <= interval.high
    assert held["with targets"] / 200 >= 0.90
    assert held["without"] < held["with targets"]


def test_the_unit_of_the_targets_does_not_matter() -> None:
    stream = np.random.default_rng(1)
    y_N, error_N = stream.normal(size=100), stream.normal(size=100)
    scores_N = 1 - 0.1 * error_N**2 / y_N.var()
    one = bootstrap_interval(scores_N, targets_N=y_N)
    other = bootstrap_interval(scores_N, targets_N=1000 * y_N + 5e6)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-6)
    assert one.value == pytest.approx(scores_N.mean())


def test_the_same_seed_gives_the_same_interval() -> None:
    scores_N = np.random.default_rng(2).random(50)
    assert bootstrap_interval(scores_N, seed=3) == bootstrap_interval(scores_N, seed=3)
    assert bootstrap_interval(scores_N, seed=3) != bootstrap_interval(scores_N, seed=4)


def test_a_skewed_score_has_a_lopsided_interval() -> None:
    scores_N = -(np.random.default_rng(3).exponential(size=40) ** 2)
    interval = bootstrap_interval(scores_N)
    assert interval.value - interval.low > 1.1 * (interval.high - interval.value)


def test_many_rows_are_resampled_in_blocks_without_losing_the_width() -> None:
    scores_N = np.random.default_rng(4).normal(size=90_001)
    interval = bootstrap_interval(scores_N, num_resamples=600)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(90_001), rel=0.15)
    assert interval.low < scores_N.mean() < interval.high


def test_all_right_and_all_wrong_get_the_exact_bound() -> None:
    assert bootstrap_interval(np.ones(30)).low == pytest.approx(0.025 ** (1 / 30))
    assert bootstrap_interval(np.zeros(30)).high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert unanimous_interval(0.4, 9).high == 0.4


def test_rows_of_which_few_weigh_bound_a_unanimous_score_less():
    weight_N = np.append(np.ones(10), np.full(990, 1e-6))
    few, all_ = bootstrap_interval(np.ones(1000), weight_N=weight_N), bootstrap_interval(np.ones(10))
    assert few.low == pytest.approx(all_.low, abs=1e-3)
    assert bootstrap_interval(np.ones(1000), weight_N=np.ones(1000)) == bootstrap_interval(np.ones(1000))
