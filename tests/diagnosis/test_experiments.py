"""What comparisons tell: planted differences are found, twins and differences within chance are not."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from goodfit.diagnosis.experiments import HALF_THE_ROWS, LARGER_BATCHES, NO_REGULARISATION, findings
from goodfit.diagnosis.experiments import _gain as gain_of
from goodfit.engine.history import History, curve

Trained = Callable[..., tuple[History, ...]]
Arm = Callable[..., list[History]]


@pytest.fixture
def arm(trained: Trained) -> Arm:
    """Four seeds with given final scores and losses, a little apart."""
    template = trained()[0]
    size = len(template.epochs)
    number = itertools.count()  # each arm has a noise of its own

    def make(
        train: float, validation: float = 0.9, loss: float = 0.5, spread: float = 0.01, **changes: Any
    ) -> list[History]:
        stream = np.random.default_rng(next(number))
        return [
            dataclasses.replace(
                template,
                seed=seed,
                train_score=curve([train + spread * stream.normal()] * size),
                validation_score=curve([validation + spread * stream.normal()] * size),
                train_loss=curve([loss * (1 + spread * stream.normal())] * size),
                **changes,
            )
            for seed in range(4)
        ]

    return make


def codes(control: list[History], arms: dict[str, list[History]], question: str = "training") -> list[str]:
    return [found.code for found in findings(control, arms, question=question)]


@pytest.mark.parametrize(
    ("name", "code"), [("lr-up 3", "GF123"), ("lr-down 0.1", "GF122"), ("shallower", "GF120")]
)
def test_an_arm_that_trains_better_tells_what_was_wrong(arm: Arm, name: str, code: str) -> None:
    assert codes(arm(0.7), {name: arm(0.9, lr=0.3)}) == [code]
    assert codes(arm(0.7), {name: arm(0.71)}) == []
    assert codes(arm(0.7), {name: arm(0.5)}) == []


def test_other_remedies_tell_nothing_of_these(arm: Arm) -> None:
    assert codes(arm(0.5), {"adam 0.001": arm(0.9), "relu": arm(0.9), "lr-up": []}) == []


def test_a_difference_within_the_seeds_is_no_finding(arm: Arm) -> None:
    worse = arm(0.7, spread=0.0)
    better = [
        dataclasses.replace(history, train_score=curve([value] * len(history.epochs)))
        for history, value in zip(worse, (0.95, 0.5, 0.9, 0.72), strict=True)
    ]
    assert codes(worse, {"lr-up 3": better}) == []


def test_two_seeds_decide_nothing(arm: Arm) -> None:
    assert codes(arm(0.5)[:2], {"lr-up 3": arm(0.9)[:2]}) == []


def test_seeds_are_paired_by_their_number(arm: Arm) -> None:
    assert codes(arm(0.7), {"lr-up 3": arm(0.9)[::-1]}) == ["GF123"]
    strangers = [dataclasses.replace(history, seed=history.seed + 10) for history in arm(0.9)]
    assert codes(arm(0.7), {"lr-up 3": strangers}) == []


def test_an_arm_that_diverged_is_no_better(arm: Arm) -> None:
    gone = [dataclasses.replace(history, ending="diverged") for history in arm(0.99)]
    assert codes(arm(0.5), {"lr-up 10": gone}) == []


def test_larger_batches_that_take_the_loss_away_show_noise(arm: Arm) -> None:
    assert codes(arm(0.7, loss=0.5), {LARGER_BATCHES: arm(0.8, loss=0.1, batch_size=256)}) == ["GF121"]
    assert codes(arm(0.7, loss=0.5), {LARGER_BATCHES: arm(0.8, loss=0.45, batch_size=256)}) == []
    assert codes(arm(0.7, loss=0.5), {LARGER_BATCHES: arm(0.8, loss=0.9, batch_size=256)}) == []


def test_a_score_that_grows_with_the_rows_shows_too_few(arm: Arm) -> None:
    half = arm(1.0, 0.8, num_rows=300)
    assert codes(arm(1.0, 0.88), {HALF_THE_ROWS: half}, "testing") == ["GF205"]
    assert codes(arm(1.0, 0.805), {HALF_THE_ROWS: half}, "testing") == []
    # nothing is missing to the training score: rows have told what they can
    assert codes(arm(0.89, 0.88), {HALF_THE_ROWS: half}, "testing") == []


def test_few_validation_rows_cannot_show_too_few_rows(arm: Arm) -> None:
    """The same gain, seen on 40 rows, is three answers."""
    few = {"num_validation_rows": 40}
    arms = {HALF_THE_ROWS: arm(1.0, 0.8, num_rows=300, **few)}
    assert codes(arm(1.0, 0.88, **few), arms, "testing") == []


def test_a_steep_curve_shows_too_few_rows_where_less_is_missing_than_was_gained(arm: Arm) -> None:
    half = arm(1.0, 0.78, num_rows=45)
    (found,) = findings(arm(1.0, 0.9), {HALF_THE_ROWS: half}, question="testing")
    # by the law 0.1 of 0.22 is left of every doubling
    assert found.evidence[0].value == pytest.approx(0.1 * 0.12 / 0.22, abs=0.01)


def test_a_curve_that_is_nearly_done_is_no_finding(arm: Arm) -> None:
    assert codes(arm(1.0, 0.985), {HALF_THE_ROWS: arm(1.0, 0.9, num_rows=300)}, "testing") == []


def test_rows_that_both_arms_answer_alike_make_a_small_gain_certain(arm: Arm) -> None:
    control = arm(1.0, 0.84, spread=0.002)
    half = arm(1.0, 0.8, spread=0.002, num_rows=300)
    assert codes(control, {HALF_THE_ROWS: half}, "testing") == []
    for variance, wanted in ((0.05, ["GF205"]), (0.3, [])):
        known = [dataclasses.replace(history, variance_by_row=variance) for history in half]
        assert codes(control, {HALF_THE_ROWS: known}, "testing") == wanted


@pytest.mark.parametrize("num_rows", [100, 400])
def test_no_gain_is_seldom_called_one(arm: Arm, num_rows: int) -> None:
    """Half of the rows serve as well: of networks that answer by chance a hundredth may look better."""
    template, stream, count = arm(1.0, num_validation_rows=num_rows), np.random.default_rng(0), 0
    chance_N = stream.uniform(0.5, 1.0, num_rows)
    for _ in range(600):
        # rows are other rows each time, harder for one arm or for the other by chance
        tilt_N = 0.2 * stream.normal(size=num_rows)
        ways = [np.clip(chance_N + sign * tilt_N, 0, 1) for sign in (-1, 1)]
        right_SN, other_SN = (stream.random((4, num_rows)) < way_N for way_N in ways)
        arms = [
            [
                dataclasses.replace(
                    history,
                    validation_score=curve([scores_N.mean()] * len(history.epochs)),
                    variance_by_row=variance,
                )
                for history, scores_N, variance in zip(template, scores_SN, variances, strict=True)
            ]
            for scores_SN, variances in (
                (right_SN, [None] * 4),
                (other_SN, (right_SN * 1.0 - other_SN).var(1)),
            )
        ]
        gain, reach = gain_of(arms[1], arms[0], "validation_score")
        count += gain - reach > 0
    assert count <= 6


def test_scores_that_rise_without_regularisation_show_too_much_of_it(arm: Arm) -> None:
    held = arm(0.7, 0.68)
    assert codes(held, {NO_REGULARISATION: arm(0.95, 0.9)}, "testing") == ["GF207"]
    assert codes(held, {NO_REGULARISATION: arm(0.95, 0.66)}, "testing") == []


def test_each_question_has_its_own(arm: Arm) -> None:
    arms = {"lr-up 3": arm(0.95), HALF_THE_ROWS: arm(0.95, 0.5)}
    assert codes(arm(0.7), arms, "training") == ["GF123"]
    assert "GF123" not in codes(arm(0.7), arms, "testing")


def test_early_stopping_is_judged_by_the_weights_it_kept(arm: Arm) -> None:
    stopped = [
        dataclasses.replace(
            history,
            ending="stopped early",
            best_epoch=history.epochs[1],
            train_score=(0.1, 0.9, *history.train_score[2:]),
        )
        for history in arm(0.2)
    ]
    assert codes(arm(0.7), {"lr-up 3": stopped}) == ["GF123"]


def test_nothing_to_compare_is_survived(arm: Arm) -> None:
    for question in ("training", "testing"):
        assert (
            codes([], {LARGER_BATCHES: arm(0.9), HALF_THE_ROWS: arm(0.9), "lr-up": arm(0.9)}, question) == []
        )
