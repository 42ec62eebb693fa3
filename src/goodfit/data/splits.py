"""Which rows train, which validate, and which are sealed for the test."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from goodfit.errors import DataError
from goodfit.seeds import derive

SHARES = (0.6, 0.2, 0.2)
FEWEST_IN_CLASS = 5
FEWEST_FOLDS = 8
FOLD_ROWS = 2000
"""Rows of a fold that are enough to watch a training on; more would be missed in learning."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Division:
    """Rows of each part, as places in rising order.

    Attributes:
        train: Training rows.
        validation: Validation rows.
        test: Sealed test rows.
        notes: What a person should know about it.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()


def num_folds(num_rows: int, *, members: int) -> int:
    """Tell into how many folds rows are cut, where each member of a vote learns from all but one of its own.

    Args:
        num_rows: Rows that are not sealed.
        members: Networks that vote.

    Example:
        >>> num_folds(1000, members=1), num_folds(60_000, members=6)
        (8, 30)
    """
    return max(FEWEST_FOLDS, members, num_rows // FOLD_ROWS)


def divide(
    num_rows: int,
    *,
    classes: np.ndarray | None = None,
    group: np.ndarray | None = None,
    time: np.ndarray | None = None,
    shares: tuple[float, float, float] = SHARES,
    seed: int = 0,
) -> Division:
    """Divide rows into training, validation and test.

    Args:
        num_rows: How many there are.
        classes: Class code of each row, to give each part its share of every class; ``None`` for numbers.
        group: Group of each row; a group stays together.
        time: Time of each row; the newest are the test, those before them validation.
        shares: Shares of training, validation and test; a share of 0 leaves the part empty,
            for it comes from elsewhere.
        seed: The root seed.

    Returns:
        The parts.

    Raises:
        DataError: The shares make no sense, ``group`` and ``time`` are both given, or groups are too few.
    """
    _refuse_shares(shares)
    if group is not None and time is not None:
        raise DataError(
            "both group and time are given", fix="give the one that tells what is new at prediction time"
        )
    rest, test, notes = _cut(
        np.arange(num_rows), shares[2], classes=classes, group=group, time=time, seed=seed
    )
    share = shares[1] / (shares[0] + shares[1])
    train, validation, more = _cut(
        rest, share, classes=classes, group=group, time=time, seed=derive(seed, "validation")
    )
    if not len(train):
        raise DataError("no row is left for training", fix="give more rows, or other shares")
    return Division(train=train, validation=validation, test=test, notes=tuple(dict.fromkeys(notes + more)))


def _refuse_shares(shares: tuple[float, float, float]) -> None:
    if len(shares) != 3 or min(shares) < 0 or shares[0] == 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(
            f"shares are {shares}", fix="give three shares of training, validation and test that add up to 1"
        )


def _cut(
    rows: np.ndarray,
    share: float,
    *,
    classes: np.ndarray | None,
    group: np.ndarray | None,
    time: np.ndarray | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Part a share off from the rows: what stays, what goes, and notes."""
    if share == 0:
        return rows, rows[:0], ()
    if time is not None:
        return _newest(rows, share, time=time)
    if group is not None:
        return _groups(rows, share, group=group[rows], seed=seed)
    if classes is not None:
        return _by_class(rows, share, classes=classes, seed=seed)
    stay, go = train_test_split(rows, test_size=_count(rows, share), random_state=_state(seed))
    return np.sort(stay), np.sort(go), ()


def _newest(
    rows: np.ndarray, share: float, *, time: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    order = rows[np.argsort(time[rows], kind="stable")]
    cut = len(rows) - _count(rows, share)
    return (
        np.sort(order[:cut]),
        np.sort(order[cut:]),
        ("the newest rows are the test, those before them validation",),
    )


def _groups(
    rows: np.ndarray, share: float, *, group: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    num_groups = len(np.unique(group))
    if num_groups < 2:
        raise DataError(
            f"{num_groups} group is left to divide {len(rows)} rows by",
            fix="give a group column with at least 3 groups",
        )
    size = min(max(1, round(share * num_groups)), num_groups - 1)
    splitter = GroupShuffleSplit(n_splits=1, test_size=size, random_state=_state(seed))
    stay, go = next(splitter.split(rows, groups=group))
    return rows[stay], rows[go], ("rows of one group stay in one part",)


def _by_class(
    rows: np.ndarray, share: float, *, classes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Rows of classes too rare for every part stay in training: a class never trained on cannot be tested."""
    is_few = np.bincount(classes) < FEWEST_IN_CLASS
    classes = classes[rows]
    is_rare = is_few[classes] | (np.bincount(classes, minlength=len(is_few)) < 2)[classes]
    common = rows[~is_rare]
    num_rare = len(np.unique(classes[is_rare]))
    size = _count(rows, share)
    num_common = len(np.unique(classes[~is_rare]))
    if min(size, len(common) - size) < num_common or num_common < 1:
        stay, go = train_test_split(rows, test_size=size, random_state=_state(seed))
        return (
            np.sort(stay),
            np.sort(go),
            ("too many classes for the rows: the parts are drawn without regard to them",),
        )
    stay, go = train_test_split(common, test_size=size, random_state=_state(seed), stratify=classes[~is_rare])
    note = f"{num_rare} classes with fewer than {FEWEST_IN_CLASS} rows are in training only"
    return np.sort(np.concatenate((stay, rows[is_rare]))), np.sort(go), (note,) if num_rare else ()


def _count(rows: np.ndarray, share: float) -> int:
    return min(max(1, round(share * len(rows))), len(rows) - 1)


def _state(seed: int) -> int:
    return derive(seed, "split") % 2**32


def order_of(values: Any, *, name: str) -> np.ndarray:
    """Turn times of any type (numbers, dates, dates in words) into numbers that sort as they do.

    Raises:
        DataError: A row has no time.
    """
    series = pd.Series(values, name=name)
    if not (
        pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_datetime64_any_dtype(series.dtype)
    ):
        numbers = pd.to_numeric(series, errors="coerce")
        series = (
            numbers
            if numbers.notna().all()
            else pd.to_datetime(series, format="mixed", errors="coerce", utc=True)
        )
    if series.isna().any():
        raise DataError(
            f"time {name!r} has no readable time in row {int(np.argmax(series.isna())) + 1}",
            fix="fill it, or leave such rows out",
        )
    return series.rank(method="dense").to_numpy()
