"""Rows in an order of which the first ones are a sample, copied only as far as they are asked for."""

from __future__ import annotations

import numpy as np
import torch

from goodfit.data.split import Rows
from goodfit.evidence import lines
from goodfit.evidence.lines import Lines, matrix_of

NUM_ROWS = 400


def rows(*, weight_N: torch.Tensor | None = None) -> Rows:
    x_NF = torch.arange(NUM_ROWS * 3, dtype=torch.float32).view(NUM_ROWS, 3)
    return Rows(x=x_NF, codes_NC=None, y_N=torch.arange(NUM_ROWS), weight_N=weight_N)


def lines_of(given: Rows) -> Lines:
    return Lines.of(given, stream=np.random.default_rng(0))


def test_the_first_rows_are_a_sample_with_their_targets():
    x_NF, y_N = lines_of(rows()).first(100)
    assert len(set(y_N.tolist())) == 100
    assert 150 < y_N.mean() < 250
    np.testing.assert_array_equal(x_NF, matrix_of(rows())[y_N])


def test_fewer_rows_are_the_first_of_more():
    drawn = lines_of(rows())
    np.testing.assert_array_equal(drawn.first(20)[1], drawn.first(NUM_ROWS)[1][:20])


def test_a_sample_keeps_nothing_of_the_rows_that_were_left_out():
    given = rows()
    x_NF, _ = lines_of(given).first(10)
    assert x_NF.base is None or len(x_NF.base) == 10
    assert not np.shares_memory(x_NF, given.x.numpy())


def test_all_rows_of_large_data_are_not_copied(monkeypatch):
    given = rows()
    x_NF, y_N = lines_of(given).first(NUM_ROWS)
    assert sorted(y_N) == list(range(NUM_ROWS))
    assert not np.shares_memory(x_NF, given.x.numpy())
    monkeypatch.setattr(lines, "LARGE_BYTES", 0)
    x_NF, y_N = lines_of(given).first(NUM_ROWS)
    assert np.shares_memory(x_NF, given.x.numpy())
    np.testing.assert_array_equal(y_N, range(NUM_ROWS))


def test_rows_with_weights_are_drawn_by_them_however_large(monkeypatch):
    monkeypatch.setattr(lines, "LARGE_BYTES", 0)
    weight_N = torch.where(torch.arange(NUM_ROWS) < NUM_ROWS // 2, 1.8, 0.2).double()
    _, y_N = lines_of(rows(weight_N=weight_N)).first(NUM_ROWS)
    assert len(y_N) == NUM_ROWS
    assert abs((y_N < NUM_ROWS // 2).mean() - 0.9) < 0.02
