"""Rows that repeat, contradict each other or come in an order.

Letters: N rows.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
from torch import Tensor

from goodfit.data.split import Rows

MOST_ROWS = 20_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repetition:
    """What repeats; fields are those of :class:`goodfit.engine.history.Harness`."""

    num_repeated_rows: int
    num_validation_rows: int
    num_repeats_alike: int
    num_train_rows: int
    num_train_repeats: int
    num_contradictions: int


def find_repetition(train: Rows, validation: Rows) -> Repetition:
    """Count rows whose inputs stand elsewhere, in training and between the parts.

    Args:
        train: Training rows; the first 20,000 are looked at.
        validation: Validation rows, likewise.
    """
    train_keys, validation_keys = _keys(train), _keys(validation)
    train_targets = _hashable(train.y_N[:MOST_ROWS])
    inputs = Counter(train_keys)
    pairs = Counter(zip(train_keys, train_targets, strict=True))
    standing = [
        (key, y)
        for key, y in zip(validation_keys, _hashable(validation.y_N[:MOST_ROWS]), strict=True)
        if key in inputs
    ]
    return Repetition(
        num_repeated_rows=len(standing),
        num_validation_rows=len(validation_keys),
        num_repeats_alike=sum(pair in pairs for pair in standing),
        num_train_rows=len(train_keys),
        num_train_repeats=sum(inputs[key] > 1 for key in train_keys),
        num_contradictions=sum(count for pair, count in pairs.items() if inputs[pair[0]] > count),
    )


def _hashable(y_N: Tensor) -> list[Any]:
    targets = y_N.tolist()
    return targets if y_N.dim() == 1 else [tuple(row) for row in targets]


def _keys(rows: Rows) -> list[bytes]:
    x_ND = rows.x[:MOST_ROWS].flatten(1).contiguous().numpy()
    if rows.codes_NC is None:
        return [row.tobytes() for row in x_ND]
    codes_NC = rows.codes_NC[:MOST_ROWS].numpy()
    return [row.tobytes() + codes.tobytes() for row, codes in zip(x_ND, codes_NC, strict=True)]


def target_order(y_N: Tensor, *, kind: str) -> float | None:
    r"""Measure how alike neighbours' targets are; 0 by chance, 1 if sorted.

    For numbers the correlation of neighbours. For classes, with equal neighbours of share :math:`e` and
    classes of shares :math:`p_c`,

    .. math:: \frac{e - \sum_c p_c^2}{1 - \sum_c p_c^2}

    Args:
        y_N: Targets in the order of the source.
        kind: ``"classes"`` or ``"numbers"``; several targets a row have no order.

    Example:
        >>> import torch
        >>> target_order(torch.tensor([0] * 50 + [1] * 50), kind="classes") > 0.9
        True
    """
    targets_N = y_N.numpy()
    if targets_N.ndim > 1 or len(targets_N) < 3 or (targets_N == targets_N[0]).all():
        return None
    if kind == "numbers":
        return float(np.corrcoef(targets_N[:-1], targets_N[1:])[0, 1])
    share_C = np.bincount(targets_N) / len(targets_N)
    chance = float((share_C**2).sum())
    return (float((targets_N[1:] == targets_N[:-1]).mean()) - chance) / (1 - chance)
