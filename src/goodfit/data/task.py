"""What is to be learnt, classes or numbers, and how to write it for a network and read it back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from goodfit.data import cells
from goodfit.errors import DataError

TaskKind = Literal["classes", "numbers", "labels", "places"]
KINDS: tuple[TaskKind, ...] = ("classes", "numbers", "labels", "places")
FEW_VALUES = 20
MANY_CLASSES = 1000
HEAVY_KURTOSIS = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be learnt.

    Attributes:
        kind: ``"classes"`` (one a row), ``"numbers"`` (one or several a row), ``"labels"`` (several yes or
            no a row), or ``"places"`` (a class for each place of a row: a time step, a pixel).
        target: Name of the target.
        labels: The labels as the user wrote them, in the order of their codes; empty for numbers.
        center: Mean of the numbers on training rows.
        scale: Their standard deviation.
        heavy_tailed: Whether the numbers' excess kurtosis on training rows is above 5, so that
            a few rows would rule the squared loss.
        low: Smallest number among the training rows.
        high: Largest number among the training rows.
        shape: Shape of one row's target; ``()`` for one class or number.
    """

    kind: TaskKind
    target: str
    labels: tuple[Any, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    heavy_tailed: bool = False
    low: float = 0.0
    high: float = 0.0
    shape: tuple[int, ...] = ()

    @property
    def num_outputs(self) -> int:
        """Outputs of a network (for places, of each place): one a class, a label or a number."""
        return len(self.labels) if self.kind in ("classes", "places") else math.prod(self.shape)

    @property
    def metric(self) -> str:
        """The usual score."""
        names = {"classes": "accuracy", "labels": "label accuracy", "places": "place accuracy"}
        return names.get(self.kind, "r2")

    def encode(self, values: Any) -> np.ndarray:
        """Write targets as a network sees them.

        Args:
            values: Labels, or numbers in the user's units.

        Returns:
            int64 codes, or float32 standardised numbers.

        Raises:
            DataError: A label is none of the task's, or a number cannot be read.

        Example:
            >>> Task(kind="classes", target="pet", labels=("cat", "dog")).encode(["dog", "cat"])
            array([1, 0])
        """
        series = pd.Series(values, name=self.target).reset_index(drop=True)
        if self.kind == "numbers":
            numbers, is_odd = cells.numbers(series)
            cells.refuse_odd(series, is_odd | np.isnan(numbers), holds="a number")
            return ((numbers - self.center) / self.scale).astype(np.float32)
        places, uniques = cells.words(series)
        codes = pd.Index([cells.word(label) for label in self.labels]).get_indexer(
            pd.Index(uniques, dtype=object)
        )
        codes_N = np.append(codes, -1)[places].astype(np.int64)
        if (codes_N < 0).any():
            stranger = series.iloc[int(np.argmax(codes_N < 0))]
            raise DataError(
                f"target {self.target!r} holds {stranger!r}, which is none of its {len(self.labels)} classes",
                fix="leave such rows out, or train with rows of that class",
            )
        return codes_N

    def decode(self, predictions: Any) -> np.ndarray:
        """Read a network's predictions back.

        Args:
            predictions: Codes of classes, or standardised numbers.

        Returns:
            Labels, or numbers in the user's units.

        Example:
            >>> Task(kind="numbers", target="price", center=100.0, scale=20.0).decode([-1.0, 0.5])
            array([ 80., 110.])
        """
        values = np.asarray(predictions)
        if self.kind == "labels":
            return values
        if self.kind == "numbers":
            return values.astype(np.float64) * self.scale + self.center
        labels = np.array(self.labels) if len({type(label) for label in self.labels}) == 1 else None
        if labels is None:
            labels = np.empty(len(self.labels), dtype=object)
            labels[:] = self.labels
        return labels[values.astype(np.int64)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**dataclasses.asdict(self), "labels": list(self.labels), "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Task:
        """Rebuild a task from :meth:`to_dict`."""
        # a record of before there were targets of a shape has none
        shape = tuple(values.get("shape", ()))
        return cls(**{**values, "labels": tuple(values["labels"]), "shape": shape})


def is_missing(targets: pd.Series) -> np.ndarray:
    """Which rows have no target: empty, one of the signs for missing, NaN or infinite."""
    if pd.api.types.is_numeric_dtype(targets.dtype) and not pd.api.types.is_bool_dtype(targets.dtype):
        return ~np.isfinite(targets.to_numpy(dtype=np.float64, na_value=np.nan))
    places, uniques = cells.words(targets)
    return np.append([unique is None for unique in uniques], True).astype(bool)[places]


def kind_of(targets: pd.Series) -> TaskKind:
    """Decide by content whether targets are classes or numbers.

    Words, booleans and categories are classes, and so are whole numbers of which few
    (at most 20) are different and each comes about five times or more.
    """
    if isinstance(targets.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(targets.dtype):
        return "classes"
    values, is_odd = cells.numbers(targets)
    if is_odd.any() or np.isnan(values).any():
        return "classes"
    num_different = len(np.unique(values))
    is_few = num_different <= FEW_VALUES and num_different * 5 <= len(values)
    return "classes" if is_few and (values == np.round(values)).all() else "numbers"


def define(
    targets: pd.Series, train_index: np.ndarray | None = None, *, kind: TaskKind | None = None
) -> Task:
    """Define the task from the targets of all rows that have one.

    Args:
        targets: Targets of all parts; only which labels there are is taken from rows outside training.
        train_index: Places of the training rows, or ``None`` for all.
        kind: What the user says it is; ``None`` lets :func:`kind_of` decide.

    Returns:
        The task.

    Raises:
        DataError: The target never changes, has too many classes, or holds words for numbers.
    """
    name = str(targets.name)
    kind = kind or kind_of(targets)
    if kind not in ("classes", "numbers"):
        raise DataError(f"task is {kind!r}", fix='give "classes" or "numbers", or leave it out')
    if kind == "numbers":
        return _numbers(name, targets, train_index)
    labels = _labels(targets)
    _refuse_classes(name, labels, len(targets))
    return Task(kind="classes", target=name, labels=labels)


def _numbers(name: str, targets: pd.Series, train_index: np.ndarray | None) -> Task:
    series = targets.reset_index(drop=True)
    values, is_odd = cells.numbers(series)
    if is_odd.any():
        raise DataError(
            f"target {name!r} holds {series[is_odd].iloc[0]!r}, which is not a number",
            fix='give task="classes", or mend the cell',
        )
    train = values if train_index is None else values[train_index]
    low, high, scale = float(train.min()), float(train.max()), float(train.std())
    if low == high or not np.isfinite(scale) or scale == 0:
        raise _constant(name, f"{low:g}")
    kurtosis = float(np.mean(((train - train.mean()) / scale) ** 4)) - 3
    return Task(
        kind="numbers",
        target=name,
        center=float(train.mean()),
        scale=scale,
        heavy_tailed=kurtosis > HEAVY_KURTOSIS,
        low=low,
        high=high,
    )


def _labels(targets: pd.Series) -> tuple[Any, ...]:
    uniques: Sequence[Any] = list(pd.unique(targets.astype(object)))
    by_word: dict[str | None, Any] = {}
    for unique in uniques:
        by_word.setdefault(cells.word(unique), _plain(unique))
    labels = list(by_word.values())
    if all(isinstance(label, (int, float)) for label in labels):
        return tuple(sorted(labels))
    return tuple(sorted(labels, key=str))


def _plain(label: Any) -> Any:
    """A label as Python and JSON know it, without blanks around it; 1.0 becomes 1, which equals it."""
    value = label.item() if isinstance(label, np.generic) else label
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (bool, int, float)) else str(value).strip()


def _refuse_classes(name: str, labels: tuple[Any, ...], num_rows: int) -> None:
    if len(labels) < 2:
        raise _constant(name, repr(labels[0]) if labels else "empty")
    is_number = all(isinstance(label, (int, float)) and not isinstance(label, bool) for label in labels)
    said = "1 row a class" if len(labels) == num_rows else f"{num_rows} rows"
    if 2 * len(labels) > num_rows or (is_number and len(labels) > MANY_CLASSES):
        raise DataError(
            f"target {name!r} has {len(labels)} classes in {said}",
            fix='give task="numbers"' if is_number else "choose a target whose labels repeat",
        )


def _constant(name: str, value: str) -> DataError:
    return DataError(f"target {name!r} is {value} in every row", fix="choose a target that changes")
