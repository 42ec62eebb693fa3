"""Rows are divided once, into parts that do not touch."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodfit.data.splits import Division, divide, order_of
from goodfit.errors import DataError


def parts(division: Division) -> list[np.ndarray]:
    return [division.train, division.validation, division.test]


@settings(deadline=None)
@given(st.integers(20, 300), st.integers(0, 2**40), st.lists(st.floats(0.05, 1), min_size=3, max_size=3))
def test_every_row_is_in_one_part(num_rows: int, seed: int, weights: list[float]):
    shares = tuple(np.array(weights) / sum(weights))
    division = divide(num_rows, shares=shares, seed=seed)
    assert sorted(np.concatenate(parts(division)).tolist()) == list(range(num_rows))
    assert all((np.diff(part) > 0).all() for part in parts(division))
    assert all(len(part) for part in parts(division))


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=20, max_size=200), st.integers(0, 99))
def test_classes_of_any_size_never_stop_a_split(codes: list[int], seed: int):
    division = divide(len(codes), classes=np.array(codes), seed=seed)
    assert sorted(np.concatenate(parts(division)).tolist()) == list(range(len(codes)))


def test_default_shares_are_sixty_twenty_twenty_of_every_class():
    classes = np.repeat([0, 1], [900, 100])
    for part, share in zip(parts(divide(1000, classes=classes)), (0.6, 0.2, 0.2), strict=True):
        assert np.bincount(classes[part]).tolist() == [900 * share, 100 * share]


def test_rare_classes_are_trained_on_and_said():
    classes = np.array([0] * 50 + [1] * 50 + [2, 3, 3])
    division = divide(len(classes), classes=classes)
    assert {100, 101, 102} <= set(division.train.tolist())
    assert division.notes == ("2 classes with fewer than 5 rows are in training only",)


def test_a_group_stays_together():
    group = np.repeat(np.arange(40), 5)
    held = [set(group[part].tolist()) for part in parts(divide(200, group=group))]
    assert sum(map(len, held)) == len(set.union(*held))
    assert [len(groups) for groups in held] == [24, 8, 8]


def test_the_newest_rows_are_the_test():
    time = np.random.default_rng(0).permutation(100)
    train, validation, test = (time[part] for part in parts(divide(100, time=time)))
    assert train.max() < validation.min() <= validation.max() < test.min()


def test_the_seed_decides():
    first, again, other = (divide(100, seed=seed).test.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_part_with_share_zero_is_empty():
    division = divide(100, shares=(0.8, 0.2, 0.0))
    assert [len(part) for part in parts(division)] == [80, 20, 0]


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1), (0.8, 0.2)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[float, ...]):
    with pytest.raises(DataError, match="shares are"):
        divide(100, shares=shares)


def test_group_and_time_exclude_each_other():
    with pytest.raises(DataError, match="both group and time"):
        divide(100, group=np.arange(100), time=np.arange(100))


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match="1 group"):
        divide(100, group=np.repeat([0, 1], 50))


def test_times_sort_as_times_whatever_their_type():
    dates = pd.Series(["2020-10-01", "2020-9-1", "2019-12-31"])
    assert order_of(dates, name="when").tolist() == [3, 2, 1]
    assert order_of(pd.to_datetime(dates, format="mixed"), name="when").tolist() == [3, 2, 1]
    assert order_of(np.array(["10", "9"]), name="when").tolist() == [2, 1]
    with pytest.raises(DataError, match="no readable time in row 2"):
        order_of(["2020-01-01", None], name="when")
