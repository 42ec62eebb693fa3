"""Targets of any shape are recognised; rows reach a network as they were."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.errors import DataError

ROWS = 40
X = torch.randn(ROWS, 6, 4)


def load(*tensors, wishes=None, **options):
    return load_own(DataLoader(TensorDataset(*tensors), batch_size=8), wishes or Wishes(), **options)


def whole(*shape, high=3):
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.permuted(np.arange(ROWS * math.prod(shape)) % high)).reshape(
        ROWS, *shape
    )


@pytest.mark.parametrize(
    ("targets", "kind", "shape", "outputs"),
    [
        (whole(), "classes", (), 3),
        (whole(1), "classes", (), 3),
        (whole().float(), "numbers", (), 1),
        (whole(high=2).float(), "classes", (), 2),
        (whole(1, high=2).float(), "classes", (), 2),
        (whole(6), "places", (6,), 3),
        (whole(6, high=2), "places", (6,), 2),
        (whole(5, high=2), "labels", (5,), 5),
        (whole(5, high=2).float(), "labels", (5,), 5),
        (torch.randn(ROWS, 2), "numbers", (2,), 2),
        (whole(6, 4), "places", (6, 4), 3),
    ],
)
def test_targets_are_recognised_by_type_values_and_shape(targets, kind, shape, outputs):
    split = load(X, targets)
    assert (split.task.kind, split.task.shape, split.task.num_outputs) == (kind, shape, outputs)
    rows = split.rows("train", "raw")
    if not shape:
        return
    told = rows.y_N.reshape(-1, *shape)
    torch.testing.assert_close(told.to(targets.dtype), targets[split.train_index])


def test_the_user_may_say_what_it_is():
    assert load(X, whole(6, high=2), wishes=Wishes(task="labels")).task.kind == "labels"
    assert load(X, whole(), wishes=Wishes(task="numbers")).task.kind == "numbers"
    with pytest.raises(DataError, match="'groups'"):
        load(X, whole(), wishes=Wishes(task="groups"))


def test_inputs_are_packed_and_come_apart_as_they_were():
    ids, mask = whole(5, high=1000), whole(5, high=2).bool()
    split = load(X, ids, mask, whole())
    rows = split.rows("train")
    x, back, told = split.form.unpack(rows.x)
    assert (x.dtype, back.dtype, told.dtype) == (torch.float32, torch.int64, torch.bool)
    index = split.train_index
    assert torch.equal(x, X[index])
    assert torch.equal(back, ids[index])
    assert torch.equal(told, mask[index])


def test_numbers_too_large_to_be_kept_exactly_are_refused():
    with pytest.raises(DataError, match="16777217"):
        load(whole(5) + 2**24 - 1, whole())


def test_places_that_do_not_count_are_found():
    targets = whole(6)
    targets[:, -1] = 255
    split = load(X, targets, ignored=255)
    assert split.task.num_outputs == 3
    assert (split.rows("train").y_N[:, -1] == -100).all()
    with pytest.raises(DataError, match="a class is -7"):
        load(X, whole(6) - 7)


def test_validation_rows_that_are_the_training_rows_are_refused():
    rows = TensorDataset(X, whole())
    one, other = DataLoader(rows, batch_size=8), DataLoader(rows, batch_size=8, shuffle=True)
    shares = Wishes(shares=(0.8, 0.2, 0.0))
    for validation in (one, other):
        with pytest.raises(DataError, match="training and validation are"):
            load_own(one, shares, validation=validation, test=DataLoader(Subset(rows, range(5))))
    split = load_own(
        DataLoader(Subset(rows, range(30)), batch_size=8),
        shares,
        validation=DataLoader(Subset(rows, range(30, 40)), batch_size=8),
    )
    assert (len(split.validation_index), split.validation_index[0]) == (10, 30)


def test_parts_of_other_shapes_are_refused():
    with pytest.raises(DataError, match="validation rows are"):
        load(X, whole(), validation=DataLoader(TensorDataset(X[:, :3], whole()), batch_size=8))


def test_rows_that_differ_each_time_are_noted():
    class Cropped(TensorDataset):
        def __getitem__(self, place):
            x, y = super().__getitem__(place)
            return x + torch.rand(1), y

    split = load_own(DataLoader(Cropped(X, whole()), batch_size=8), Wishes())
    assert "read once" in split.notes[0]


@pytest.mark.parametrize(
    ("targets", "word"),
    [
        (torch.zeros(ROWS, dtype=torch.long), "one class"),
        (torch.full((ROWS, 2), 3.0), "the same"),
        (torch.full((ROWS,), float("nan")), "NaN"),
    ],
)
def test_targets_that_teach_nothing_are_refused(targets, word):
    with pytest.raises(DataError, match=word):
        load(X, targets)
