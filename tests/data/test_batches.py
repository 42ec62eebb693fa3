"""Batches of every form are taken apart; loaders that end badly say how."""

from __future__ import annotations

import collections
import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from goodfit.data import loaders
from goodfit.data.batches import take_apart
from goodfit.data.loaders import is_loader, read_columns
from goodfit.errors import DataError

X, IDS, Y = torch.randn(4, 3), torch.ones(4, 5, dtype=torch.long), torch.arange(4)
Pair = collections.namedtuple("Pair", "x y")


@dataclasses.dataclass
class Record:
    ids: torch.Tensor
    note: str
    label: torch.Tensor


class Plain:
    def __init__(self, **parts):
        self.__dict__.update(parts)


@pytest.mark.parametrize(
    ("item", "inputs", "by_name"),
    [
        ((X, Y), ["inputs"], False),
        ([X, IDS, Y], ["input 0", "input 1"], False),
        (((X, IDS), Y), ["input 0", "input 1"], False),
        (({"x": X, "ids": IDS}, Y), ["x", "ids"], True),
        ({"image": X, "label": Y}, ["image"], False),
        ({"image": X, "label": Y, "idx": Y}, ["image"], False),
        ({"ids": IDS, "mask": IDS, "labels": Y, "text": ["a"] * 4, "none": None}, ["ids", "mask"], True),
        (Pair(X, Y), ["x"], False),
        (Record(IDS, "a", Y), ["ids"], False),
        (Plain(ids=IDS, age=Y, target=Y), ["ids", "age"], True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_batch_is_taken_apart_whatever_it_is(item, inputs, by_name):
    pieces = take_apart(item)
    assert list(pieces.inputs) == inputs
    assert pieces.by_name is by_name
    assert pieces.targets.tolist() == [0, 1, 2, 3]


def test_a_target_of_an_unusual_name_is_named():
    assert take_apart({"ids": IDS, "tags": Y}, target="tags").targets.tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="ids, tags"):
        take_apart({"ids": IDS, "tags": Y})


def test_half_floats_become_floats():
    assert take_apart((X.bfloat16(), Y)).inputs["inputs"].dtype == np.float32


def batches(num=3):
    for _ in range(num):
        yield X, Y


def test_a_generator_is_read_in_its_one_pass_and_a_spent_one_is_named():
    stream = batches()
    assert is_loader(stream)
    assert len(read_columns(stream)) == 12
    with pytest.raises(DataError, match="can be read once"):
        read_columns(stream)


def test_an_empty_loader_is_named():
    empty = DataLoader(TensorDataset(X[:0], Y[:0]))
    with pytest.raises(DataError, match="DataLoader yields nothing"):
        read_columns(empty)


def test_a_loader_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(loaders, "MOST_ROWS", 1000)
    with pytest.raises(DataError, match="1004 rows and goes on") as caught:
        read_columns(itertools.cycle([(X, Y)]))
    assert "islice" in caught.value.fix


def test_a_loader_that_fails_in_the_middle_says_where():
    class Broken(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, place):
            if place == 6:
                raise OSError("image 6 is truncated")
            return X[0], 1

    for source in (Broken(), DataLoader(Broken(), batch_size=2)):
        with pytest.raises(DataError, match=r"OSError at item [36].*image 6 is truncated") as caught:
            read_columns(source)
        assert isinstance(caught.value.__cause__, OSError)


def test_batches_of_other_lengths_are_refused_or_padded_as_their_mask_says():
    def ragged(key):
        for steps in (3, 5, 4):
            yield {"ids": torch.ones(2, steps), key: torch.ones(2, steps), "labels": torch.zeros(2, steps)}

    columns = read_columns(ragged("attention_mask"))
    assert columns.inputs["ids"].shape == (6, 5)
    assert columns.inputs["attention_mask"].sum(1).tolist() == [3, 3, 5, 5, 4, 4]
    assert (columns.targets == -100).sum() == 4 + 2
    assert "5 steps" in columns.notes[0]
    with pytest.raises(DataError, match=r"shapes \(3,\) and \(5,\)"):
        read_columns(ragged("more"))


def test_the_last_batch_may_be_smaller():
    assert len(read_columns(DataLoader(TensorDataset(X, Y), batch_size=3))) == 4


def test_inputs_that_come_and_go_are_named():
    with pytest.raises(DataError, match="another ids, mask"):
        read_columns(iter([{"ids": IDS, "mask": IDS, "y": Y}, {"ids": IDS, "y": Y}]))


def test_rows_and_targets_of_other_numbers_are_named():
    with pytest.raises(DataError, match="batch 1 has 4 rows of inputs and 3 targets"):
        read_columns(iter([(X, Y), (X, Y[:3])]))


def test_tensors_without_numbers_are_named():
    with pytest.raises(DataError, match="device meta"):
        read_columns(iter([(X.to("meta"), Y)]))


def test_a_batch_sampler_makes_batches():
    sampler = torch.utils.data.BatchSampler(range(4), batch_size=2, drop_last=False)
    assert len(read_columns(DataLoader(TensorDataset(X, Y), batch_sampler=sampler))) == 4


@pytest.mark.parametrize("source", [[X], (X, Y), X, X.numpy(), "table.csv", {"x": X}])
def test_what_holds_rows_itself_is_no_loader(source):
    assert not is_loader(source)
