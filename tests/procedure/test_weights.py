"""Weights of rows through the whole procedure, to the sealed test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from torch import nn

from goodfit.data.sources import load
from goodfit.errors import DataError, PlanError
from goodfit.evidence.arms import train_arms
from goodfit.evidence.references import references
from goodfit.procedure.fit import fit
from goodfit.procedure.start import Wanted, plan_as_it_is

QUICK = {"max_trainings": 4, "num_seeds": 2, "epochs": 15}


def contested(num_rows=400):
    """Every place is claimed by two classes; class 1 has a fifth of the rows, and nothing tells which."""
    random = np.random.default_rng(0)
    x_ND = random.normal(size=(num_rows, 3))
    return x_ND, (random.random(num_rows) < 0.2).astype(int)


def test_weights_move_the_decision():
    x_ND, y_N = contested()
    plain = fit(x_ND, y_N, **QUICK).predict(x_ND)["prediction"]
    heavy = fit(x_ND, y_N, sample_weight=np.where(y_N == 1, 40.0, 1.0), **QUICK).predict(x_ND)["prediction"]
    assert (plain == 0).mean() > 0.9
    assert (heavy == 1).mean() > 0.9


def test_equal_weights_are_no_weights_bit_for_bit():
    x_ND, y_N = contested(200)
    plain, equal = (fit(x_ND, y_N, sample_weight=w, **QUICK) for w in (None, np.full(200, 0.3)))
    assert plain.run.test == equal.run.test
    assert plain.run.data == equal.run.data
    np.testing.assert_array_equal(
        plain.predict(x_ND)["probability_1"].to_numpy(), equal.predict(x_ND)["probability_1"].to_numpy()
    )


def learnable(num_rows, *, numbers):
    random = np.random.default_rng(1)
    x_ND = random.normal(size=(num_rows, 3))
    value_N = x_ND[:, 0] + x_ND[:, 1] ** 2 + 0.7 * random.normal(size=num_rows)
    return x_ND, value_N if numbers else (value_N > 1).astype(int), random.gamma(0.5, size=num_rows) + 1e-3


@pytest.mark.parametrize("numbers", [False, True], ids=["classes", "numbers"])
def test_the_sealed_test_is_that_of_scikit_learn(numbers):
    x_ND, y_N, weight_N = learnable(300, numbers=numbers)
    fitted = fit(x_ND, y_N, sample_weight=weight_N, **QUICK)
    sealed = load(x_ND, y_N).test_index  # weights do not move rows between parts
    truth_N, kwargs = y_N[sealed], {"sample_weight": weight_N[sealed]}
    predicted = fitted.predict(x_ND[sealed])
    said_N, test, others = predicted["prediction"].to_numpy(), fitted.run.test, dict(fitted.run.test.others)
    assert fitted.run.data.is_weighted
    if numbers:
        assert test.score.value == pytest.approx(r2_score(truth_N, said_N, **kwargs), rel=1e-4)
        rmse, mae = root_mean_squared_error, mean_absolute_error
        assert others["root mean squared error"] == pytest.approx(rmse(truth_N, said_N, **kwargs), rel=1e-4)
        assert others["mean absolute error"] == pytest.approx(mae(truth_N, said_N, **kwargs), rel=1e-4)
    else:
        assert test.score.value == pytest.approx(accuracy_score(truth_N, said_N, **kwargs), abs=1e-5)
        shares = predicted[["probability_0", "probability_1"]].to_numpy()
        balanced = balanced_accuracy_score(truth_N, said_N, **kwargs)
        assert others["balanced accuracy"] == pytest.approx(balanced)
        assert others["log loss"] == pytest.approx(log_loss(truth_N, shares, **kwargs), rel=1e-4)
    assert test.score.low < test.score.value < test.score.high


@pytest.mark.parametrize("numbers", [False, True], ids=["classes", "numbers"])
def test_references_are_scored_by_weight(numbers):
    split = load(*learnable(300, numbers=numbers)[:2], sample_weight=learnable(300, numbers=numbers)[2])
    rows = split.rows("validation")
    metric = r2_score if numbers else accuracy_score
    for reference in references(split):
        wanted = metric(rows.y_N.numpy(), reference.predict(rows), sample_weight=rows.weight_N.numpy())
        assert reference.record.validation_score == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert reference.validation_scores_N.mean() == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert reference.score(rows) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_the_majority_is_that_of_the_weights():
    x_ND, y_N = contested()
    split = load(x_ND, y_N, sample_weight=np.where(y_N == 1, 40.0, 1.0))
    majority = references(split)[0]
    assert set(majority.predict(split.rows("validation"))) == {1}
    assert majority.record.train_score > 0.85


@pytest.mark.parametrize("numbers", [False, True], ids=["classes", "numbers"])
def test_votes_are_scored_by_weight(numbers):
    x_ND, y_N, weight_N = learnable(200, numbers=numbers)
    split = load(x_ND, y_N, sample_weight=weight_N)
    plan = dataclasses.replace(plan_as_it_is(Wanted(hidden=(8,), epochs=8), split))
    (arm,) = train_arms([("as it is", plan)], split, seeds=range(3))
    for question, rows, predicted in (
        ("testing", split.rows("validation"), [m.predicted_NO for m in arm.members]),
        ("training", split.rows("train"), [m.predicted_train_NO for m in arm.members]),
    ):
        vote_NO = (predicted[1] + predicted[2]) / 2
        counted = {"sample_weight": rows.weight_N.numpy()}
        wanted = (
            r2_score(rows.y_N.numpy(), vote_NO[:, 0], **counted)
            if numbers
            else accuracy_score(rows.y_N.numpy(), vote_NO.argmax(1), **counted)
        )
        assert arm.ensemble_scores_SN(question, split)[0].mean() == pytest.approx(wanted, abs=1e-4)


def test_what_knows_no_weights_is_refused():
    x_ND, y_N = contested(60)
    weight_N = 1.0 + np.arange(60)
    with pytest.raises(PlanError, match="the metric f1 knows no weights") as refused:
        fit(x_ND, y_N, metric="f1", sample_weight=weight_N, **QUICK)
    assert "accuracy" in refused.value.fix
    with pytest.raises(DataError, match="a loss of your own"):
        fit(
            torch.tensor(x_ND, dtype=torch.float32),
            torch.tensor(y_N),
            model=lambda: nn.Linear(3, 2),
            loss=nn.CrossEntropyLoss(),
            sample_weight=weight_N,
        )
    with pytest.raises(DataError, match="-1 in row 1"):
        fit(x_ND, y_N, sample_weight=-weight_N, **QUICK)
