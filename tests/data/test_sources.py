"""One door for every source; what cannot be learnt from is refused with a way out."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_diabetes, load_iris
from torch.utils.data import DataLoader, TensorDataset

from goodfit.data.preparation import Preparation
from goodfit.data.sources import load, read_new
from goodfit.data.synthetic import mixed_table
from goodfit.errors import DataError

TABLE = mixed_table(200)


def test_every_form_of_a_table_gives_the_same_split(tmp_path: Path):
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    TABLE.to_parquet(tmp_path / "a.parquet")
    TABLE.to_csv(tmp_path / "a.tsv.gz", sep="\t", index=False)
    polars = pl.from_pandas(TABLE)
    expected = load(TABLE, target="target").rows("train")
    sources = (str(tmp_path / "a.csv"), tmp_path / "a.parquet", tmp_path / "a.tsv.gz", polars, polars.lazy())
    for source in (*sources, TABLE.set_index("id", drop=False)):
        rows = load(source, target="target").rows("train")
        torch.testing.assert_close(rows.x, expected.x)
        assert torch.equal(rows.codes_NC, expected.codes_NC)
        assert torch.equal(rows.y_N, expected.y_N)


def test_arrays_tensors_and_files_of_arrays_give_the_same_split(tmp_path: Path):
    x, y = load_iris(return_X_y=True)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    np.save(tmp_path / "a.npy", np.column_stack((x, y)))
    expected = load(x, y).rows("train").x
    tensors = (torch.tensor(x), torch.tensor(y))
    for source in (tmp_path / "a.npz", tmp_path / "a.npy", (x, y), tensors, np.column_stack((x, y))):
        assert torch.equal(load(source).rows("train").x, expected)


def test_a_frame_with_targets_beside_it():
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    split = load(frame, target)
    assert (split.kind, split.task.kind, split.task.target) == ("table", "numbers", "target")
    assert split.input_names()[:2] == ("age", "sex")


def test_a_loader_keeps_its_inputs_and_its_own_validation():
    x, y = torch.randn(60, 3, 5), torch.arange(60) % 2
    own = DataLoader(TensorDataset(x[:10] + 7, y[:10]), batch_size=4)
    split = load(DataLoader(TensorDataset(x, y), batch_size=8), validation=own)
    assert split.kind == "loader"
    assert split.input_shape("raw") == (3, 5)
    assert torch.equal(split.rows("validation", "raw").x, x[:10] + 7)
    assert torch.equal(split.rows("train", "raw").x, x[torch.from_numpy(split.train_index)])
    assert len(split.train_index) + len(split.test_index) == 60


def test_a_folder_of_images(tmp_path: Path):
    for place in range(15):
        for pet, shade in (("cat", 0), ("dog", 255)):
            (tmp_path / pet).mkdir(exist_ok=True)
            Image.new("L", (4, 4), shade).save(tmp_path / pet / f"{place}.png")
    split = load(tmp_path)
    rows = split.rows("train")
    assert (split.kind, rows.x.shape, split.task.labels) == ("images", (18, 1, 4, 4), ("cat", "dog"))
    assert torch.equal(rows.x.amax(dim=(1, 2, 3)).long(), rows.y_N)
    assert float(split.rows("train", "raw").x.max()) == 255


def test_a_split_passes_through():
    split = load(TABLE)
    assert load(split) is split


def test_the_users_own_test_is_the_test_and_nothing_else(tmp_path: Path):
    TABLE.iloc[:150].to_csv(tmp_path / "train.csv", index=False)
    TABLE.iloc[150:][TABLE.columns[::-1]].to_csv(tmp_path / "test.csv", index=False)
    split = load(tmp_path / "train.csv", target="target", test=tmp_path / "test.csv")
    assert split.test_index.tolist() == list(range(150, 200))
    assert len(split.train_index) == 112
    assert len(split.validation_index) == 38
    raw_ND, _ = split.preparation.transform(TABLE.iloc[150:], inputs="raw")
    np.testing.assert_allclose(split.open_test("raw")["raw"].x, raw_ND, rtol=1e-5)


def test_own_validation_and_test_leave_all_rows_to_training():
    x, y = load_iris(return_X_y=True)
    split = load(x, y, validation=(x[:30], y[:30]), test=(x[30:70], y[30:70]))
    assert [len(part) for part in (split.train_index, split.validation_index, split.test_index)] == [
        150,
        30,
        40,
    ]
    np.testing.assert_allclose(split.open_test("raw")["raw"].x, x[30:70], rtol=1e-6)


def test_test_rows_change_nothing_that_training_sees():
    one, other = (
        load(TABLE, test=TABLE.head(40).assign(income=income, colour="new")) for income in (1.0, 1e9)
    )
    assert torch.equal(one.rows("train", "expanded").x, other.rows("train", "expanded").x)
    assert one.columns == other.columns


def test_the_group_column_is_no_input_and_keeps_groups_together():
    split = load(TABLE, target="target", group="city")
    held = [
        set(TABLE["city"].iloc[part])
        for part in (split.train_index, split.validation_index, split.test_index)
    ]
    assert sum(map(len, held)) == len(set.union(*held))
    assert "city" not in {column.name for column in split.columns}


def test_the_newest_rows_are_the_test():
    split = load(TABLE, target="target", time="joined")
    joined = TABLE["joined"]
    assert joined.iloc[split.train_index].max() <= joined.iloc[split.validation_index].min()
    assert joined.iloc[split.validation_index].max() <= joined.iloc[split.test_index].min()


def test_rows_without_target_are_left_out_and_said():
    table = TABLE.assign(target=TABLE["target"].mask(TABLE.index < 30))
    split = load(table, group=TABLE["city"].to_numpy())
    assert len(split.train_index) + len(split.validation_index) + len(split.test_index) == 170
    assert "30 rows without a target were left out" in split.notes


def test_what_was_dropped_is_said():
    notes = "\n".join(load(TABLE).notes)
    for name in ("id: dropped", "comment: dropped", "country: dropped", "joined: expanded"):
        assert name in notes


def test_a_few_odd_cells_do_not_stop_a_load():
    ages = TABLE["age"].astype(object)
    ages.iloc[::60] = "old"
    split = load(TABLE.assign(age=ages))
    assert np.isfinite(split.open_test()["scaled"].x.numpy()).all()


def test_classes_of_one_or_two_rows_do_not_stop_a_load():
    target = ["a"] * 30 + ["b"] * 30 + ["c", "d", "d"]
    split = load(np.random.default_rng(0).normal(size=(63, 2)), target)
    assert split.task.num_outputs == 4
    assert split.class_counts()[2:] == (("c", 1), ("d", 2))


def test_ten_thousand_different_numbers_are_numbers():
    y = np.arange(10_000)
    assert load(np.random.default_rng(0).normal(size=(10_000, 2)), y).task.kind == "numbers"


def test_rows_to_predict_come_from_anywhere(tmp_path: Path):
    split = load(TABLE, target="target")
    TABLE.drop(columns="target").to_csv(tmp_path / "new.csv", index=False)
    expected = split.preparation.transform(TABLE)[0]
    for source in (tmp_path / "new.csv", TABLE, pl.from_pandas(TABLE)):
        pieces = [split.preparation.transform(piece)[0] for piece in read_new(source, rows=33)]
        np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


def test_arrays_to_predict_come_from_anywhere(tmp_path: Path):
    x, y = load_iris(return_X_y=True)
    preparation: Preparation = load(x, y).preparation
    np.savez(tmp_path / "a.npz", x=x)
    pd.DataFrame(x).to_csv(tmp_path / "a.csv", index=False)
    for source in (x, torch.tensor(x), tmp_path / "a.npz", tmp_path / "a.csv"):
        rows = np.concatenate([preparation.transform(piece)[0] for piece in read_new(source)])
        np.testing.assert_array_equal(rows, preparation.transform(x)[0])


X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


@pytest.mark.parametrize(
    ("source", "options", "said", "fix"),
    [
        (TABLE, {"target": "Targt"}, "no target column 'Targt'", "give 'target'"),
        (TABLE.drop(columns="target"), {}, "no target is given", "say which"),
        (TABLE, {"target": "country"}, "'country' is 'Utopia' in every row", "changes"),
        (TABLE.assign(target=None), {}, "missing in every row", "filled"),
        (TABLE.assign(target=np.nan), {}, "missing in every row", "filled"),
        (TABLE.head(19), {}, "has 19 rows", "at least 20"),
        (TABLE, {"target": "comment"}, "200 classes in 1 row a class", "repeat"),
        (TABLE, {"target": "age", "task": "classes"}, "classes in", 'task="numbers"'),
        (TABLE, {"task": "numbers"}, "which is not a number", 'task="classes"'),
        (TABLE[["id", "country", "target"]], {}, "all 2 columns had to be dropped", "repeat"),
        (TABLE, {"group": "town"}, "no group column 'town'", "one of the columns"),
        (TABLE, {"group": [1, 2]}, "group has shape (2,)", "one value a row"),
        (TABLE, {"test": TABLE.drop(columns="age")}, "no test column 'age'", "column"),
        (TABLE, {"test": TABLE.assign(target="maybe").head(0)}, "no rows", "rows"),
        (pd.DataFrame(X, columns=["a", "a", "target"]), {}, "2 columns named 'a'", "own"),
        (X, {"y": Y[:5]}, "40 rows of inputs and 5 targets", "one target"),
        (X, {"y": Y, "test": (X[:, :2], Y)}, "no test column 'x2'", "one of the columns"),
        (np.zeros((40, 4, 4)), {}, "no targets", "fit(X, y)"),
        ("nowhere.csv", {}, "does not exist", "path"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_with_a_way_out(
    source: object, options: dict, said: str, fix: str
):
    with pytest.raises(DataError) as caught:
        load(source, **options)
    assert said in caught.value.message
    assert fix in caught.value.fix


def test_an_unknown_suffix_is_refused(tmp_path: Path):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"ends in '\.xlsx'"):
        load(tmp_path / "a.xlsx", target="y")
    with pytest.raises(DataError, match=r"ends in '\.xlsx'"):
        list(read_new(tmp_path / "a.xlsx"))
