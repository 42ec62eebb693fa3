"""Copies and weights are one thing, in whatever order and of whatever type rows come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from goodfit.errors import DataError
from goodfit.interop.canonical import Weighted, canonical, counted


def table(num_rows=30):
    """Cells of every type, some missing; the last column alone tells all rows apart."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "few": random.integers(0, 2, num_rows),
            "gaps": np.where(random.random(num_rows) < 0.5, np.nan, 1.5),
            "word": random.choice(["a", "b", None], num_rows),
            "kind": pd.Categorical(random.choice(["x", "y"], num_rows), categories=["y", "x", "z"]),
            "mixed": random.choice(np.array([1, "1", None, True], dtype=object), num_rows),
            "odd": [{"at": place % 2} for place in range(num_rows)],
            "since": pd.date_range("2020", periods=num_rows).where(random.random(num_rows) < 0.8),
            "own": random.permutation(num_rows),
        }
    )


def frame(rows):
    beside = rows.inputs.assign(target=rows.targets_N)
    return beside if rows.weight_N is None else beside.assign(weight=rows.weight_N)


@pytest.mark.parametrize("seed", range(3))
def test_copies_and_weights_become_the_same_rows_in_the_same_order(seed):
    random, X = np.random.default_rng(seed), table()
    y, weights = random.integers(0, 3, 30), random.integers(0, 4, 30)
    copies = X.loc[X.index.repeat(weights)]
    order = random.permutation(len(copies))
    other = random.permutation(30)
    of_copies = canonical(counted(copies.iloc[order], y.repeat(weights)[order], None), seed=1)
    of_weights = canonical(counted(X.iloc[other], y[other], weights[other]), seed=1)
    pd.testing.assert_frame_equal(frame(of_copies), frame(of_weights))
    assert len(of_weights) == (weights > 0).sum()
    assert of_weights.weight_N.sum() == weights.sum()


def test_a_weight_stays_with_its_row():
    X = table()
    merged = canonical(counted(X, np.zeros(30), np.arange(30) + 0.5), seed=0)
    by_row = dict(zip(merged.inputs["own"], merged.weight_N, strict=True))
    assert by_row == dict(zip(X["own"], np.arange(30) + 0.5, strict=True))


def test_rows_that_differ_and_count_once_stay_as_they_are():
    X, y = table(), np.arange(30.0)
    for weights in (None, np.ones(30)):
        rows = counted(X, y, weights)
        assert canonical(rows, seed=0) is rows
        assert rows.inputs is X


def test_the_order_tells_nothing_of_the_values():
    rows = Weighted(inputs=pd.DataFrame({"x": np.arange(200.0)}), targets_N=np.arange(200.0))
    weighed = canonical(
        Weighted(inputs=rows.inputs, targets_N=rows.targets_N, weight_N=np.full(200, 2.0)), seed=0
    )
    neighbours = np.corrcoef(weighed.targets_N[1:], weighed.targets_N[:-1])[0, 1]
    assert abs(neighbours) < 0.25


def test_equal_inputs_of_several_targets_are_not_merged():
    rows = Weighted(
        inputs=pd.DataFrame({"x": [1, 1, 1, 2, 3, 4, 5, 6]}), targets_N=np.array([0, 1, 1] + [0] * 5)
    )
    merged = canonical(rows, seed=0)
    found = frame(merged).sort_values(["x", "target"])
    assert found["weight"].tolist() == [1, 2, 1, 1, 1, 1, 1]


def test_a_table_of_a_few_categories_keeps_its_copies():
    """There each target comes with each input; how often is all there is to learn."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.integers(0, 2, 500), "b": random.choice(["u", "v"], 500)})
    y = random.integers(0, 2, 500)
    kept = canonical(counted(X, y, None), seed=0)
    assert len(kept) == 500
    assert kept.weight_N is None
    assert frame(kept).value_counts().to_dict() == X.assign(target=y).value_counts().to_dict()
    counts = X.assign(target=y).value_counts().reset_index()
    of_weights = canonical(counted(counts[["a", "b"]], counts["target"].to_numpy(), counts["count"]), seed=0)
    pd.testing.assert_frame_equal(frame(of_weights), frame(kept))
    halves = canonical(
        counted(counts[["a", "b"]], counts["target"].to_numpy(), counts["count"] / 2 + 0.1), seed=0
    )
    assert len(halves) == len(counts) == 8


def test_bad_weights_are_refused_and_good_ones_not_touched():
    with pytest.raises(DataError, match="-1 in row 1"):
        counted(table(), np.zeros(30), -np.ones(30))
    weights = np.arange(30.0)
    canonical(counted(table(), np.zeros(30), weights), seed=0)
    np.testing.assert_array_equal(weights, np.arange(30.0))


def test_a_table_of_words_keeps_its_copies_though_each_word_has_one_target():
    """Merged, a word would come once, and be taken for an identifier."""
    city = np.random.default_rng(0).integers(0, 50, 400)
    X = pd.DataFrame({"city": [f"city {number}" for number in city]})
    assert len(canonical(counted(X, city % 2, None), seed=0)) == 400
    merged = canonical(counted(X.assign(size=city / 7), city % 2, None), seed=0)
    assert len(merged) == len(np.unique(city))
