"""What each column of a table is, decided by what its training rows hold."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from goodfit.data import cells

Kind = Literal["number", "boolean", "date-time", "category", "presence", "identifier", "constant", "text"]

ONE_HOT_LEVELS = 12
"""A category with more levels than this gets a learned embedding instead of one input a level."""

RARE_ROWS = 3
PARSED_SHARE = 0.95
UNIQUE_SHARE = 0.5
LONG_TEXT_WORDS = 5
SAMPLE = 1000
MISSING_LEVEL = "(missing)"
TIME_PARTS = ("time", "year", "month", "day", "weekday", "hour", "season sine", "season cosine")
IDENTIFIER = re.compile(r"(?i:(?:.*[\s_.\-])?(?:id|uuid|guid|index|rownames?|unnamed: 0))|.*[a-z](?:ID|Id)")
DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ ,-]+\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
    r"(?:[ T]\d{1,2}:\d{2}.*)?"
)
DAY_OVER_TWELVE = re.compile(r"(?:1[3-9]|2\d|3[01])[-/.]\d{1,2}[-/.]\d{4}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        kind: What it holds. Identifiers, constants and free text are dropped; of a column of kind
            ``"presence"`` only whether a cell is filled is kept.
        note: Why it was typed so, or what is done with it; empty where nothing need be said.
        categories: Levels of a category in the order of their codes; the first has code 1,
            and code 0 stands for whatever training did not hold.
        origin: What is taken off before the numbers are stored as float32, which holds seven digits.
        day_first: Whether ``1/2/2020`` is in February.
    """

    name: str
    kind: Kind
    note: str = ""
    categories: tuple[str, ...] = ()
    origin: float = 0.0
    day_first: bool = False

    @property
    def is_dropped(self) -> bool:
        """Whether the network never sees it."""
        return self.kind in ("identifier", "constant", "text")

    @property
    def is_embedded(self) -> bool:
        """Whether it is a category that a network should embed."""
        return self.kind == "category" and len(self.categories) > ONE_HOT_LEVELS

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the numbers made of it."""
        if self.kind in ("number", "boolean"):
            return (self.name,)
        if self.kind == "date-time":
            return tuple(f"{self.name}: {part}" for part in TIME_PARTS)
        return (f"{self.name}: present",) if self.kind == "presence" else ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Column:
        """Rebuild a column from :meth:`to_dict`."""
        return cls(**{**values, "categories": tuple(values["categories"])})


def describe(series: pd.Series) -> Column:
    """Find out what a column is.

    Args:
        series: The column's training rows; its index holds the rows' numbers in the source.

    Returns:
        The column.

    Example:
        >>> describe(pd.Series(["3", "?", "5.5"] * 10, name="age")).kind
        'number'
    """
    name = str(series.name)
    if not len(series) or series.isna().all():
        return Column(name=name, kind="constant", note="dropped: never filled in the training rows")
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _date_time(name, series, day_first=False)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return _number(name, series)
    return _words(name, series)


def _words(name: str, series: pd.Series) -> Column:
    places, uniques = cells.words(series)
    counts = np.bincount(places[places >= 0], minlength=len(uniques))
    rows_of: dict[str, int] = {}
    for unique, count in zip(uniques, counts.tolist(), strict=True):
        if unique is not None:
            rows_of[unique] = rows_of.get(unique, 0) + count
    num_filled = sum(rows_of.values())
    num_missing = len(series) - num_filled
    if len(rows_of) < 2 and (not rows_of or not num_missing):
        said = f"always {next(iter(rows_of))!r}" if rows_of else "never filled"
        return Column(name=name, kind="constant", note=f"dropped: {said} in the training rows")
    lowered = {level.lower() for level in rows_of}
    if len(lowered) == 2 and lowered & cells.TRUE and lowered & cells.FALSE:
        return Column(name=name, kind="boolean")
    if (number := _number_in_text(name, series, num_filled)) is not None:
        return number
    if (date := _date_in_text(name, series, list(rows_of))) is not None:
        return date
    return _dropped_text(name, rows_of, num_missing) or _category(name, rows_of, num_missing)


def _number_in_text(name: str, series: pd.Series, num_filled: int) -> Column | None:
    values, is_odd = cells.numbers(series)
    if is_odd.sum() > (1 - PARSED_SHARE) * num_filled or np.isnan(values).all():
        return None
    column = _number(name, pd.Series(values, index=series.index, name=name))
    odd = series[is_odd]
    note = f"{len(odd)} cells such as {odd.iloc[0]!r} are taken as missing" if len(odd) else column.note
    return dataclasses.replace(column, note=note)


def _number(name: str, series: pd.Series) -> Column:
    values, _ = cells.numbers(series)
    filled = values[~np.isnan(values)]
    if not len(filled):
        return Column(name=name, kind="constant", note="dropped: no finite number in the training rows")
    low, high = float(filled.min()), float(filled.max())
    has_missing = len(filled) < len(values)
    if low == high:
        note = f"always {low:g} in the training rows"
        return Column(
            name=name,
            kind="presence" if has_missing else "constant",
            note=note if has_missing else f"dropped: {note}",
        )
    if _is_counter(name, values, series.index.to_numpy()):
        return Column(
            name=name, kind="identifier", note="dropped: an identifier, another whole number in every row"
        )
    if low == 0 and high == 1 and np.isin(filled, (0.0, 1.0)).all():
        return Column(name=name, kind="boolean")
    middle = float(np.median(filled[:: max(1, len(filled) // 10_000)]))
    return Column(name=name, kind="number", origin=middle if abs(middle) > 1e3 * (high - low) else 0.0)


def _is_counter(name: str, values: np.ndarray, rows: np.ndarray) -> bool:
    """Whether every row has a whole number of its own that counts the rows, or is called an identifier."""
    if len(values) < 10 or np.isnan(values).any() or (values != np.round(values)).any():
        return False
    steps = np.diff(values)
    is_sorted = bool((steps > 0).all() or (steps < 0).all())
    if is_sorted and np.issubdtype(rows.dtype, np.number):
        return bool(abs(np.corrcoef(values, rows)[0, 1]) > 0.999) or IDENTIFIER.fullmatch(name) is not None
    return IDENTIFIER.fullmatch(name) is not None and len(np.unique(values)) == len(values)


def _date_in_text(name: str, series: pd.Series, levels: list[str]) -> Column | None:
    sample = levels[:SAMPLE]
    if sum(DATE.fullmatch(level) is not None for level in sample) < PARSED_SHARE * len(sample):
        return None
    return _date_time(name, series, day_first=any(DAY_OVER_TWELVE.match(level) for level in levels))


def _date_time(name: str, series: pd.Series, *, day_first: bool) -> Column:
    moments, _ = cells.times(series, day_first=day_first)
    first = moments.min()
    if first is pd.NaT or first == moments.max():
        return Column(name=name, kind="constant", note="dropped: one and the same time in the training rows")
    note = "expanded to time, year, month, day, weekday, hour and season"
    return Column(name=name, kind="date-time", note=note, origin=days(first), day_first=day_first)


def days(moments: Any) -> Any:
    """Days since 1970, as float; of one moment or of many."""
    return (moments - pd.Timestamp(0)) / pd.Timedelta(days=1)


def _dropped_text(name: str, rows_of: dict[str, int], num_missing: int) -> Column | None:
    num_filled = sum(rows_of.values())
    num_words = sum(len(level.split()) for level in rows_of) / len(rows_of)
    is_long = num_words > LONG_TEXT_WORDS and len(rows_of) > 10 * ONE_HOT_LEVELS
    if not is_long and (len(rows_of) <= UNIQUE_SHARE * num_filled or len(rows_of) <= ONE_HOT_LEVELS):
        return None
    kind: Kind = "text" if num_words >= 2 else "identifier"
    what = "free text" if kind == "text" else "an identifier"
    said = f"{what}, {len(rows_of)} different values in {num_filled} rows"
    if num_missing > 0.05 * (num_missing + num_filled):
        return Column(name=name, kind="presence", note=f"{said}: only whether it is filled is kept")
    return Column(name=name, kind=kind, note=f"dropped: {said}")


def _category(name: str, rows_of: dict[str, int], num_missing: int) -> Column:
    fewest = RARE_ROWS if len(rows_of) > ONE_HOT_LEVELS else 1
    levels = sorted(level for level, count in rows_of.items() if count >= fewest)
    num_rare = len(rows_of) - len(levels)
    if num_missing >= RARE_ROWS:
        levels.append(MISSING_LEVEL)
    if not levels:
        return Column(
            name=name, kind="identifier", note=f"dropped: none of {len(rows_of)} levels has {RARE_ROWS} rows"
        )
    note = f"{num_rare} levels with fewer than {RARE_ROWS} rows are taken as one" if num_rare else ""
    return Column(name=name, kind="category", note=note, categories=tuple(levels))
