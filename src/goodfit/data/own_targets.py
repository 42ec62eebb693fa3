"""Targets of a network of the user's own: what they are, and how a loss takes them.

Letters: N rows.
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

from goodfit.data.loaders import IGNORED
from goodfit.data.task import KINDS, Task, TaskKind
from goodfit.errors import DataError


def in_deviations(task: Task, numbers: np.ndarray, train: np.ndarray) -> tuple[Task, np.ndarray]:
    """Write numbers as deviations from their mean on training rows, in standard deviations."""
    center, scale = float(numbers[train].mean()), float(numbers[train].std())
    task = dataclasses.replace(task, center=center, scale=scale)
    return task, ((numbers - center) / scale).astype(np.float32)


def define_own(
    targets: np.ndarray,
    train: np.ndarray,
    *,
    kind: TaskKind | None,
    inputs: dict[str, np.ndarray],
    ignored: int = IGNORED,
) -> tuple[Task, np.ndarray]:
    """Say what is to be learnt, and write the targets as a loss takes them.

    Args:
        targets: As the loader gave them, ``(N, ...)``.
        train: Places of the training rows.
        kind: What the user says it is; by default classes where targets are whole numbers, one a row; places
            where there are more, unless they are 0 and 1 and do not lie along the inputs; labels where floats
            are 0 and 1, several a row; numbers otherwise.
        inputs: The inputs by name.
        ignored: Class of places that do not count.

    Raises:
        DataError: The kind is unknown, targets are negative classes, not finite, or never change.
    """
    kind = kind or _kind_of(targets, inputs)
    if kind not in KINDS:
        raise DataError(f"task is {kind!r}", fix=f"give one of {', '.join(KINDS)}, or leave it out")
    shape = targets.shape[1:]
    if kind in ("numbers", "labels"):
        return _numeric(targets.astype(np.float32), train, kind=cast(TaskKind, kind), shape=shape)
    is_word = not np.issubdtype(targets.dtype, np.number) and targets.dtype != bool
    if is_word:
        names, coded = np.unique(targets, return_inverse=True)
        labels: tuple[Any, ...] = tuple(map(str, names))
        coded = coded.reshape(targets.shape).astype(np.int64)
    else:
        coded = _codes(targets, ignored if kind == "places" else None)
        labels = tuple(range(int(coded.max()) + 1))
    if len(np.unique(coded[train][coded[train] >= 0])) < 2:
        raise DataError("the targets are one class in every training row", fix="give targets that change")
    coded = coded.reshape(len(coded), -1) if shape else coded
    return Task(kind=kind, target="target", labels=labels, shape=shape), coded


def _numeric(
    numbers: np.ndarray, train: np.ndarray, *, kind: TaskKind, shape: tuple[int, ...]
) -> tuple[Task, np.ndarray]:
    if not np.isfinite(numbers).all():
        raise DataError("a target is NaN or infinite", fix="leave such rows out")
    if (numbers[train] == numbers[train][:1]).all():
        raise DataError("the targets are the same in every training row", fix="give targets that change")
    low, high = float(numbers[train].min()), float(numbers[train].max())
    # a network of the user's own was written for numbers as they are
    task = Task(kind=kind, target="target", low=low, high=high, shape=shape)
    return task, numbers.reshape(len(numbers), -1) if shape else numbers


def _codes(targets: np.ndarray, ignored: int | None) -> np.ndarray:
    coded = targets.astype(np.int64)
    if (coded != targets).any():
        raise DataError("classes hold a number with decimals", fix='give task="numbers", or whole numbers')
    if ignored is not None:
        coded[(coded == ignored) | (coded == IGNORED)] = IGNORED
    lowest = coded[coded != IGNORED] if ignored is not None else coded
    if not lowest.size or lowest.min() < 0:
        raise DataError(
            f"a class is {int(lowest.min()) if lowest.size else 'ignored in every place'}",
            fix="number classes from 0; a place that does not count is -100, or the loss's ignore_index",
        )
    return coded


def _kind_of(targets: np.ndarray, inputs: dict[str, np.ndarray]) -> TaskKind:
    is_float = np.issubdtype(targets.dtype, np.floating)
    is_binary = targets.ndim < 3 and bool(np.isin(targets, (0, 1)).all())
    if targets.ndim == 1:
        return "numbers" if is_float and not is_binary else "classes"
    if is_float:
        return "labels" if is_binary else "numbers"
    lies_along = any(array.shape[1:2] == targets.shape[1:2] for array in inputs.values() if array.ndim > 1)
    return "labels" if is_binary and not lies_along else "places"
