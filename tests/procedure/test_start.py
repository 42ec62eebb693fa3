"""The plan to start from, for those who bring none and for those who bring a part of one."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_classification

from goodfit.data.sources import load
from goodfit.nets.mlp import MLP
from goodfit.procedure.start import FEW_ROWS, Wanted, plan_as_it_is


def table(num_rows):
    x_ND, y_N = make_classification(num_rows, 6, random_state=0)
    frame = pd.DataFrame(x_ND, columns=[f"c{place}" for place in range(6)]).assign(target=y_N)
    return load(frame, target="target")


@pytest.fixture(scope="module")
def few():
    return load(load_iris(as_frame=True).frame, target="target")


def test_few_rows_of_classes_start_with_few_large_steps(few):
    plan = plan_as_it_is(Wanted(), few)
    assert len(few.train_index) < FEW_ROWS
    assert plan.network == MLP(widths=(128,), initialisation="xavier")
    assert (plan.batch_size, plan.epochs, plan.rule.lr, plan.patience) == (128, 200, 1e-3, None)
    assert plan.ensemble


def test_more_rows_start_with_small_steps_and_early_stopping():
    split = table(2 * FEW_ROWS)
    plan = plan_as_it_is(Wanted(), split)
    assert len(split.train_index) >= FEW_ROWS
    assert plan.network.widths == (128, 128)
    assert plan.batch_size < 128
    assert plan.patience


def test_few_rows_of_numbers_keep_the_basis():
    split = load(load_diabetes(as_frame=True).frame.head(300), target="target")
    plan = plan_as_it_is(Wanted(), split)
    assert len(split.train_index) < FEW_ROWS
    assert (plan.inputs, plan.network.widths) == ("expanded", (128, 128))


def test_a_number_of_epochs_of_ones_own_keeps_the_usual_steps(few):
    plan = plan_as_it_is(Wanted(epochs=5), few)
    assert (plan.epochs, plan.network.widths, plan.batch_size) == (5, (128, 128), 16)


def test_who_says_anything_of_the_network_gets_nothing_else_in_secret(few):
    plan = plan_as_it_is(Wanted(hidden=(8,), rule="gradient-descent"), few)
    assert plan.network == MLP(widths=(8,))
    assert (plan.patience, plan.ensemble, plan.schedule.name, plan.inputs) == (
        None,
        False,
        "constant",
        "scaled",
    )
