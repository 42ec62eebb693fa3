"""The proven treatment with the best result enters the plan; where trainings are dear, a cheap one."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from goodfit.evidence.verdict import Interval, Verdict
from goodfit.procedure.winners import ahead_on_leaving, best_of

VERDICT = Verdict(
    remedy="relu",
    sentence="use ReLU",
    question="training",
    outcome="helped",
    effect=Interval(value=0.5, low=0.4, high=0.6, level=0.95),
    p_value=1e-4,
    p_adjusted=1e-3,
    metric="training accuracy",
    control=0.4,
    treated=0.9,
    num_seeds=4,
    num_rows=100,
    epochs=5,
    seconds=1.0,
    kept=False,
    round=1,
    steps=(("relu", 0.0),),
)


def arm_of(treated, validation):
    scores = {"training": treated, "testing": validation}
    return SimpleNamespace(scores_SN=lambda question: np.full((4, 10), scores[question]))


def trial_of(*verdicts, trains=True, validations=(0.5,) * 3):
    treatments = [SimpleNamespace(remedy=SimpleNamespace(trains=trains)) for _ in verdicts]
    return SimpleNamespace(
        verdicts=tuple(dataclasses.replace(VERDICT, **told) for told in verdicts),
        treatments=treatments,
        arms=[
            arm_of(told["treated"], validation)
            for told, validation in zip(verdicts, validations, strict=False)
        ],
        control=SimpleNamespace(members=range(4)),
    )


def told(treated, outcome="helped", **others):
    effect = Interval(value=treated - 0.4, low=treated - 0.5, high=treated - 0.3, level=0.95)
    return {"treated": treated, "effect": effect, "outcome": outcome, **others}


def test_the_best_result_wins_and_of_equal_ones_the_first():
    assert best_of(trial_of(told(0.8), told(0.9), told(0.9))) == 1


def test_of_equals_the_one_of_fewer_parts_wins():
    whole = (("relu", 0.0), ("adam", 1e-3))
    assert best_of(trial_of(told(0.9, steps=whole), told(0.9001))) == 1
    assert best_of(trial_of(told(0.91, steps=whole), told(0.9))) == 0


def test_what_is_not_shown_to_help_never_wins():
    assert best_of(trial_of(told(0.95, "not shown"), told(0.7))) == 1
    assert best_of(trial_of(told(0.95, "not shown"), told(0.3, "harmed"))) is None


@pytest.mark.parametrize(("are_dear", "winner"), [(False, 1), (True, 0)])
def test_a_remedy_of_nearly_the_same_effect_in_a_fraction_of_the_time_wins_where_trainings_are_dear(
    are_dear, winner
):
    trial = trial_of(told(0.89, seconds=8.0), told(0.90, seconds=24.0))
    assert best_of(trial, are_dear=are_dear) == winner


def test_who_left_ahead_is_listed_once_those_that_went_on_have_failed():
    failed, left = told(0.6, "not shown"), told(0.9, "not shown", num_seeds=1)
    behind = told(0.45, "not shown", num_seeds=1)
    trial = trial_of(failed, left, behind)
    assert ahead_on_leaving(trial, num_seeds=4) == [trial.treatments[1]]
    assert ahead_on_leaving(trial_of(told(0.6), left, behind), num_seeds=4) == []
    assert ahead_on_leaving(trial_of(failed, left, trains=False), num_seeds=4) == []


def test_who_went_on_has_not_left_though_a_second_look_gave_others_more_seeds():
    looked_at_again, once = told(0.6, "not shown", num_seeds=8), told(0.9, "not shown", num_seeds=4)
    assert ahead_on_leaving(trial_of(looked_at_again, once), num_seeds=4) == []


def test_of_those_that_reach_the_bar_the_best_on_validation_rows_wins_where_trainings_are_dear():
    trial = trial_of(told(0.999), told(0.995), told(0.97), validations=(0.97, 0.98, 0.99))
    assert best_of(trial, are_dear=True, bar=0.99) == 1
    assert best_of(trial, are_dear=True, bar=0.96) == 2
    assert best_of(trial, are_dear=True) == 0
    assert best_of(trial, bar=0.99) == 0
