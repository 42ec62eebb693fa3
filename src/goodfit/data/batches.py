"""One batch, or one sample: which of its parts are inputs, and which is the target."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from goodfit.data.arrays import as_array
from goodfit.errors import DataError

INPUT_KEYS = ("x", "inputs", "input", "image", "images", "pixel_values", "features", "data")
TARGET_KEYS = ("y", "target", "targets", "label", "labels", "class")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """A batch or a sample, taken apart.

    Attributes:
        inputs: The inputs by name.
        targets: The targets.
        by_name: Whether the batch itself named several inputs.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    by_name: bool

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Inputs and targets."""
        return (*self.inputs.values(), self.targets)

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return sum(array.nbytes for array in self.arrays)

    def as_batch(self) -> Pieces:
        """Turn a sample into a batch of one row."""
        inputs = {name: array[None] for name, array in self.inputs.items()}
        targets = self.targets
        # a row of one target axis of length 1 would be told from a plain target by nobody
        targets = targets if targets.ndim == 2 and targets.shape[0] == 1 else targets[None]
        return dataclasses.replace(self, inputs=inputs, targets=targets)

    def refuse_lengths(self, *, place: int) -> None:
        """Raise a :class:`DataError` if inputs and targets are not of one number of rows."""
        for name, array in self.inputs.items():
            if array.ndim and self.targets.ndim and len(array) != len(self.targets):
                raise DataError(
                    f"batch {place} has {len(array)} rows of {name} and {len(self.targets)} targets",
                    fix="let the first axis of every tensor of a batch be its rows",
                )


def take_apart(item: Any, *, target: str | None = None) -> Pieces:
    """Find inputs and targets in a batch.

    A tuple is ``(inputs, target)``, where inputs may be a tensor, a tuple of them or a mapping, or
    ``(input, input, ..., target)``. A mapping or an object (a dataclass, a named tuple, a
    ``BatchEncoding``) has a target by one of the usual names; everything else in it that holds numbers is an
    input.

    Args:
        item: What a loader yielded.
        target: Name of the target, where it is none of the usual ones.

    Raises:
        DataError: There is no target, or no input.

    Example:
        >>> pieces = take_apart({"ids": np.zeros((2, 3)), "mask": np.ones((2, 3)), "label": [0, 1]})
        >>> list(pieces.inputs), pieces.targets.tolist(), pieces.by_name
        (['ids', 'mask'], [0, 1], True)
    """
    parts = _named(item)
    if parts is not None:
        return _of_mapping(parts, target)
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        said = f"{type(item).__name__} of {len(item)}" if isinstance(item, (tuple, list)) else _word(item)
        raise DataError(f"a batch is {said}", fix="yield (inputs, target), or a dict with keys x and y")
    *inputs, targets = item
    if len(inputs) == 1:
        within = _named(inputs[0])
        if within is not None:
            return Pieces(inputs=_arrays(within), targets=_numbers(targets), by_name=True)
        is_several = isinstance(inputs[0], (tuple, list)) and all(isinstance(p, Tensor) for p in inputs[0])
        inputs = list(inputs[0]) if is_several else inputs
    several = len(inputs) > 1
    named = {f"input {i}" if several else "inputs": part for i, part in enumerate(inputs)}
    return Pieces(
        inputs={name: _numbers(part) for name, part in named.items()},
        targets=_numbers(targets),
        by_name=False,
    )


def _named(item: Any) -> dict[str, Any] | None:
    """Parts of a batch that has names for them; ``None`` for tensors and plain tuples."""
    if isinstance(item, Mapping):
        return {str(key): value for key, value in item.items()}
    if hasattr(item, "_asdict"):
        return dict(item._asdict())
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    plain = (Tensor, np.ndarray, np.generic, tuple, list, str, bytes, numbers.Number)
    if isinstance(item, plain) or not getattr(item, "__dict__", None) or not hasattr(item, "__class__"):
        return None
    return {name: value for name, value in vars(item).items() if not name.startswith("_")}


def _of_mapping(parts: dict[str, Any], target: str | None) -> Pieces:
    key = target or next((key for key in TARGET_KEYS if parts.get(key) is not None), None)
    inputs = _arrays({name: part for name, part in parts.items() if name != key})
    if key not in parts or not inputs:
        raise DataError(
            f"a batch is a mapping with {', '.join(parts)}",
            fix="yield (inputs, target), or a dict with keys x and y; target= names another key",
        )
    plain = [name for name in inputs if name in INPUT_KEYS]
    if len(plain) == 1 and len(inputs) > 1 and _are_details(inputs, plain[0]):
        inputs = {plain[0]: inputs[plain[0]]}
    return Pieces(inputs=inputs, targets=_numbers(parts[key]), by_name=len(inputs) > 1)


def _are_details(inputs: dict[str, np.ndarray], plain: str) -> bool:
    """Whether all else is one number a row at most, such as the row's place in the data set."""
    return all(array.ndim < min(2, inputs[plain].ndim) for name, array in inputs.items() if name != plain)


def _arrays(parts: dict[str, Any]) -> dict[str, np.ndarray]:
    """Keep what holds numbers; names, texts and absent parts are no inputs."""
    kept = {}
    for name, part in parts.items():
        if part is None or isinstance(part, (str, bytes)):
            continue
        array = _numbers(part)
        if np.issubdtype(array.dtype, np.number) or array.dtype == bool:
            kept[name] = array
    return kept


def _numbers(part: Any) -> np.ndarray:
    if isinstance(part, Tensor) and part.device.type == "meta":
        raise DataError("a batch lies on the device meta, which holds no numbers", fix="load real tensors")
    if isinstance(part, Tensor) and part.is_sparse:
        part = part.to_dense()
    if isinstance(part, Tensor) and part.dtype.itemsize == 2 and part.is_floating_point():
        part = part.float()  # NumPy has no bfloat16
    return as_array(part)


def _word(item: Any) -> str:
    return type(item).__name__
