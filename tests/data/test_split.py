"""A Split hands out rows, and test rows only by breaking the seal."""

import numpy as np
import pytest
import torch

from goodfit.data.sources import load
from goodfit.data.split import Rows, Split
from goodfit.data.synthetic import digits_split, mixed_table
from goodfit.errors import DataError


@pytest.fixture
def split() -> Split:
    return load(mixed_table(300))


def test_rows_have_the_promised_types(split: Split):
    for part, length in (("train", 180), ("validation", 60)):
        rows = split.rows(part)
        assert isinstance(rows, Rows)
        assert (len(rows), len(rows.x), len(rows.codes_NC)) == (length,) * 3
        assert (rows.x.dtype, rows.codes_NC.dtype, rows.y_N.dtype) == (
            torch.float32,
            torch.int64,
            torch.int64,
        )
        assert rows.x.shape[1:] == split.input_shape()
        assert rows.codes_NC.shape[1] == len(split.cardinalities)


def test_targets_of_numbers_are_standardised_on_training_rows():
    table = mixed_table(300)
    split = load(table.drop(columns="target"), target="income")
    assert split.task.kind == "numbers"
    y_N = split.rows("train").y_N
    assert y_N.dtype == torch.float32
    assert abs(float(y_N.mean())) < 1e-5
    assert float(y_N.std(unbiased=False)) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(
        split.task.decode(y_N), table["income"].to_numpy()[split.train_index], rtol=1e-3, atol=1
    )


def test_a_view_is_made_once(split: Split):
    assert split.rows("train") is split.rows("train")
    assert split.rows("train", "raw") is not split.rows("train")


def test_every_opening_of_the_test_is_counted(split: Split):
    split.rows("train")
    split.rows("validation", "expanded")
    assert split.openings == 0
    assert len(split.open_test()["scaled"]) == 60
    assert set(split.open_test("raw", "expanded")) == {"raw", "expanded"}
    assert split.openings == 2


def test_test_rows_are_not_a_part_to_ask_for(split: Split):
    with pytest.raises(DataError, match="part is 'test'"):
        split.rows("test")
    assert split.openings == 0


def test_an_unknown_view_does_not_count_as_an_opening(split: Split):
    with pytest.raises(DataError, match="inputs is 'cooked'"):
        split.open_test("cooked")
    assert split.openings == 0


def test_a_split_cannot_be_changed(split: Split):
    with pytest.raises(AttributeError):
        split.seed = 3


def test_class_counts_are_those_of_training_rows(split: Split):
    assert sum(count for _, count in split.class_counts()) == 180
    assert [label for label, _ in split.class_counts()] == ["no", "yes"]


def test_the_same_seed_gives_the_same_rows():
    first, again, other = (digits_split(seed).rows("train") for seed in (3, 3, 4))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.y_N, other.y_N)
