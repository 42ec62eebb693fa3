"""A torch ``Dataset`` or ``DataLoader``, read once into memory; its inputs stay as the user made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from goodfit.data.arrays import Given, as_array
from goodfit.errors import DataError

INPUT_KEYS = ("x", "inputs", "input", "image", "images", "pixel_values", "features", "data")
TARGET_KEYS = ("y", "target", "targets", "label", "labels", "class")


def read_loader(source: Dataset[Any] | DataLoader[Any]) -> Given:
    """Read every batch (or sample) once.

    Args:
        source: Yields ``(inputs, target)``, or mappings with such keys as ``x`` and ``y``,
            ``image`` and ``label``.

    Returns:
        All rows, inputs as float32 (bytes stay bytes).

    Raises:
        DataError: It yields something else, nothing, or inputs of different shapes.
    """
    is_batched = isinstance(source, DataLoader) and source.batch_size is not None
    inputs: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for item in _items(source):
        x, y = _pair(item)
        inputs.append(as_array(x) if is_batched else as_array(x)[None])
        targets.append(np.atleast_1d(_flat(as_array(y))))
    if not inputs:
        raise DataError(f"the {type(source).__name__} yields nothing", fix="give one with rows")
    return Given(inputs=_joined(inputs), targets=pd.Series(np.concatenate(targets), name="target"))


def _items(source: Any) -> Iterator[Any]:
    if isinstance(source, (DataLoader, IterableDataset)):
        with torch.no_grad():
            yield from source
    elif hasattr(source, "__len__"):
        yield from (source[place] for place in range(len(source)))
    else:
        raise DataError(f"the {type(source).__name__} has no length", fix="wrap it in a DataLoader")


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        x = _first(item, INPUT_KEYS)
        y = _first(item, TARGET_KEYS)
        if x is not None and y is not None:
            return x, y
        said = f"a mapping with {', '.join(map(str, item))}"
    elif isinstance(item, (tuple, list)) and len(item) == 2:
        return item[0], item[1]
    else:
        said = (
            f"{type(item).__name__} of {len(item)}"
            if isinstance(item, (tuple, list))
            else type(item).__name__
        )
    raise DataError(f"a batch is {said}", fix="yield (inputs, target), or a dict with keys x and y")


def _first(item: Mapping[Any, Any], keys: Iterable[str]) -> Any:
    return next((item[key] for key in keys if key in item), None)


def _flat(targets: np.ndarray) -> np.ndarray:
    if targets.ndim == 2 and targets.shape[1] == 1:
        return targets[:, 0]
    if targets.ndim > 1:
        raise DataError(
            f"targets have shape {targets.shape} in a batch", fix="yield one class or number a row"
        )
    return targets


def _joined(inputs: list[np.ndarray]) -> np.ndarray:
    shapes = list(dict.fromkeys(array.shape[1:] for array in inputs))
    if len(shapes) > 1:
        raise DataError(
            f"inputs have shapes {shapes[0]} and {shapes[1]}", fix="pad or crop them to one shape"
        )
    if not shapes[0]:
        raise DataError("inputs are single numbers", fix="yield inputs with an axis of features")
    if not np.issubdtype(inputs[0].dtype, np.number) and inputs[0].dtype != bool:
        raise DataError(
            f"inputs are {inputs[0].dtype}", fix="yield tensors of numbers; add ToTensor() to the transforms"
        )
    joined = np.concatenate(inputs)
    return joined if joined.dtype == np.uint8 else joined.astype(np.float32, copy=False)
