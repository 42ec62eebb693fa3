"""Arrays in memory and in ``.npz`` or ``.npy`` files: flat rows become a table, images stay whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from goodfit.data.preparation import unnamed
from goodfit.data.reading import LARGEST_BYTE
from goodfit.data.sniffing import existing
from goodfit.errors import DataError

INPUT_KEYS = ("x", "X", "data", "images", "features")
TARGET_KEYS = ("y", "Y", "target", "targets", "labels", "label")
TEST_ENDINGS = ("_test",)
VALIDATION_ENDINGS = ("_val", "_valid", "_validation")
CHANNELS = (1, 3, 4)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """Rows as the user gave them.

    Attributes:
        inputs: A frame without its target, or an array ``(N, ...)`` that goes into a network whole.
        targets: Their targets, some perhaps missing.
    """

    inputs: pd.DataFrame | np.ndarray
    targets: pd.Series


def pair(inputs: Any, targets: Any, *, name: str = "target") -> Given:
    """Put inputs and targets together.

    Args:
        inputs: Rows ``(N, D)``, or images ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, H, W, C)``.
        targets: One target a row; a name that they carry themselves goes before ``name``.
        name: Name of the target.

    Raises:
        DataError: Lengths differ, or the shapes are none of these.
    """
    series = _targets(targets, name)
    rows = as_rows(inputs)
    if len(rows) != len(series):
        raise DataError(
            f"there are {len(rows)} rows of inputs and {len(series)} targets",
            fix="give one target for each row",
        )
    return Given(inputs=rows, targets=series)


def as_array(values: Any) -> np.ndarray:
    """Turn a tensor, list, sparse matrix or array into an array.

    Raises:
        DataError: Its rows have different lengths.
    """
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if hasattr(values, "toarray"):
        return values.toarray()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"inputs are no array: {error}", fix="give every row the same number of values"
        ) from error


def as_rows(inputs: Any) -> pd.DataFrame | np.ndarray:
    """Turn inputs into a frame if rows are flat, into images ``(N, C, H, W)`` otherwise."""
    if isinstance(inputs, pd.DataFrame):
        return inputs.reset_index(drop=True)
    array = as_array(inputs)
    if array.ndim == 2 and array.shape[1] > 0:
        return unnamed(array)
    if array.ndim in (3, 4) and array.dtype != object:
        return _compact(_channels_first(array))
    raise DataError(
        f"inputs have shape {array.shape}",
        fix="give (N, D) for rows, or (N, H, W), (N, C, H, W) or (N, H, W, C) for images",
    )


def read_npz(path: str | Path) -> dict[str, Given]:
    """Read the parts of an ``.npz`` file.

    Args:
        path: It holds ``x`` and ``y`` (or ``X``, ``data``, ``images``; ``target``, ``labels``),
            or ``x_train``, ``y_train``, ``x_test``, ``y_test`` and perhaps ``x_val``, ``y_val``.

    Returns:
        ``"main"``, and ``"test"`` and ``"validation"`` where they are given.

    Raises:
        DataError: The file is unreadable, or holds no such pair.
    """
    arrays = _load(Path(path))
    parts = {"main": ("", "_train"), "test": TEST_ENDINGS, "validation": VALIDATION_ENDINGS}
    found = {name: _find(arrays, endings) for name, endings in parts.items()}
    if found["main"] is None:
        raise DataError(
            f"{path} holds {', '.join(arrays) or 'nothing'}",
            fix="name the arrays x and y, or x_train and y_train",
        )
    return {name: pair(*arrays_of) for name, arrays_of in found.items() if arrays_of is not None}


def read_npy(path: str | Path, *, target: str | int | None = None) -> Given:
    """Read an ``.npy`` file of rows in which one column (the last, unless said) is the target."""
    array = _load(Path(path))["array"]
    if array.ndim != 2:
        raise DataError(
            f"{path} has shape {array.shape}", fix="give rows with the target as last column, or an .npz file"
        )
    return part_off(array, target)


def read_inputs(path: str | Path) -> pd.DataFrame | np.ndarray:
    """Read rows to predict from an ``.npz`` or ``.npy`` file."""
    arrays = _load(Path(path))
    for key in (*INPUT_KEYS, *(f"{key}_test" for key in INPUT_KEYS), "array"):
        if key in arrays:
            return as_rows(arrays[key])
    raise DataError(f"{path} holds {', '.join(arrays)}", fix="name the array of rows x")


def part_off(array_ND: np.ndarray, target: str | int | None) -> Given:
    """Part the target column (by place; the last by default) off from flat rows."""
    place = _place(target, array_ND.shape[1])
    names = [f"x{column}" for column in range(array_ND.shape[1])]
    frame = pd.DataFrame(array_ND, columns=names)
    return Given(inputs=frame.drop(columns=names[place]), targets=frame[names[place]].infer_objects())


def _place(target: str | int | None, width: int) -> int:
    text = "-1" if target is None else str(target).removeprefix("x")
    if not text.lstrip("-").isdigit() or not -width <= int(text) < width:
        raise DataError(
            f"target is {target!r}, there are {width} columns", fix=f"give a number from 0 to {width - 1}"
        )
    return int(text) % width


def _targets(targets: Any, name: str) -> pd.Series:
    if isinstance(targets, pd.DataFrame) and targets.shape[1] == 1:
        targets = targets.iloc[:, 0]
    if isinstance(targets, pd.Series):
        return targets.reset_index(drop=True).rename(name if targets.name is None else str(targets.name))
    array = as_array(targets)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"targets have shape {array.shape}", fix="give one target a row, shape (N,)")
    return pd.Series(array, name=name).infer_objects()


def _channels_first(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        return array[:, None]
    if array.shape[1] not in CHANNELS and array.shape[3] in CHANNELS:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2))
    return array


def _compact(array: np.ndarray) -> np.ndarray:
    """Keep bytes as bytes, whatever type they came in; anything else becomes float32."""
    if array.dtype == np.uint8:
        return array
    if (
        np.issubdtype(array.dtype, np.integer)
        and array.min(initial=0) >= 0
        and 1 < array.max(initial=0) <= LARGEST_BYTE
    ):
        return array.astype(np.uint8)
    return array.astype(np.float32)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        loaded = np.load(existing(path), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"array": loaded}
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", fix="save plain arrays with numpy.savez"
        ) from error
    except Exception as error:  # zipfile and zlib raise errors of their own on damaged files
        raise DataError(f"{path} is damaged: {error}", fix="save it again with numpy.savez") from error


def _find(arrays: dict[str, np.ndarray], endings: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    for ending in endings:
        inputs = next((arrays[key + ending] for key in INPUT_KEYS if key + ending in arrays), None)
        targets = next((arrays[key + ending] for key in TARGET_KEYS if key + ending in arrays), None)
        if inputs is not None and targets is not None:
            return inputs, targets
    return None
