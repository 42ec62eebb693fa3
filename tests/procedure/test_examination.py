"""The examination after the rounds: which experiments are made, and what is said about the others."""

from __future__ import annotations

import dataclasses

import pytest

from goodfit.data.synthetic import digits_split
from goodfit.diagnosis.experiments import HALF_THE_ROWS, LARGER_BATCHES, NO_REGULARISATION
from goodfit.engine.checks.harness import check_harness
from goodfit.evidence.verdict import Interval
from goodfit.nets.mlp import MLP
from goodfit.procedure import examination
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.events import silence
from goodfit.procedure.journal import Journal
from goodfit.procedure.opening import train_as_it_is
from goodfit.procedure.run import Answer
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.recipe.beyond_on_training import unregularised


def answer(question, good):
    score = Interval(value=0.5, low=0.4, high=0.6, level=0.95)
    return Answer(
        question=question, round=1, good=good, score=score, bar=0.9, bar_from="target", reason="made by hand"
    )


@pytest.fixture(scope="module")
def split():
    return digits_split(0)


@pytest.fixture(scope="module")
def plan(split):
    wanted = Wanted(network=MLP(widths=(16,)), rule="adam", lr=3e-3, epochs=3, batch_size=32)
    return dataclasses.replace(plan_as_it_is(wanted, split), dropout=0.1)


@pytest.fixture(scope="module")
def harness(plan, split):
    return check_harness(plan, split)


def examined(plan, split, harness, *, training, testing=None, num_seeds=3, max_trainings=40):
    """Examine a trained plan for which the answers are given."""
    case = Case(split=split, budget=Budget(max_trainings=max_trainings), journal=Journal(listener=silence))
    control = train_as_it_is(plan, case, num_seeds=num_seeds)
    case.journal.answer(answer("training", training))
    if testing is not None:
        case.journal.answer(answer("testing", testing))
    examination.examine(case, harness, control=control, arm=control, round=2)
    return case


def arms_of(case):
    return [arm.name for arm in case.journal.arms[1:]]


def test_poor_training_is_asked_about_noise(plan, split, harness):
    case = examined(plan, split, harness, training=False)
    assert arms_of(case) == [LARGER_BATCHES]
    assert case.budget.used == 6
    assert case.journal.arms[1].histories[0].batch_size == 256
    assert "training is poor" in case.journal.not_checked["GF201 to GF208"]


def test_poor_testing_is_asked_about_rows_and_regularisation(plan, split, harness):
    case = examined(plan, split, harness, training=True, testing=False)
    assert arms_of(case) == [HALF_THE_ROWS, NO_REGULARISATION]
    control, half, _ = (arm.histories[0] for arm in case.journal.arms)
    assert half.num_rows == -(-control.num_rows // 2)
    assert half.epochs[-1] == 2 * control.epochs[-1]
    assert "GF101 to GF123" in case.journal.not_checked


def test_good_answers_need_no_experiment_and_say_so(plan, split, harness):
    case = examined(plan, split, harness, training=True, testing=True)
    assert arms_of(case) == []
    assert "testing is good" in case.journal.not_checked["GF205 too-few-rows, GF207 over-regularised"]


def test_experiments_without_trainings_left_are_listed(plan, split, harness):
    case = examined(plan, split, harness, training=False, max_trainings=8)
    assert arms_of(case) == []
    assert case.journal.not_checked["GF121 noisy-gradients"] == "no trainings left"


def test_two_seeds_make_no_experiment(plan, split, harness):
    case = examined(plan, split, harness, training=False, num_seeds=2)
    assert arms_of(case) == []
    assert case.budget.used == 2
    assert "2 seeds" in case.journal.not_checked["GF121 noisy-gradients"]


def test_a_plan_without_regularisation_has_none_to_take_away(plan, split):
    free = unregularised(plan, 0.0)
    names = [experiment.name for experiment in examination.on_testing(free, split)]
    assert names == [HALF_THE_ROWS]


def test_the_same_rows_are_left_for_validation(plan, split):
    half = examination.on_testing(plan, split)[0].split
    assert len(half.rows("validation")) == len(split.rows("validation"))
    assert set(half.train_index) < set(split.train_index)
