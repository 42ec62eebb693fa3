"""Weights are read with care, and stay with their rows on every way through the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from goodfit.data.sources import load
from goodfit.data.weights import checked_weights, relative
from goodfit.errors import DataError


@pytest.fixture
def rows():
    """Forty rows; the only input tells which row it is."""
    x_ND = np.arange(40.0)[:, None] + 0.25  # whole numbers would be taken for an identifier
    return x_ND, np.arange(40) % 2, 1.0 + np.arange(40)


def weight_by_row(split):
    """Weight of every row of the three parts, by the number that its input tells."""
    found = {}
    for part in (split.rows("train", "raw"), split.rows("validation", "raw"), split.open_test("raw")["raw"]):
        found |= {int(x): w for x, w in zip(part.x[:, 0].tolist(), part.weight_N.tolist(), strict=True)}
    return found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([1.0, -2.0, 1.0], "-2 in row 2"),
        ([1.0, 1.0, float("nan")], "nan in row 3"),
        ([float("inf"), 1.0, 1.0], "inf in row 1"),
        ([0, 0, 0], "zero in every row"),
        ([1, 2], r"shape \(2,\), there are 3 rows"),
        (np.ones((3, 2)), r"shape \(3, 2\)"),
        (2.0, r"shape \(\)"),
        ("w", "'w', which is no array of numbers"),
        (["a", "b", "c"], "no array of numbers"),
        ([[1], [2, 3], [4]], "no array of numbers"),
    ],
)
def test_weights_that_are_none_are_refused_with_the_value_and_a_way_out(said, words):
    with pytest.raises(DataError, match=words) as refused:
        checked_weights(said, num_rows=3)
    assert refused.value.fix


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, torch.tensor])
def test_anything_that_becomes_an_array_is_read_and_stays_as_it_is(kind):
    said = kind([0.5, 0.0, 3.0])
    found = checked_weights(said, num_rows=3)
    found[0] = 7
    assert float(said[0]) == 0.5


def test_equal_weights_are_none():
    assert relative(np.full(5, 0.1 + 0.2)) is None
    np.testing.assert_allclose(relative(np.array([1.0, 2.0, 3.0])), [0.5, 1.0, 1.5])


def test_a_weight_stays_with_its_row(rows):
    x_ND, y_N, weight_N = rows
    split = load(x_ND, y_N, sample_weight=weight_N)
    assert split.is_weighted
    found = weight_by_row(split)
    assert found == {i: pytest.approx(weight_N[i] / weight_N.mean()) for i in range(40)}
    assert "rows count by sample_weight" in split.notes


def test_rows_without_weight_or_target_are_left_out_with_their_weights_group_and_time(rows):
    x_ND, y_N, weight_N = rows
    targets = y_N.astype(float)
    targets[[3, 4]], weight_N[[4, 7]] = np.nan, 0
    split = load(x_ND, targets, sample_weight=weight_N, group=np.arange(40) // 2, task="classes")
    found = weight_by_row(split)
    assert set(found) == set(range(40)) - {3, 4, 7}
    assert found[39] / found[0] == pytest.approx(40)
    assert {"2 rows without a target were left out", "1 rows of weight 0 were left out"} <= set(split.notes)
    newest = load(x_ND, targets, sample_weight=weight_N, time=np.arange(40), task="classes")
    assert newest.open_test("raw")["raw"].x.min() > 30


def test_rows_of_parts_that_the_user_brought_weigh_one_each(rows):
    x_ND, y_N, weight_N = rows
    split = load(x_ND, y_N, sample_weight=weight_N, validation=(x_ND[:6] + 0.5, y_N[:6]))
    assert split.rows("validation").weight_N.tolist() == [1.0] * 6
    assert split.rows("train").weight_N.std() > 0


def test_without_weights_and_with_equal_ones_there_are_none(rows):
    x_ND, y_N, _ = rows
    plain, equal = load(x_ND, y_N), load(x_ND, y_N, sample_weight=np.full(40, 3.0))
    for split in (plain, equal):
        assert not split.is_weighted
        assert split.rows("train").weight_N is None
    assert equal.notes == plain.notes
    np.testing.assert_array_equal(equal.train_index, plain.train_index)


def test_a_loader_and_a_split_take_no_weights(rows):
    x_ND, y_N, weight_N = rows
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(x_ND), torch.tensor(y_N)), batch_size=8
    )
    for source in (loader, load(x_ND, y_N)):
        with pytest.raises(DataError, match="sample_weight is given with a") as refused:
            load(source, sample_weight=weight_N)
        assert "arrays" in refused.value.fix
