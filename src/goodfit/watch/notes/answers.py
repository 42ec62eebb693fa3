"""From what was kept of a network's answers to a comparison with references."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from goodfit.watch.notes import comparison
from goodfit.watch.notes.losses import LossNotes
from goodfit.watch.notes.networks import NetworkNotes
from goodfit.watch.observation import Comparison

LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits")
LATEST_ROWS = 512
"""Rows that the network's score in training is made of: more would tell of an earlier network."""


def compare_answers(losses: Sequence[LossNotes], networks: Sequence[NetworkNotes]) -> Comparison | None:
    """Set the network beside references; ``None`` unless there are one loss and one network with rows.

    Args:
        losses: The loss functions that were called with gradients.
        networks: The outermost modules that were called.
    """
    with_rows = [rows for notes in networks if (rows := notes.rows()) is not None]
    if len(losses) != 1 or len(with_rows) != 1:
        return None
    notes, (x_ND, targets) = losses[0], with_rows[0]
    latest = notes.rows(is_training=True, limit=LATEST_ROWS)
    if latest is None:
        return None
    truth = _truth(notes, latest[0], targets)
    network, checks = _score(notes, *latest), notes.rows(is_training=False)
    if truth is None or network is None:
        return None
    validation = _score(notes, *checks) if checks else None
    return comparison.compare(x_ND, truth, network=network, validation=validation)


def _score(notes: LossNotes, outputs: np.ndarray, targets: np.ndarray) -> tuple[float, int] | None:
    truth = _truth(notes, outputs, targets)
    if truth is None or (truth.task == "numbers" and notes.function in LOGITS):
        return None
    return comparison.network_score(outputs, truth, is_logit=notes.function in LOGITS)


def _truth(notes: LossNotes, outputs: np.ndarray, targets: np.ndarray) -> comparison.Truth | None:
    num_outputs = math.prod(outputs.shape[1:])
    return comparison.truth_of(targets, num_outputs=num_outputs, is_class_index=notes.is_class_index)
