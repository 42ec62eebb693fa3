"""What an ejected script says about its data, and the numbers that it keeps beside its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.compose import ColumnTransformer

from goodfit.data.columns import Column
from goodfit.data.numbers import LIMIT, MAX_BINS, MAX_WIDTH, NumberScaling
from goodfit.data.preparation import Preparation

WIDTH = 108


def source(value: Any, *, indent: int = 0) -> str:
    """Write a plain value as Python source, broken into lines where it is too long for one.

    Example:
        >>> source([("pet", ("cat", "dog")), 1.5])
        '[("pet", ("cat", "dog")), 1.5]'
    """
    if isinstance(value, str):
        return _quoted(value)
    if not isinstance(value, (list, tuple)):
        return repr(value)
    opening, closing = "[]" if isinstance(value, list) else "()"
    line = opening + ", ".join(map(source, value)) + ("," if len(value) == 1 and opening == "(" else "")
    if len(line) + indent < WIDTH:
        return line + closing
    is_nested = any(isinstance(item, (list, tuple)) for item in value)
    items = [source(item, indent=indent + 4) for item in value]
    lines = items if is_nested else _filled(items, WIDTH - indent - 4)
    inside = "".join(f"{' ' * (indent + 4)}{text},\n" for text in lines)
    return f"{opening}\n{inside}{' ' * indent}{closing}"


def _quoted(text: str) -> str:
    is_text = text.encode("utf-8", "ignore").decode() == text  # a file name may hold bytes that are no text
    return json.dumps(text, ensure_ascii=not is_text)


def _filled(items: Sequence[str], width: int) -> list[str]:
    """Put as many items on each line as fit."""
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + len(item) + 3 < width:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return lines


def harmless(text: str) -> str:
    """Make a sentence that cannot end a docstring or hide an escape in it.

    Example:
        >>> harmless('use "quotes" and \\\\n')
        "use 'quotes' and /n"
    """
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def words(preparation: Preparation, inputs: str) -> dict[str, Any]:
    """Collect what the templates need to write the preparation.

    Args:
        preparation: As the run fitted it.
        inputs: The view that the network sees.
    """
    used = [column for column in preparation.columns if not column.is_dropped]
    categories = [column for column in used if column.kind == "category"]
    numbers = preparation.numbers
    grid = preparation.grid
    return {
        "is_table": grid is None,
        "grid": grid,
        "trailing": "" if grid is None else f".reshape(-1{', 1' * (len(grid.shape) - 1)})",
        "limit": LIMIT,
        "inputs": inputs,
        "columns": source([(column.name, column.kind, _detail(column)) for column in used]),
        "kinds": {column.kind for column in used},
        "is_shared": numbers.is_shared,
        "has_wild": len(numbers.wild) > 0,
        "wild": source(numbers.kept[numbers.wild].tolist()),
        "max_bins": MAX_BINS,
        "max_width": MAX_WIDTH,
        "origins": source([_origin(column) for column in used for _ in column.number_names]),
        "has_one_hot": any(not column.is_embedded for column in categories),
        "one_hot": [
            (place, len(column.categories))
            for place, column in enumerate(categories)
            if not column.is_embedded
        ],
        "embedded": [place for place, column in enumerate(categories) if column.is_embedded],
    }


def state(preparation: Preparation, inputs: str) -> dict[str, torch.Tensor]:
    """Collect the numbers of a table's preparation, under the names that the script gives them."""
    if preparation.grid is not None:
        return {}
    numbers = preparation.numbers
    width = len(numbers.names)
    medians = numbers.imputer.statistics_ if numbers.imputer is not None else np.zeros(width)
    mean, scale, ranks = _scales(numbers)
    arrays = {
        "gaps": numbers.with_gaps.astype(np.int64),
        "kept": numbers.kept.astype(np.int64),
        "medians": np.asarray(medians, dtype=np.float32),
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
    }
    if ranks is not None:
        arrays |= {"quantiles": ranks.quantiles_, "references": ranks.references_}
        arrays |= {"wild": numbers.wild.astype(np.int64)}
    if inputs == "expanded":
        arrays |= {
            "bin_places": numbers.bin_columns.astype(np.int64),
            "bin_lows": numbers.bin_lows,
            "bin_widths": numbers.bin_widths,
        }
    return {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}


def _scales(numbers: NumberScaling) -> tuple[np.ndarray, np.ndarray, Any]:
    """Mean and deviation of each kept number, and the ranks of the wild ones, out of the fitted scaler."""
    mean, scale = np.zeros(len(numbers.kept)), np.ones(len(numbers.kept))
    if numbers.scaler is None:
        return mean, scale, None
    if not isinstance(numbers.scaler, ColumnTransformer):
        return mean, np.asarray(numbers.scaler.scale_), None
    ranks = None
    for name, part, places in numbers.scaler.transformers_:
        if name == "remainder" or not len(places):
            continue
        standard = part
        if name == "wild":
            ranks, standard = part[0], part[1]
        mean[places], scale[places] = standard.mean_, standard.scale_
    return mean, scale, ranks


def _detail(column: Column) -> Any:
    if column.kind == "category":
        return column.categories
    if column.kind == "date-time":
        return column.origin, column.day_first
    return column.origin if column.kind == "number" else None


def _origin(column: Column) -> float:
    return column.origin if column.kind == "number" else 0.0
