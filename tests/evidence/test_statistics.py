"""Intervals and p-values are tested by what they promise: how often they are right, simulated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from goodfit.evidence.statistics import gap_interval, mean_interval, paired_effect


def arm(
    stream: np.random.Generator,
    ease_N: np.ndarray,
    *,
    num_seeds: int,
    shift: float = 0.0,
    spread: float = 0.3,
) -> np.ndarray:
    """Right or wrong by seed and row: easy rows are easy for every arm, each arm has its own seeds."""
    shape = (num_seeds, len(ease_N))
    by_seed, by_row = stream.normal(size=(num_seeds, 1)), stream.normal(size=(1, len(ease_N)))
    return (ease_N + shift + spread * (by_seed + by_row + stream.normal(size=shape)) > 0).astype(float)


@pytest.mark.parametrize(("num_seeds", "num_rows"), list(itertools.product((2, 4, 8), (50, 400))))
def test_without_an_effect_one_trial_in_twenty_finds_one_at_most(num_seeds: int, num_rows: int) -> None:
    stream = np.random.default_rng(num_seeds * num_rows)
    found = 0
    for _ in range(500):
        ease_N = 1 + 2 * stream.normal(size=num_rows)
        arms = [arm(stream, ease_N, num_seeds=num_seeds) for _ in range(2)]
        found += paired_effect(*arms)[1] <= 0.05
    # 0.06 and three standard errors of 500 simulations
    assert found / 500 <= 0.06 + 3 * (0.06 * 0.94 / 500) ** 0.5


@pytest.mark.parametrize("parts", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_each_source_of_chance_alone_gives_no_false_alarms(parts: tuple[float, float, float]) -> None:
    stream = np.random.default_rng(7)
    found = 0
    for _ in range(400):
        noise_SN = (
            parts[0] * stream.normal(size=(4, 1))
            + parts[1] * stream.normal(size=(1, 50))
            + parts[2] * stream.normal(size=(4, 50))
        )
        found += paired_effect(np.zeros((4, 50)), noise_SN)[1] <= 0.05
    assert found / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_a_plain_effect_is_found_with_eight_seeds_nearly_always() -> None:
    stream = np.random.default_rng(1)
    found = 0
    for _ in range(100):
        ease_N = 1 + 2 * stream.normal(size=400)
        control_SN = arm(stream, ease_N, num_seeds=8)
        found += paired_effect(control_SN, arm(stream, ease_N, num_seeds=8, shift=0.8))[1] <= 0.05
    assert found >= 90


def test_the_interval_of_an_effect_holds_the_true_one() -> None:
    stream = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        noise_SN = 0.3 + 0.2 * (stream.normal(size=(5, 1)) + stream.normal(size=(1, 60)))
        effect, _ = paired_effect(np.zeros((5, 60)), noise_SN + 0.5 * stream.normal(size=(5, 60)))
        held += effect.low <= 0.3 <= effect.high
    assert 0.92 <= held / 400 <= 1.0


def test_identical_arms_show_nothing() -> None:
    scores_SN = np.random.default_rng(0).random((3, 20))
    effect, p_value = paired_effect(scores_SN, scores_SN)
    assert (effect.value, effect.low, effect.high, p_value) == (0.0, 0.0, 0.0, 1.0)


def test_one_seed_is_judged_by_its_rows_as_a_paired_t_test() -> None:
    from scipy import stats

    stream = np.random.default_rng(3)
    control_N, treated_N = stream.random(30), stream.random(30) + 0.2
    effect, p_value = paired_effect(control_N[None], treated_N[None])
    expected = stats.ttest_rel(treated_N, control_N)
    assert p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (effect.low, effect.high) == pytest.approx((low, high))


def test_one_row_is_judged_by_its_seeds() -> None:
    stream = np.random.default_rng(4)
    treated_S1 = stream.random((6, 1)) + 1
    _, p_value = paired_effect(np.zeros((6, 1)), treated_S1)
    assert p_value < 0.01


def test_one_seed_and_one_row_prove_nothing() -> None:
    assert paired_effect(np.zeros((1, 1)), np.ones((1, 1)))[1] == 1.0


def test_a_treatment_that_rights_every_row_is_proven_by_the_number_of_rows() -> None:
    effect, p_value = paired_effect(np.zeros((2, 10)), np.ones((2, 10)))
    assert effect.value == 1.0
    assert p_value == pytest.approx(2.0**-9)


def test_rounding_is_no_difference() -> None:
    scores_SN = np.full((3, 50), 0.1) * np.arange(1, 51)
    shifted_SN = scores_SN + 0.1
    effect, p_value = paired_effect(scores_SN, shifted_SN)
    assert effect.high - effect.low < 1e-9
    assert p_value < 1e-9


def test_swapping_the_arms_turns_the_effect_round() -> None:
    stream = np.random.default_rng(5)
    a_SN, b_SN = stream.random((4, 30)), stream.random((4, 30))
    there, p_there = paired_effect(a_SN, b_SN)
    back, p_back = paired_effect(b_SN, a_SN)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert p_there == pytest.approx(p_back)


def test_the_interval_of_a_mean_holds_it() -> None:
    stream = np.random.default_rng(6)
    held = 0
    for _ in range(300):
        scores_SN = 0.8 + 0.05 * stream.normal(size=(4, 1)) + 0.3 * stream.normal(size=(1, 100))
        interval = mean_interval(scores_SN + 0.1 * stream.normal(size=(4, 100)))
        held += interval.low <= 0.8 <= interval.high
    assert held / 300 >= 0.91


def test_a_perfect_score_on_few_rows_is_not_certain() -> None:
    assert mean_interval(np.ones((3, 20))).low == pytest.approx(0.025 ** (1 / 20))


def test_the_interval_of_a_gap_holds_it() -> None:
    stream = np.random.default_rng(8)
    held = 0
    for _ in range(300):
        seed_S1 = 0.05 * stream.normal(size=(4, 1))
        train_SN = (0.95 + seed_S1 > stream.random((4, 200))).astype(float)
        validation_SM = (0.85 + seed_S1 > stream.random((1, 100))).astype(float)
        gap = gap_interval(train_SN, validation_SM)
        held += gap.low <= 0.1 <= gap.high
    assert held / 300 >= 0.92


def nearly_right(
    stream: np.random.Generator, *, num_seeds: int, num_rows: int, times: float = 1.0, spread: float = 0.8
) -> np.ndarray:
    """Right or wrong with few errors, a factor of its own for each seed, and rows that are hard for all."""
    hard_1N = stream.exponential(size=(1, num_rows))
    seed_S1 = np.exp(spread * stream.normal(size=(num_seeds, 1)))
    wrong_SN = stream.random((num_seeds, num_rows)) < 0.02 * times * hard_1N * seed_S1
    return 1.0 - wrong_SN


@pytest.mark.parametrize("num_seeds", [3, 4, 6, 8])
@pytest.mark.parametrize("num_rows", [60, 2000])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_without_an_effect_errors_that_spread_by_factors_raise_few_alarms(num_seeds, num_rows, spread):
    stream = np.random.default_rng(num_seeds * num_rows)
    drawn = {"num_seeds": num_seeds, "num_rows": num_rows, "spread": spread}
    found = sum(
        paired_effect(nearly_right(stream, **drawn), nearly_right(stream, **drawn))[1] <= 0.05
        for _ in range(400)
    )
    assert found / 400 <= 0.06 + 3 * (0.06 * 0.94 / 400) ** 0.5


def test_a_remedy_that_divides_every_seeds_error_is_found_though_one_seed_began_far_worse() -> None:
    stream = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        control_SN = nearly_right(stream, num_seeds=6, num_rows=4000, spread=0.2)
        control_SN[2, :600] = 0.0
        treated_SN = nearly_right(stream, num_seeds=6, num_rows=4000, spread=0.2, times=0.2)
        effect, p_value = paired_effect(control_SN, treated_SN)
        found += p_value <= 0.02
        assert effect.low < 0 < effect.value
    assert found >= 95


def test_scores_beyond_one_are_compared_by_differences() -> None:
    stream = np.random.default_rng(4)
    control_SN = 3 + stream.normal(size=(4, 50))
    treated_SN = control_SN + 1 + 0.1 * stream.normal(size=(4, 50))
    effect, p_value = paired_effect(control_SN, treated_SN)
    assert effect.low > 0.9
    assert p_value < 1e-5


def test_where_all_is_right_one_error_less_is_no_infinite_gain() -> None:
    control_SN = np.ones((4, 200))
    control_SN[:, 0] = 0.0
    assert paired_effect(control_SN, np.ones((4, 200)))[1] > 0.1
