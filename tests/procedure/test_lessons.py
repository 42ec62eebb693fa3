"""What a trial taught is not asked again, and what it promised is asked first."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from tests.procedure.test_winners import VERDICT

from goodfit.procedure.lessons import Lessons


def treatment(code, dose=1.0, question="training"):
    remedy = SimpleNamespace(code=code, question=question)
    return SimpleNamespace(name=f"{code} {dose:g}", remedy=remedy, dose=dose, plan=(code, dose))


def trial_of(*told):
    """A trial of (treatment, changes of its verdict)."""
    return SimpleNamespace(
        treatments=[tried for tried, _ in told],
        verdicts=[dataclasses.replace(VERDICT, **changes) for _, changes in told],
    )


def below_zero(**changes):
    effect = dataclasses.replace(VERDICT.effect, value=0.0, low=-0.1)
    return {"outcome": "not shown", "effect": effect, **changes}


@pytest.fixture
def lessons():
    return Lessons()


def test_what_helped_and_what_left_ahead_is_promising_once(lessons):
    helped, ahead, behind = treatment("relu"), treatment("adam"), treatment("clip")
    left = {"outcome": "not shown", "num_seeds": 1}
    lessons.learn(trial_of((helped, {}), (ahead, left), (behind, below_zero(num_seeds=1))), num_seeds=4)
    assert lessons.take_promising() == ("relu", "adam")
    assert lessons.take_promising() == ()


def test_what_stood_the_whole_trial_without_helping_promises_nothing(lessons):
    lessons.learn(trial_of((treatment("adam"), {"outcome": "not shown"})), num_seeds=4)
    assert lessons.take_promising() == ()


@pytest.mark.parametrize(("question", "open_again"), [("training", True), ("testing", False)])
def test_only_a_testing_remedy_is_given_up_once_it_did_nothing(lessons, question, open_again):
    tried = treatment("dropout", 0.5)
    lessons.learn(trial_of((tried, below_zero(question=question))), num_seeds=4)
    assert lessons.leave_open(tried) == open_again
    assert lessons.leave_open(treatment("dropout", 0.1))


@pytest.mark.parametrize(("question", "open_again"), [("training", True), ("testing", False)])
def test_what_set_training_back_waits_for_another_training_remedy(lessons, question, open_again):
    worse = dataclasses.replace(VERDICT.effect, value=-0.9, low=-0.95, high=-0.85)
    momentum, kept = treatment("momentum"), treatment("x", question=question)
    trial = trial_of((momentum, {"outcome": "not shown", "effect": worse, "num_seeds": 1}))
    lessons.learn(trial, num_seeds=4)
    assert not lessons.leave_open(momentum)
    lessons.leave(("as it was",), trial_of((kept, {})), chosen=kept)
    assert lessons.leave_open(momentum) == open_again


def test_a_remedy_that_harmed_is_tried_again_at_gentler_doses_alone(lessons):
    lessons.learn(trial_of((treatment("l2", 0.1), {"outcome": "harmed"})), num_seeds=4)
    assert lessons.leave_open(treatment("l2", 0.01))
    assert not lessons.leave_open(treatment("l2", 0.1))
    assert not lessons.leave_open(treatment("l2", 1.0))
    assert lessons.leave_open(treatment("l1", 1.0))


def test_what_was_worse_is_not_tried_stronger_until_the_network_learns_otherwise(lessons):
    worse = dataclasses.replace(VERDICT.effect, value=-0.03, low=-0.04, high=-0.02)
    lessons.learn(
        trial_of((treatment("l2", 0.1), {"outcome": "not shown", "question": "testing", "effect": worse})),
        num_seeds=4,
    )
    assert lessons.leave_open(treatment("l2", 0.01))
    assert not lessons.leave_open(treatment("l2", 1.0))
    kept = treatment("batch-norm")
    lessons.leave(("as it was",), trial_of((kept, {})), chosen=kept)
    assert lessons.leave_open(treatment("l2", 1.0))


def test_no_treatment_leads_back_to_a_plan_that_was_left(lessons):
    chosen, other = treatment("relu"), treatment("adam")
    before = treatment("sigmoid")
    lessons.leave(before.plan, trial_of((chosen, {}), (other, {})), chosen=chosen)
    assert not lessons.leave_open(other)
    assert not lessons.leave_open(before)
    assert lessons.leave_open(chosen)
