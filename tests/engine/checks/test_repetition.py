"""Rows that repeat, contradict each other or come in an order, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from goodfit.data.split import Rows
from goodfit.engine.checks.repetition import find_repetition, target_order


def rows(inputs, targets, codes=None):
    return Rows(
        x=torch.tensor(inputs, dtype=torch.float32).unsqueeze(1),
        codes_NC=None if codes is None else torch.tensor(codes).unsqueeze(1),
        y_N=torch.tensor(targets),
    )


def test_repetition_is_counted_within_and_between_the_parts():
    train = rows([1, 1, 2, 2, 2, 3, 4], [0, 0, 0, 1, 1, 0, 0])
    found = find_repetition(train, rows([1, 2, 3, 9, 3], [0, 0, 1, 0, 0]))
    assert (found.num_train_rows, found.num_train_repeats) == (7, 5)
    assert found.num_contradictions == 3  # the three rows of input 2 do not agree
    assert (found.num_validation_rows, found.num_repeated_rows) == (5, 4)
    assert found.num_repeats_alike == 3  # input 3 with target 1 stands nowhere


def test_rows_that_differ_in_their_codes_are_different():
    found = find_repetition(rows([1, 1], [0, 0], [3, 4]), rows([1], [0], [5]))
    assert (found.num_train_repeats, found.num_repeated_rows) == (0, 0)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_an_order_by_chance_is_none_and_a_sorted_one_is_whole(kind):
    stream = np.random.default_rng(0)
    y_N = stream.integers(4, size=2000)
    y_N = torch.tensor(y_N if kind == "classes" else y_N + stream.normal(size=2000))
    assert abs(target_order(y_N, kind=kind)) < 3 / 2000**0.5
    assert target_order(y_N.sort().values, kind=kind) > 0.99


def test_alternating_classes_are_below_chance():
    assert target_order(torch.tensor([0, 1] * 50), kind="classes") == pytest.approx(-1)


@pytest.mark.parametrize("targets", [[0, 1], [2, 2, 2, 2]])
def test_too_little_to_be_in_an_order_says_nothing(targets):
    assert target_order(torch.tensor(targets), kind="classes") is None
