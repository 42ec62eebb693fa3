"""The whole procedure on small patients, from the plan as it is to the sealed test."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_classification

from goodfit.data.synthetic import digits_split, mixed_table, overfit_patient
from goodfit.errors import BudgetError, DataError, DeviceError, ModelError, PlanError
from goodfit.nets.mlp import MLP
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.course import run_recipe
from goodfit.procedure.events import silence
from goodfit.procedure.fit import fit
from goodfit.procedure.journal import Journal
from goodfit.procedure.run import Answer
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.recipe.prescription import Prescription


@pytest.fixture(scope="module")
def sick():
    """Six sigmoid layers by gradient descent, allowed one round of a few trials."""
    split = digits_split(0)
    wanted = Wanted(
        network=MLP(widths=(16,) * 6, activation="sigmoid"),
        rule="gradient-descent",
        lr=0.1,
        loss="squared",
        epochs=4,
        batch_size=64,
    )
    plan = plan_as_it_is(wanted, split)
    heard = []
    case = Case(split=split, budget=Budget(max_trainings=26), journal=Journal(listener=heard.append))
    return run_recipe(plan, case, num_seeds=2), heard, split


@pytest.fixture(scope="module")
def overfit():
    """A network that knows its 200 noisy rows by heart."""
    split = overfit_patient(0)
    wanted = Wanted(network=MLP(widths=(64, 64)), rule="adam", lr=3e-3, epochs=40, batch_size=32)
    case = Case(split=split, budget=Budget(max_trainings=200), journal=Journal(listener=silence))
    return run_recipe(plan_as_it_is(wanted, split), case, num_seeds=4)


def test_a_network_that_fails_on_training_data_is_not_offered_what_helps_testing(sick):
    run = sick[0].run
    assert not run.good_on_training
    assert {verdict.question for verdict in run.verdicts} == {"training"}
    assert "dropout" not in {verdict.remedy for verdict in run.verdicts}
    assert dict(run.not_checked)["testing remedies"]
    assert run.answers[0].question == "training"
    assert not run.answers[0].good


def test_the_first_finding_is_the_planted_illness(sick):
    assert sick[0].run.findings
    assert any(finding.name == "vanishing-gradients" for finding in sick[0].run.findings)


def test_the_number_of_trainings_is_kept(sick):
    run = sick[0].run
    assert run.num_trainings <= 26
    assert sum(len(arm.histories) for arm in run.arms) == run.num_trainings
    assert any(reason == "no trainings left" for _, reason in run.untried)


def test_the_test_part_is_opened_once(sick):
    fitted, _, split = sick
    assert split.openings == 1
    assert fitted.run.test.openings == 1


def test_the_listener_hears_answers_findings_and_verdicts_in_order(sick):
    fitted, heard, _ = sick
    assert tuple(event for event in heard if isinstance(event, Answer)) == fitted.run.answers
    assert tuple(event for event in heard if event in fitted.run.verdicts) == fitted.run.verdicts


def test_a_patient_that_learns_by_heart_passes_question_one_and_gets_testing_remedies_only(overfit):
    run = overfit.run
    assert run.answers[0].question == "training"
    assert run.answers[0].good
    assert not run.answers[1].good
    assert {verdict.question for verdict in run.verdicts} == {"testing"}
    assert run.prescription
    assert run.test.score.value > run.test.plan_as_it_was


def test_only_what_helped_is_prescribed(overfit):
    for verdict in overfit.run.verdicts:
        if verdict.kept:
            assert verdict.outcome == "helped"
            assert verdict.effect.low > 0
            assert verdict.p_adjusted <= 0.05


def test_the_same_seed_gives_the_same_numbers_when_trainings_are_counted():
    features, target = load_iris(return_X_y=True)
    runs = [fit(features, target, max_trainings=6, num_seeds=2, epochs=10, seed=4).run for _ in range(2)]
    for once, again in zip(runs[0].arms, runs[1].arms, strict=True):
        assert once.histories[0].train_loss == again.histories[0].train_loss
    assert runs[0].test.score == runs[1].test.score
    assert runs[0].answers == runs[1].answers
    assert [v.effect for v in runs[0].verdicts] == [v.effect for v in runs[1].verdicts]


def test_a_time_budget_is_kept():
    features, target = make_classification(3000, 20, n_informative=8, random_state=0)
    run = fit(features, target, budget=6.0).run
    assert run.seconds <= 6.6
    assert run.budget_seconds == 6.0
    assert "too little time" in dict(run.not_checked)["GF002, GF029, GF042, GF206"]


def test_a_table_of_every_kind_of_column_is_learnt_and_predicted():
    table = mixed_table(400)
    fitted = fit(table, target="target", max_trainings=4, num_seeds=2, epochs=15)
    predicted = fitted.predict(table.drop(columns="target").head(7))
    assert list(predicted.columns) == ["prediction", "probability_no", "probability_yes"]
    shares = predicted[["probability_no", "probability_yes"]].sum(axis=1)
    assert shares.to_numpy() == pytest.approx(1, abs=1e-5)
    assert set(predicted.prediction) <= {"yes", "no"}
    assert fitted.run.test.score.value > 0.7


def test_numbers_are_predicted_in_the_users_units():
    features, target = load_diabetes(return_X_y=True, as_frame=True)
    fitted = fit(features, target, max_trainings=4, num_seeds=2, epochs=20)
    predicted = fitted.predict(features).prediction
    assert target.min() - 40 < predicted.min() < predicted.max() < target.max() + 40
    assert dict(fitted.run.test.others)["root mean squared error"] < target.std()


def test_the_users_target_is_the_bar():
    features, target = load_iris(return_X_y=True)
    run = fit(features, target, max_trainings=4, num_seeds=2, epochs=5, target_metric=0.2).run
    assert run.answers[0].bar == 0.2
    assert run.good_on_training
    assert run.good_on_testing
    assert run.verdicts == ()


def test_every_number_of_the_record_is_finite(sick, overfit):
    def numbers(value):
        if dataclasses.is_dataclass(value):
            value = [getattr(value, field.name) for field in dataclasses.fields(value)]
        if isinstance(value, list | tuple):
            for item in value:
                yield from numbers(item)
        elif isinstance(value, float):
            yield value

    for fitted in (sick[0], overfit):
        assert all(math.isfinite(number) for number in numbers(fitted.run))


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"budget": -1.0}, BudgetError, "-1"),
        ({"max_trainings": 1}, BudgetError, "1"),
        ({"rule": "adan"}, PlanError, "adan"),
        ({"activation": "rellu"}, PlanError, "rellu"),
        ({"loss": "huber"}, PlanError, "huber"),
        ({"lr": -0.1}, PlanError, "-0.1"),
        ({"model": "missing.py:make"}, ModelError, "missing.py"),
        ({"model": lambda: None}, ModelError, "NoneType"),
        ({"hidden": (8, 0)}, PlanError, "0"),
        ({"batch_size": -4}, PlanError, "-4"),
        ({"target": "price"}, DataError, "price"),
        ({"device": "tpu"}, DeviceError, "tpu"),
    ],
)
def test_bad_input_is_named_with_a_fix(arguments, error, word):
    iris = load_iris()
    table = pd.DataFrame(iris.data, columns=list("abcd")).assign(kind=iris.target_names[iris.target])
    arguments = {"target": "kind", "max_trainings": 4, "num_seeds": 2, "epochs": 1} | arguments
    with pytest.raises(error) as caught:
        fit(table, **arguments)
    assert word in caught.value.message
    assert caught.value.fix


def test_a_network_of_the_users_own_is_treated():
    from torch import nn

    def make(inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, 16), nn.Sigmoid(), nn.Linear(16, outputs))

    features, target = load_iris(return_X_y=True)
    fitted = fit(features, target, model=make, max_trainings=8, num_seeds=2, epochs=10)
    assert fitted.run.test is not None
    assert len(fitted.predict(features)) == 150


def test_images_get_a_convolutional_network():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 80, (120, 8, 8), dtype=np.uint8)
    target = np.arange(120) % 2
    images[target == 1, 2:6, 2:6] += 150
    run = fit(images, target, max_trainings=4, num_seeds=2, epochs=3).run
    assert run.test.score.value > 0.6
    assert "conv" in dict(run.plan)["network"]


def test_a_prescription_is_all_that_is_tried_and_must_prove_itself_again():
    prescription = Prescription(steps=(("relu", 0.0), ("adam", 5e-3), ("dropout", 0.5)))
    wanted = Wanted(
        network=MLP(widths=(16,) * 6, activation="sigmoid"),
        rule="gradient-descent",
        lr=0.1,
        loss="squared",
        epochs=6,
        batch_size=64,
    )
    split = digits_split(0)
    case = Case(
        split=split,
        budget=Budget(max_trainings=100),
        journal=Journal(listener=silence),
        prescription=prescription,
    )
    run = run_recipe(plan_as_it_is(wanted, split), case, num_seeds=3).run
    assert run.verdicts[0].steps == (("relu", 0.0), ("adam", 5e-3))
    assert run.verdicts[0].outcome == "helped"
    assert run.verdicts[0].kept
    assert {verdict.remedy for verdict in run.verdicts} <= {"prescribed-training", "prescribed-testing"}
    assert dict(run.treated_plan)["rule"] == "adam"


def test_a_prescription_that_cannot_be_read_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(PlanError, match="absent"):
        fit(*load_iris(return_X_y=True), prescription=tmp_path / "absent.json")
