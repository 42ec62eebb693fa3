"""Read the cells of one column as words, numbers or times, however the column happens to be stored.

A streamed piece and the whole file may store one column differently (``1``, ``1.0``, ``"1"``),
so every reading here depends on what a cell says, never on the column's type.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from goodfit.errors import DataError

EMPTY = frozenset(("", "?", "na", "n/a", "nan", "-nan", "null", "nat", "#n/a", "<na>"))
"""Words that stand for an empty cell anywhere."""

GAPS = EMPTY | {"-", "--", ".", "none", "nil", "missing", "unknown"}
"""Words that stand for a missing number; among words they may be levels or classes of their own."""

TRUE = frozenset(("true", "t", "yes", "y", "on"))
FALSE = frozenset(("false", "f", "no", "n", "off"))
DECORATED_NUMBER = re.compile(r"[$€£]?\s*([+-]?\s*\d{1,3}(?:,\d{3})+(?:\.\d*)?|[+-]?\s*\d*\.?\d+)\s*[%$€£]?")
CLOCK = re.compile(r"\d{1,2}:\d{2}")
LARGEST = float(np.finfo(np.float32).max)
FLOAT_DIGITS = ".15g"


def word(value: Any) -> str | None:
    """Write one cell the one way that equals itself in every file.

    Example:
        >>> [word(1), word(1.0), word("1.00"), word(" red "), word("?"), word(True)]
        ['1', '1', '1', 'red', None, 'true']
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    text = str(value).strip()
    if text.lower() in EMPTY:
        return None
    if CLOCK.fullmatch(text):
        return f"{text}:00"
    number = plain_number(text)
    return text if number is None else format(number, FLOAT_DIGITS)


def words(series: pd.Series) -> tuple[np.ndarray, list[str | None]]:
    """Read a column as words.

    Args:
        series: Any column.

    Returns:
        For each row the place of its word in the list (-1 where the cell is empty), and the list.
    """
    places, uniques = _factorize(series)
    return places, [word(value) for value in uniques]


def numbers(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as numbers.

    Args:
        series: Any column; thousands separators, percent and currency signs are understood.

    Returns:
        float64 numbers with NaN where missing or infinite, and which cells hold something else.
    """
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        series = series.dt.total_seconds()
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype):
        return _finite(series.to_numpy(dtype=np.float64, na_value=np.nan)), np.zeros(len(series), dtype=bool)
    places, uniques = _factorize(series)
    values, is_odd = _parse_uniques(uniques)
    # The place -1 of an empty cell picks the entry appended last.
    return np.append(values, np.nan)[places], np.append(is_odd, False)[places]


def times(series: pd.Series, *, day_first: bool = False) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Read a column as times without a zone (those with one are moved to UTC).

    Args:
        series: Any column.
        day_first: Whether ``1/2/2020`` is in February.

    Returns:
        The times with NaT where missing, and which cells hold something else.
    """
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return pd.DatetimeIndex(pd.to_datetime(series, utc=True)).tz_localize(None), np.zeros(
            len(series), dtype=bool
        )
    places, uniques = _factorize(series)
    cells = [value if word(value) is not None else None for value in uniques]
    parsed = pd.to_datetime(
        pd.Series(cells, dtype=object), format="mixed", dayfirst=day_first, errors="coerce", utc=True
    )
    is_odd = parsed.isna().to_numpy() & np.array([cell is not None for cell in cells], dtype=bool)
    moments = pd.DatetimeIndex(parsed).tz_localize(None).as_unit("us")
    whole = moments.append(pd.DatetimeIndex([pd.NaT]))
    return whole[places], np.append(is_odd, False)[places]


def switches(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read a column of yes and no as 1 and 0 (returns as for :func:`numbers`)."""
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype):
        return numbers(series)
    places, uniques = _factorize(series)
    values, is_odd = _parse_uniques(uniques)
    for place, value in enumerate(uniques):
        lower = (word(value) or "").lower()
        if lower in TRUE | FALSE:
            values[place], is_odd[place] = float(lower in TRUE), False
    return np.append(values, np.nan)[places], np.append(is_odd, False)[places]


def refuse_odd(series: pd.Series, is_odd: np.ndarray, *, holds: str) -> None:
    """Raise a :class:`DataError` that names the column and its first cell that cannot be read."""
    if is_odd.any():
        place = int(np.argmax(is_odd))
        raise DataError(
            f"column {series.name!r} held {holds} in training, and {series.iloc[place]!r} in row {place + 1}",
            fix=f"write {holds} there, or leave the cell empty",
        )


def plain_number(text: str) -> float | None:
    """Read a finite number that is written without signs around it; ``None`` if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) and "_" not in text else None


def _factorize(series: pd.Series) -> tuple[np.ndarray, Any]:
    try:
        return pd.factorize(series)
    except TypeError:  # cells such as lists or dictionaries have no hash
        return pd.factorize(series.map(str, na_action="ignore"))


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _parse_uniques(uniques: Any) -> tuple[np.ndarray, np.ndarray]:
    cells = pd.Series(np.asarray(uniques, dtype=object), dtype=object)
    is_switch = cells.map(lambda cell: isinstance(cell, (bool, np.bool_))).to_numpy(dtype=bool)
    parsed = pd.to_numeric(cells.where(~is_switch, None), errors="coerce")
    values = np.array(parsed, dtype=np.float64)
    values[is_switch] = cells[is_switch].astype(float)
    is_odd = np.isnan(values)
    for place in np.flatnonzero(is_odd):
        text = str(cells.iloc[place]).strip()
        if text.lower() in GAPS:
            is_odd[place] = False
        elif match := DECORATED_NUMBER.fullmatch(text):
            values[place], is_odd[place] = float(re.sub(r"[,\s]", "", match.group(1))), False
    return _finite(values), is_odd
