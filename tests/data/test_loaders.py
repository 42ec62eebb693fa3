"""Datasets and loaders are read once, and their inputs stay as they are."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from goodfit.data.loaders import read_loader
from goodfit.errors import DataError

X = torch.randn(50, 3, 4, 4)
Y = torch.arange(50) % 2


class Listed(Dataset):
    def __init__(self, items: list[object]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> object:
        return self.items[place]


class Streamed(IterableDataset):
    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from zip(X, Y, strict=True)


@pytest.mark.parametrize(
    "source",
    [
        TensorDataset(X, Y),
        DataLoader(TensorDataset(X, Y), batch_size=7),
        DataLoader(TensorDataset(X, Y), batch_size=None),
        Listed([{"image": x, "label": int(y)} for x, y in zip(X, Y, strict=True)]),
        DataLoader(Listed([{"x": x, "y": y} for x, y in zip(X, Y, strict=True)]), batch_size=8),
        Streamed(),
        DataLoader(Streamed(), batch_size=9),
    ],
)
def test_every_kind_of_source_gives_the_same_rows(source: Dataset | DataLoader):
    given = read_loader(source)
    np.testing.assert_array_equal(given.inputs, X.numpy())
    assert given.targets.tolist() == Y.tolist()


def test_a_shuffled_loader_keeps_rows_and_targets_together():
    inputs = torch.arange(40.0)[:, None]
    given = read_loader(DataLoader(TensorDataset(inputs, inputs[:, 0]), batch_size=6, shuffle=True))
    np.testing.assert_array_equal(given.inputs[:, 0], given.targets)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "yields nothing"),
        ([(torch.zeros(2),)] * 3, "a batch is tuple of 1"),
        ([torch.zeros(2)] * 3, "a batch is Tensor"),
        ([{"foo": 1, "bar": 2}], "a mapping with foo, bar"),
        ([(torch.zeros(2), 0), (torch.zeros(3), 1)], r"shapes \(2,\) and \(3,\)"),
        ([(torch.tensor(1.0), 0)], "single numbers"),
        ([(np.array(["a"]), 0)], "inputs are <U1"),
        ([(torch.zeros(2), torch.zeros(1, 3))], "targets have shape"),
    ],
)
def test_what_cannot_be_read_is_said(items: list[object], said: str):
    with pytest.raises(DataError, match=said):
        read_loader(Listed(items))
