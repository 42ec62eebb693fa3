"""Curves remember what was measured, and since when nothing has improved."""

from __future__ import annotations

import math

import pytest
import torch

from goodfit.engine.looks.curves import Curves
from goodfit.engine.looks.evaluation import Look, Measured


def look(loss_K, score_K):
    """One row for each candidate."""
    return Look(predicted_KNO=score_K[:, None, None], loss_KN=loss_K[:, None], score_KN=score_K[:, None])


def measured(validation_loss, train_loss=None):
    """A point whose four numbers can be told apart."""
    loss_K = torch.tensor(validation_loss, dtype=torch.float64)
    train_K = loss_K + 10 if train_loss is None else torch.tensor(train_loss, dtype=torch.float64)
    return Measured(train=look(train_K, loss_K + 20), watched=look(loss_K, loss_K + 30))


def drawn(*validation_losses, epochs=None):
    curves = Curves(1)
    for epoch, loss in zip(epochs or range(len(validation_losses)), validation_losses, strict=True):
        curves.add(epoch, measured([loss]), [0])
    return curves


def test_a_candidates_four_curves_stand_in_order():
    epochs, curves, best_epoch = drawn(3.0, 1.0, 2.0, epochs=[0, 5, 10]).of(0)
    assert epochs == (0, 5, 10)
    assert curves == [(13, 11, 12), (23, 21, 22), (3, 1, 2), (33, 31, 32)]
    assert best_epoch == 5


def test_only_a_lower_validation_loss_is_an_improvement():
    curves = Curves(3)
    assert curves.add(0, measured([1.0, 1.0, 1.0]), [0, 1, 2]).tolist() == [True, True, True]
    assert curves.add(1, measured([0.9, 1.0, 1.1]), [0, 1, 2]).tolist() == [True, False, False]
    assert curves.add(2, measured([0.95, 0.5, 1.05]), [0, 1, 2]).tolist() == [False, True, False]
    assert [curves.of(k)[2] for k in range(3)] == [1, 2, 0]


def test_members_keep_their_own_curves_when_others_have_left():
    curves = Curves(3)
    curves.add(0, measured([1.0, 2.0, 3.0]), [0, 1, 2])
    curves.add(1, measured([0.5, 4.0]), [0, 2])
    assert [curves.of(k)[0] for k in range(3)] == [(0, 1), (0,), (0, 1)]
    assert [curves.of(k)[1][2] for k in range(3)] == [(1.0, 0.5), (2.0,), (3.0, 4.0)]
    assert [curves.of(k)[2] for k in range(3)] == [1, 0, 0]


def test_waiting_is_counted_in_epochs_and_not_in_points():
    assert drawn(3.0, 1.0, 2.0, 1.5, epochs=[0, 4, 8, 12]).epochs_waited(0) == 8
    assert drawn(3.0, 2.0, 1.0).epochs_waited(0) == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_candidate_has_diverged_when_its_last_training_loss_is_no_number(loss):
    curves = Curves(2)
    curves.add(0, measured([1.0, 1.0]), [0, 1])
    assert not curves.has_diverged(0)
    improved_K = curves.add(1, measured([loss, 0.5], train_loss=[loss, 0.5]), [0, 1])
    assert improved_K.tolist() == [False, True]
    assert [curves.has_diverged(k) for k in range(2)] == [True, False]
