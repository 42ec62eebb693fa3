"""Columns are typed by what they hold."""

import numpy as np
import pandas as pd
import pytest

from goodfit.data.columns import MISSING_LEVEL, Column, describe
from goodfit.data.synthetic import mixed_table


def kind(values: object, name: str = "x") -> str:
    return describe(pd.Series(values, name=name)).kind


def test_a_column_of_every_kind_is_recognised():
    kinds = {name: describe(column).kind for name, column in mixed_table(400).drop(columns="target").items()}
    assert kinds == {
        "id": "identifier",
        "age": "number",
        "income": "number",
        "city": "category",
        "colour": "category",
        "member": "boolean",
        "joined": "date-time",
        "comment": "text",
        "country": "constant",
    }


def test_a_few_odd_cells_do_not_make_a_number_a_category():
    column = describe(
        pd.Series([str(number) for number in range(99)] + ["broken"], name="x").sample(frac=1, random_state=0)
    )
    assert column.kind == "number"
    assert "'broken'" in column.note


def test_many_odd_cells_make_a_category():
    assert kind(["1", "2", "red"] * 30) == "category"


def test_ranges_are_no_dates():
    assert kind(["30-39", "40-49", "0-2"] * 20) == "category"


@pytest.mark.parametrize(
    "text",
    [
        ["2020-01-05", "2020-02-06"],
        ["5/1/2020", "6/2/2020"],
        ["3 May 2021", "4 June 2021"],
        ["2020-01-05 10:00"] * 2,
    ],
)
def test_dates_in_text_are_dates_or_constant(text: list[str]):
    assert kind(text * 20) == ("date-time" if len(set(text)) > 1 else "constant")


def test_a_day_over_twelve_says_that_the_day_is_first():
    assert describe(pd.Series(["25/12/2020", "1/2/2020"] * 10, name="x")).day_first
    assert not describe(pd.Series(["12/25/2020", "1/2/2020"] * 10, name="x")).day_first


def test_row_counters_and_columns_called_id_are_identifiers():
    random = np.random.default_rng(0)
    shuffled = random.permutation(10_000)[:200]
    assert kind(np.arange(200) * 7 + 3) == "identifier"
    assert kind(shuffled, "PassengerId") == "identifier"
    assert kind(shuffled, "user_id") == "identifier"
    assert kind(shuffled, "humid") == "number"
    assert kind(np.sort(random.normal(size=200))) == "number"


def test_a_counter_is_recognised_by_its_training_rows_alone():
    rows = np.sort(np.random.default_rng(0).choice(1000, 300, replace=False))
    assert kind(pd.Series(np.arange(1000)).iloc[rows]) == "identifier"


def test_of_an_identifier_that_is_often_missing_its_presence_is_kept():
    cabins = [f"C{number}" if number % 4 == 0 else None for number in range(200)]
    column = describe(pd.Series(cabins, name="cabin"))
    assert column.kind == "presence"
    assert not column.is_dropped


def test_long_text_is_dropped_even_if_it_repeats():
    texts = [f"this is a rather long remark number {number % 150}" for number in range(600)]
    assert kind(texts) == "text"


def test_levels_of_small_categories_are_all_kept_and_of_large_ones_the_common():
    small = describe(pd.Series(["a"] * 20 + ["b"], name="x"))
    assert small.categories == ("a", "b")
    large = describe(pd.Series([f"level {n}" for n in range(20) for _ in range(1 + (n > 3) * 4)], name="x"))
    assert len(large.categories) == 16
    assert large.is_embedded
    assert "4 levels" in large.note


def test_missing_is_a_level_when_training_has_it():
    assert MISSING_LEVEL in describe(pd.Series(["a", "b", None] * 10, name="x")).categories
    assert MISSING_LEVEL not in describe(pd.Series(["a", "b"] * 10, name="x")).categories


def test_a_constant_with_gaps_tells_where_the_gaps_are():
    assert kind([5.0, np.nan] * 20) == "presence"
    assert kind([5.0] * 40) == "constant"
    assert kind([np.nan] * 40) == "constant"
    assert kind([None] * 40) == "constant"
    assert kind([np.inf] * 40) == "constant"


def test_large_close_numbers_keep_their_differences():
    column = describe(pd.Series(1.7e9 + np.random.default_rng(0).permutation(400), name="clock"))
    assert column.origin > 1e9


def test_a_column_survives_json():
    column = describe(mixed_table(200)["city"])
    assert Column.from_dict(column.to_dict()) == column
