"""Preparation learns from training rows only, travels with the model, and takes any later table."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from goodfit.data.preparation import VIEWS, Preparation
from goodfit.data.synthetic import mixed_table
from goodfit.data.tables import read_chunks, read_table
from goodfit.errors import DataError, RunFolderError

TABLE = mixed_table(400).drop(columns="target")
TRAIN = np.sort(np.random.default_rng(1).permutation(400)[:240])
OTHERS = np.setdiff1d(np.arange(400), TRAIN)
FITTED = Preparation.fit(TABLE, TRAIN)


def assert_same(first: Preparation, second: Preparation, table: pd.DataFrame = TABLE):
    for inputs in VIEWS:
        for one, other in zip(
            first.transform(table, inputs=inputs), second.transform(table, inputs=inputs), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_rows_outside_training_change_nothing_that_is_learnt():
    changed = TABLE.copy()
    changed["income"] = changed["income"].mask(changed.index.isin(OTHERS), 1e12)
    changed["age"] = changed["age"].mask(changed.index.isin(OTHERS))
    changed["joined"] = changed["joined"].mask(changed.index.isin(OTHERS), pd.Timestamp("1900-01-01"))
    for name in ("city", "colour", "country", "comment"):
        changed[name] = changed[name].mask(changed.index.isin(OTHERS), "never seen")
    fitted = Preparation.fit(changed, TRAIN)
    assert fitted.columns == FITTED.columns
    assert fitted.numbers.to_dict() == FITTED.numbers.to_dict()
    assert_same(fitted, FITTED)


def test_training_rows_do_change_what_is_learnt():
    changed = TABLE.assign(age=TABLE["age"].mask(TABLE.index.isin(TRAIN[:50]), 200))
    assert Preparation.fit(changed, TRAIN).numbers.to_dict() != FITTED.numbers.to_dict()


@pytest.mark.parametrize("inputs", VIEWS)
def test_names_shapes_and_codes_agree(inputs: str):
    x_ND, codes_NC = FITTED.transform(TABLE, inputs=inputs)
    assert x_ND.shape == (400, len(FITTED.input_names(inputs))) == (400, *FITTED.input_shape(inputs))
    assert x_ND.dtype == np.float32
    assert len(set(FITTED.input_names(inputs))) == x_ND.shape[1]
    assert codes_NC is not None
    assert codes_NC.dtype == np.int64
    assert FITTED.cardinalities == (31,)
    assert codes_NC.max() < 31


def test_a_saved_preparation_gives_the_same_inputs(tmp_path: Path):
    FITTED.save(tmp_path)
    assert_same(Preparation.load(tmp_path), FITTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preparation.json", "preparation.skops"]


def test_images_are_prepared_and_saved_too(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4)).astype(np.uint8)
    fitted = Preparation.fit(pixels, np.arange(24))
    fitted.save(tmp_path)
    x, codes = Preparation.load(tmp_path).transform(pixels)
    np.testing.assert_allclose(x, pixels / 255, rtol=1e-6)
    assert codes is None
    assert fitted.input_shape() == (1, 4, 4)


@pytest.mark.parametrize("name", ["preparation.json", "preparation.skops"])
def test_a_damaged_preparation_is_refused(tmp_path: Path, name: str):
    FITTED.save(tmp_path)
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(RunFolderError, match="no readable preparation"):
        Preparation.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RunFolderError, match="no readable preparation"):
        Preparation.load(tmp_path)


def test_streamed_chunks_give_what_the_whole_file_gives(tmp_path: Path):
    TABLE.assign(zip=["007", "8", "9", "x"] * 100).to_csv(tmp_path / "a.csv", index=False)
    whole = read_table(tmp_path / "a.csv")
    fitted = Preparation.fit(whole, TRAIN)
    for inputs in VIEWS:
        chunks = [fitted.transform(chunk, inputs=inputs) for chunk in read_chunks(tmp_path / "a.csv", rows=7)]
        for place, expected in enumerate(fitted.transform(whole, inputs=inputs)):
            np.testing.assert_array_equal(np.concatenate([chunk[place] for chunk in chunks]), expected)


def test_one_row_is_prepared_as_among_many():
    many_ND, many_codes = FITTED.transform(TABLE)
    one_ND, one_code = FITTED.transform(TABLE.iloc[[17]])
    np.testing.assert_array_equal(one_ND[0], many_ND[17])
    np.testing.assert_array_equal(one_code[0], many_codes[17])


def test_reordered_and_further_columns_make_no_difference():
    shuffled = TABLE[list(TABLE.columns[::-1])].assign(extra=1, target="yes")
    np.testing.assert_array_equal(FITTED.transform(shuffled)[0], FITTED.transform(TABLE)[0])


def test_columns_that_were_dropped_need_not_come_again():
    np.testing.assert_array_equal(
        FITTED.transform(TABLE.drop(columns=["id", "comment", "country"]))[0], FITTED.transform(TABLE)[0]
    )


def test_the_same_cells_stored_as_text_give_the_same_inputs():
    text = (
        TABLE.astype(object).where(TABLE.notna(), None).map(lambda cell: None if cell is None else str(cell))
    )
    for one, other in zip(FITTED.transform(text), FITTED.transform(TABLE), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_gaps_anywhere_and_infinities_give_finite_inputs():
    empty = pd.DataFrame({name: [None] * 3 for name in TABLE.columns})
    broken = TABLE.head(3).assign(age=np.inf, income=[-np.inf, np.nan, 1e300])
    for table in (empty, broken):
        for inputs in VIEWS:
            x_ND, codes_NC = FITTED.transform(table, inputs=inputs)
            assert np.isfinite(x_ND).all()
            assert codes_NC.min() >= 0


def test_levels_that_training_lacks_are_all_zeros_and_code_zero():
    x_ND, codes_NC = FITTED.transform(TABLE.head(2).assign(city="Atlantis", colour="octarine"))
    colours = [place for place, name in enumerate(FITTED.input_names()) if name.startswith("colour")]
    assert len(colours) == 4  # blue, green, red, (missing)
    assert not x_ND[:, colours].any()
    assert not codes_NC.any()


def test_a_missing_column_is_named_with_its_closest():
    with pytest.raises(
        DataError, match="column 'income' is missing; the closest here is 'incomes'"
    ) as caught:
        FITTED.transform(TABLE.rename(columns={"income": "incomes"}))
    assert "rename 'incomes' to 'income'" in caught.value.fix


@pytest.mark.parametrize(("name", "cell"), [("age", "old"), ("joined", "long ago"), ("member", "perhaps")])
def test_a_retyped_column_is_named_with_its_first_offending_cell(name: str, cell: str):
    retyped = TABLE.astype({name: object})
    retyped.loc[5, name] = cell
    with pytest.raises(DataError, match=f"column '{name}' held .* and '{cell}' in row 6"):
        FITTED.transform(retyped)


def test_an_unnamed_array_of_the_right_width_is_taken_by_place():
    x_ND = np.random.default_rng(0).normal(size=(50, 3))
    fitted = Preparation.fit(pd.DataFrame(x_ND, columns=["a", "b", "c"]), np.arange(30))
    np.testing.assert_array_equal(
        fitted.transform(x_ND)[0], fitted.transform(pd.DataFrame(x_ND, columns=["a", "b", "c"]))[0]
    )
    with pytest.raises(DataError, match="column 'a' is missing"):
        fitted.transform(x_ND[:, :2])


def test_large_close_numbers_keep_their_differences():
    clock = 1.7e9 + np.random.default_rng(0).permutation(400) / 4
    fitted = Preparation.fit(pd.DataFrame({"clock": clock}), TRAIN)
    x_N = fitted.transform(pd.DataFrame({"clock": clock}))[0][:, 0]
    np.testing.assert_allclose(x_N, (clock - clock[TRAIN].mean()) / clock[TRAIN].std(), atol=1e-4)


def test_a_table_of_nothing_usable_is_refused():
    table = pd.DataFrame({"id": np.arange(40), "same": 1, "remark": [f"note {n} of many" for n in range(40)]})
    with pytest.raises(DataError, match="all 3 columns had to be dropped"):
        Preparation.fit(table, np.arange(24))


def test_a_table_of_categories_alone_needs_no_numbers(tmp_path: Path):
    table = pd.DataFrame({"a": ["x", "y"] * 20, "b": ["p", "q", "r", "s"] * 10})
    fitted = Preparation.fit(table, np.arange(24))
    fitted.save(tmp_path)
    x_ND, codes = Preparation.load(tmp_path).transform(table)
    assert codes is None
    np.testing.assert_array_equal(x_ND.sum(axis=1), 2)


def test_an_unknown_view_is_refused():
    with pytest.raises(DataError, match="inputs is 'cooked'"):
        FITTED.transform(TABLE, inputs="cooked")


def pixels(num_rows: int = 300) -> pd.DataFrame:
    drawn_ND = np.random.default_rng(0).integers(256, size=(num_rows, 40))
    return pd.DataFrame(drawn_ND, columns=[f"x{place}" for place in range(40)])


@pytest.mark.parametrize("inputs", VIEWS)
def test_whole_numbers_to_255_are_kept_as_bytes_and_give_the_same_inputs(inputs: str):
    frame = pixels()
    preparation = Preparation.fit(frame, np.arange(200))
    kept = preparation.cells(frame)
    assert kept.numbers_ND.dtype == np.uint8
    as_floats = dataclasses.replace(kept, numbers_ND=frame.to_numpy(dtype=np.float32))
    for one, other in zip(
        preparation.view(kept, inputs=inputs), preparation.view(as_floats, inputs=inputs), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("odd", [256.0, -1.0, 0.5, np.nan])
def test_one_other_number_anywhere_is_kept_as_it_is(odd: float):
    frame = pixels().astype(float)
    preparation = Preparation.fit(frame, np.arange(200))
    frame.iloc[250, 30] = odd
    kept_ND = preparation.cells(frame).numbers_ND
    assert kept_ND.dtype == np.float32
    np.testing.assert_array_equal(kept_ND, frame.to_numpy(dtype=np.float32))
