"""Cells say the same whatever type the column has."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodfit.data import cells
from goodfit.errors import DataError


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_is_one_word_in_every_type(number: int):
    assert {
        cells.word(number),
        cells.word(float(number)),
        cells.word(f" {number} "),
        cells.word(f"{number}.0"),
    } == {str(number)}


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1))
def test_numbers_in_text_are_the_numbers(values: list[float | None]):
    text = pd.Series([None if value is None else repr(value) for value in values], dtype=object)
    read, is_odd = cells.numbers(text)
    np.testing.assert_array_equal(read, np.array(values, dtype=float))
    assert not is_odd.any()


def test_signs_around_numbers_are_understood():
    read, is_odd = cells.numbers(pd.Series(["$1,234.50", "12 %", "-3", "€7", "1e3", " 5 ", "+2"]))
    assert read.tolist() == [1234.5, 12, -3, 7, 1000, 5, 2]
    assert not is_odd.any()


def test_words_for_nothing_are_missing_numbers_and_other_words_are_odd():
    read, is_odd = cells.numbers(pd.Series(["?", "NA", "none", "-", "", None, "abc", "3 apples"]))
    assert np.isnan(read).all()
    assert is_odd.tolist() == [False] * 6 + [True, True]


def test_infinite_and_unstorable_numbers_are_missing():
    read, is_odd = cells.numbers(pd.Series([np.inf, -np.inf, 1e300, 2.0]))
    assert np.isnan(read[:3]).all()
    assert read[3] == 2
    assert not is_odd.any()
    assert np.isnan(cells.numbers(pd.Series(["inf", "1e400"]))[0]).all()


def test_yes_and_no_are_one_and_zero_in_any_writing():
    read, is_odd = cells.switches(
        pd.Series(["yes", "No", "TRUE", "f", True, 0, 1.0, None, "perhaps"], dtype=object)
    )
    np.testing.assert_array_equal(read[:8], [1, 0, 1, 0, 1, 0, 1, np.nan])
    assert is_odd.tolist() == [False] * 8 + [True]


def test_times_agree_in_text_and_in_type():
    moments = pd.Series(pd.to_datetime(["2020-02-29", None, "2021-12-31 23:59"], format="mixed"))
    typed, _ = cells.times(moments)
    text, is_odd = cells.times(pd.Series(["2020-02-29", None, "2021-12-31T23:59"]))
    assert typed.equals(text.as_unit(typed.unit))
    assert not is_odd.any()


def test_times_with_a_zone_become_utc():
    read, _ = cells.times(pd.Series(["2020-01-01T01:00:00+02:00"]))
    assert read[0] == pd.Timestamp("2019-12-31 23:00")


def test_a_word_that_is_no_time_is_odd():
    _, is_odd = cells.times(pd.Series(["2020-01-01", "yesterday", "?"]))
    assert is_odd.tolist() == [False, True, False]


def test_a_refusal_names_column_value_and_row():
    series = pd.Series([1, "two"], name="age", dtype=object)
    with pytest.raises(DataError, match="column 'age' held a number in training, and 'two' in row 2"):
        cells.refuse_odd(series, cells.numbers(series)[1], holds="a number")


def test_cells_without_a_hash_are_read_as_text():
    places, uniques = cells.words(pd.Series([[1], [1], {"a": 2}]))
    assert places.tolist() == [0, 0, 1]
    assert uniques == ["[1]", "{'a': 2}"]
