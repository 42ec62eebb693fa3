"""Arrays of any kind become rows with targets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from goodfit.data.arrays import as_rows, pair, part_off, read_inputs, read_npy, read_npz
from goodfit.errors import DataError

X = np.random.default_rng(0).normal(size=(30, 4))
Y = np.arange(30) % 3


def test_arrays_tensors_lists_and_sparse_matrices_are_the_same_rows():
    for x in (X, torch.tensor(X), X.tolist(), scipy.sparse.csr_matrix(X)):
        rows = pair(x, torch.tensor(Y)).inputs
        assert list(rows.columns) == ["x0", "x1", "x2", "x3"]
        np.testing.assert_array_equal(rows.to_numpy(), X)


def test_images_come_out_channels_first_and_as_bytes():
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3))
    assert as_rows(bytes_).shape == (5, 3, 6, 7)
    assert as_rows(bytes_).dtype == np.uint8
    assert as_rows(bytes_.transpose(0, 3, 1, 2)).tolist() == as_rows(bytes_).tolist()
    assert as_rows(bytes_[..., 0]).shape == (5, 1, 6, 7)
    assert as_rows(torch.rand(5, 1, 6, 7)).dtype == np.float32


@pytest.mark.parametrize("shape", [(30,), (30, 0), (2, 3, 4, 5, 6)])
def test_shapes_that_are_neither_rows_nor_images_are_refused(shape: tuple[int, ...]):
    with pytest.raises(DataError, match="inputs have shape"):
        as_rows(np.zeros(shape))


def test_rows_of_different_length_are_refused():
    with pytest.raises(DataError, match="inputs are no array"):
        as_rows([[1, 2], [3]])


def test_different_lengths_are_refused():
    with pytest.raises(DataError, match="30 rows of inputs and 29 targets"):
        pair(X, Y[:-1])


def test_targets_may_be_a_column_but_not_a_table():
    assert pair(X, Y[:, None]).targets.tolist() == Y.tolist()
    assert pair(X, pd.DataFrame({"pet": Y})).targets.name == "pet"
    with pytest.raises(DataError, match=r"targets have shape \(30, 3\)"):
        pair(X, np.eye(3)[Y])


def test_an_npz_with_x_and_y_is_one_part(tmp_path: Path):
    np.savez(tmp_path / "a.npz", X=X, target=Y)
    parts = read_npz(tmp_path / "a.npz")
    assert list(parts) == ["main"]
    assert parts["main"].targets.tolist() == Y.tolist()
    np.testing.assert_array_equal(read_inputs(tmp_path / "a.npz").to_numpy(), X)


def test_an_npz_like_mnist_brings_its_own_test(tmp_path: Path):
    images = np.zeros((30, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=Y, x_test=images[:9], y_test=Y[:9])
    parts = read_npz(tmp_path / "a.npz")
    assert {name: part.inputs.shape for name, part in parts.items()} == {
        "main": (30, 1, 8, 8),
        "test": (9, 1, 8, 8),
    }


def test_an_npy_has_its_target_in_the_last_column_or_where_one_says(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.column_stack((X, Y)))
    assert read_npy(tmp_path / "a.npy").targets.tolist() == Y.tolist()
    assert read_npy(tmp_path / "a.npy", target=0).targets.tolist() == X[:, 0].tolist()
    assert read_npy(tmp_path / "a.npy", target="x1").inputs.shape == (30, 4)
    with pytest.raises(DataError, match="target is 9, there are 5 columns"):
        read_npy(tmp_path / "a.npy", target=9)


def test_mixed_arrays_keep_words_and_numbers_apart():
    mixed = np.array([[1.5, "red", 0], [2.5, "blue", 1]], dtype=object)
    given = part_off(mixed, None)
    assert given.targets.tolist() == [0, 1]
    assert as_rows(mixed)["x0"].dtype == np.float64


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", b"garbage", "cannot be read"),
        ("a.npz", b"PK\x03\x04broken", "is damaged"),
        ("a.npy", b"", "cannot be read"),
    ],
)
def test_damaged_files_are_said(tmp_path: Path, name: str, content: bytes, said: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        (read_npz if name.endswith("z") else read_npy)(tmp_path / name)


def test_pickled_arrays_are_never_loaded(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object), y=np.zeros(1))
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(tmp_path / "a.npz")


def test_an_npz_without_such_names_says_what_it_holds(tmp_path: Path):
    np.savez(tmp_path / "a.npz", foo=X)
    with pytest.raises(DataError, match="holds foo"):
        read_npz(tmp_path / "a.npz")
