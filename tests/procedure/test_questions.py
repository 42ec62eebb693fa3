"""When an answer is yes: the bar is reached, or missed by less than the rows can tell."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from goodfit.evidence.arms import TrainedArm
from goodfit.procedure.questions import Bar, ask

SPLIT = SimpleNamespace()
NUM_ROWS = 1000


def arm(*, wrong, diverged=0, seeds=3):
    """Seeds, each wrong on some training rows and on the same number of validation rows; some diverged."""
    scores_N = np.ones(NUM_ROWS)
    scores_N[:wrong] = 0
    members = [
        SimpleNamespace(
            train_scores_N=scores_N * (ending == "finished"),
            validation_scores_N=scores_N * (ending == "finished"),
            history=SimpleNamespace(ending=ending, train_score=(0.1, 1 - wrong / NUM_ROWS)),
        )
        for ending in ["diverged"] * diverged + ["finished"] * (seeds - diverged)
    ]
    plan = SimpleNamespace(ensemble=False)
    return TrainedArm(name="as it is", plan=plan, members=tuple(members))


@pytest.mark.parametrize(
    ("question", "wrong", "bar", "good"),
    [
        ("training", 10, 0.99, True),
        ("training", 10, 0.9905, True),
        ("training", 10, 0.991, False),
        ("training", 10, 0.992, False),
        ("testing", 10, 0.99, True),
        ("testing", 10, 0.9905, False),
    ],
)
def test_training_rows_are_a_sample_and_cannot_tell_less_than_one_row(question, wrong, bar, good):
    answer = ask(question, arm(wrong=wrong), Bar(score=bar, source="target"), SPLIT, round=1)
    assert answer.good is good
    assert answer.score.value == pytest.approx(1 - wrong / NUM_ROWS)
    assert ("is below" in answer.reason) is not good


def test_once_nothing_is_left_a_score_not_shown_to_be_below_the_bar_is_good():
    bar = Bar(score=0.993, source="target")
    assert not ask("testing", arm(wrong=10), bar, SPLIT, round=1).good
    last = ask("testing", arm(wrong=10), bar, SPLIT, round=1, nothing_left=True)
    assert last.good
    assert "not shown to be below" in last.reason


def test_a_score_shown_to_be_below_the_bar_stays_a_no():
    bar = Bar(score=0.999, source="target")
    assert not ask("testing", arm(wrong=100), bar, SPLIT, round=1, nothing_left=True).good


@pytest.mark.parametrize(
    ("diverged", "good", "told"),
    [
        pytest.param(0, True, "reaches your target, 0.990", id="none"),
        pytest.param(1, True, "reaches your target, 0.990; 1 of 6 seeds diverged or fell back", id="few"),
        pytest.param(2, False, "is below your target, 0.990", id="many"),
    ],
)
def test_few_seeds_that_diverged_do_not_answer_for_all(diverged, good, told):
    patient = arm(wrong=10, diverged=diverged, seeds=6)
    answer = ask("training", patient, Bar(score=0.99, source="target"), SPLIT, round=1)
    assert answer.good is good
    assert answer.reason.endswith(told)
