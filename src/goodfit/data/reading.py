"""Read the rows of a frame, column by column, into compact arrays."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd

from goodfit.data import cells
from goodfit.data.columns import MISSING_LEVEL, Column, days

Odd = Literal["refuse", "missing"]
"""What becomes of a cell that is no number in a column of numbers."""
LARGEST_BYTE = 255


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Rows as read, compact, before any scaling.

    Attributes:
        numbers_ND: float32 numbers, NaN where missing; bytes where all are whole numbers from 0 to 255.
        levels_NC: int32 level of each category, 0 where training did not hold it.
        grid_N: Arrays that go in whole, such as images; ``None`` for tables.
    """

    numbers_ND: np.ndarray
    levels_NC: np.ndarray
    grid_N: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numbers_ND)

    def take(self, rows: np.ndarray | slice) -> Cells:
        """Return some of the rows."""
        grid_N = None if self.grid_N is None else self.grid_N[rows]
        return Cells(numbers_ND=self.numbers_ND[rows], levels_NC=self.levels_NC[rows], grid_N=grid_N)


def read_cells(frame: pd.DataFrame, columns: tuple[Column, ...], *, odd: Odd) -> Cells:
    """Read the rows of a frame.

    Args:
        frame: Holds at least the columns that are used.
        columns: What training found in each.
        odd: What becomes of a cell that is no number in a column of numbers.

    Returns:
        The rows, numbers and levels in the order of the columns.

    Raises:
        DataError: A column holds something else than in training, and ``odd`` is ``"refuse"``.
    """
    width = sum(len(column.number_names) for column in columns)
    numbers_ND = np.empty((len(frame), width), dtype=np.uint8)
    levels: list[np.ndarray] = [np.empty((len(frame), 0), dtype=np.int32)]
    place = 0
    for column in columns:
        if column.kind == "category":
            levels.append(_levels(column, frame[column.name])[:, None])
        for values in _numbers(column, frame, odd=odd):
            if numbers_ND.dtype == np.uint8 and not _are_bytes(values):
                numbers_ND = numbers_ND.astype(np.float32)
            numbers_ND[:, place] = values
            place += 1
    return Cells(numbers_ND=numbers_ND, levels_NC=np.hstack(levels))


def _numbers(column: Column, frame: pd.DataFrame, *, odd: Odd) -> list[np.ndarray]:
    if not column.number_names:
        return []
    series = frame[column.name]
    if column.kind == "presence":
        return [~_is_empty(series)]
    if column.kind == "date-time":
        return _time_parts(column, series, odd=odd)
    values, is_odd = cells.switches(series) if column.kind == "boolean" else cells.numbers(series)
    if odd == "refuse":
        cells.refuse_odd(series, is_odd, holds="yes or no" if column.kind == "boolean" else "a number")
    return [values - column.origin]


def _are_bytes(values: np.ndarray) -> bool:
    values = values.astype(np.float64, copy=False)
    is_within = values.min(initial=0) >= 0 and values.max(initial=0) <= LARGEST_BYTE
    return bool(is_within and (values == np.rint(values)).all())


def _is_empty(series: pd.Series) -> np.ndarray:
    places, uniques = cells.words(series)
    return np.append([unique is None for unique in uniques], True).astype(bool)[places]


def _time_parts(column: Column, series: pd.Series, *, odd: Odd) -> list[np.ndarray]:
    moments, is_odd = cells.times(series, day_first=column.day_first)
    if odd == "refuse":
        cells.refuse_odd(series, is_odd, holds="a time")
    season = 2 * np.pi * moments.day_of_year.to_numpy(dtype=np.float64) / 365.25
    hour = moments.hour + moments.minute / 60
    parts = [
        days(moments) - column.origin,
        moments.year,
        moments.month,
        moments.day,
        moments.day_of_week,
        hour,
    ]
    return [np.asarray(part, dtype=np.float64) for part in parts] + [np.sin(season), np.cos(season)]


def _levels(column: Column, series: pd.Series) -> np.ndarray:
    places, uniques = cells.words(series)
    index = pd.Index(column.categories, dtype=object)
    named = pd.Index(
        [MISSING_LEVEL if unique is None else unique for unique in [*uniques, None]], dtype=object
    )
    return (index.get_indexer(named) + 1).astype(np.int32)[places]
