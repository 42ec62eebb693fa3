"""Targets go in and come back as the user wrote them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodfit.data.task import Task, define, is_missing, kind_of
from goodfit.errors import DataError


def classes(labels: list[object]) -> Task:
    return define(pd.Series(labels * 5, name="y"), kind="classes")


@given(
    st.one_of(
        st.lists(st.text("abcdefgXYZ+-_", min_size=1), min_size=2, unique=True),
        st.lists(st.integers(-(10**6), 10**6), min_size=2, unique=True),
        st.just([False, True]),
    )
)
def test_labels_of_any_type_come_back(labels: list[object]):
    task = Task.from_dict(json.loads(json.dumps(classes(labels).to_dict())))
    decoded = task.decode(task.encode(labels)).tolist()
    assert decoded == labels
    assert [type(label) for label in decoded] == [type(label) for label in labels]


def test_whole_floats_are_whole_labels():
    task = classes([1.0, 2.0])
    assert task.labels == (1, 2)
    assert task.encode([2.0, 1]).tolist() == [1, 0]
    assert task.encode(["2", "1.0"]).tolist() == [1, 0]


def test_the_order_of_labels_does_not_depend_on_the_rows():
    assert classes(["b", "a", "c"]).labels == classes(["c", "b", "a"]).labels == ("a", "b", "c")
    assert classes([10, 9, 2]).labels == (2, 9, 10)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2).filter(lambda values: np.ptp(values) > 1e-3))
def test_numbers_come_back_in_the_users_units(values: list[float]):
    task = define(pd.Series(values, name="y"), kind="numbers")
    np.testing.assert_allclose(
        task.decode(task.encode(values)), values, rtol=1e-4, atol=1e-3 * np.ptp(values)
    )


def test_numbers_are_standardised_by_training_rows_alone():
    values = pd.Series([1.0, 2.0, 3.0, 1000.0], name="y")
    task = define(values, np.array([0, 1, 2]), kind="numbers")
    assert (task.center, task.low, task.high) == (2.0, 1.0, 3.0)
    assert task.scale == pytest.approx(np.std([1, 2, 3]))


def test_heavy_tails_are_seen():
    random = np.random.default_rng(0)
    assert define(pd.Series(np.exp(2 * random.normal(size=500)), name="y"), kind="numbers").heavy_tailed
    assert not define(pd.Series(random.normal(size=500), name="y"), kind="numbers").heavy_tailed


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"] * 20, "classes"),
        ([True, False] * 20, "classes"),
        ([1.0, 2.0] * 20, "classes"),
        ([3, 4, 5, 6, 7, 8] * 20, "classes"),
        ([0.5, 1.5] * 20, "numbers"),
        (list(range(40)), "numbers"),
        (["1.5", "2.5", "3"] * 20, "numbers"),
        (["1", "2"] * 20, "classes"),
    ],
)
def test_the_kind_is_decided_by_content(values: list[object], kind: str):
    assert kind_of(pd.Series(values)) == kind


def test_a_dash_and_none_are_classes_but_empty_is_missing():
    series = pd.Series(["+", "-", "none", "", "?", None, "NaN"])
    assert is_missing(series).tolist() == [False] * 3 + [True] * 4
    assert is_missing(pd.Series([1.0, np.nan, np.inf])).tolist() == [False, True, True]


def test_metric_and_outputs_follow_from_the_kind():
    assert (classes(["a", "b", "c"]).metric, classes(["a", "b", "c"]).num_outputs) == ("accuracy", 3)
    numbers = define(pd.Series([1.5, 2.5], name="y"))
    assert (numbers.metric, numbers.num_outputs) == ("r2", 1)


@pytest.mark.parametrize(
    ("values", "kind", "said", "fix"),
    [
        (["a"] * 30, None, "is 'a' in every row", "changes"),
        ([3.5] * 30, None, "3.5 in every row", "changes"),
        ([f"row {n}" for n in range(30)], None, "30 classes in 1 row a class", "repeat"),
        (list(range(30)), "classes", "30 classes in 1 row a class", 'task="numbers"'),
        (list(range(10_000)) * 3, "classes", "10000 classes", 'task="numbers"'),
        (["1.5", "two"] * 20, "numbers", "'two', which is not a number", 'task="classes"'),
        ([1.5, 2.5] * 20, "regression", "task is 'regression'", "numbers"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_said(values: list[object], kind: object, said: str, fix: str):
    with pytest.raises(DataError) as caught:
        define(pd.Series(values, name="y"), kind=kind)
    assert said in caught.value.message
    assert fix in caught.value.fix


def test_a_label_that_training_lacks_is_refused():
    with pytest.raises(DataError, match="'z', which is none of its 2 classes"):
        classes(["a", "b"]).encode(["a", "z"])
