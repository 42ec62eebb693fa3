"""What one row of a loader is made of, and how it becomes one line of numbers and the arguments of a network.

The engine gathers rows of one tensor. Several inputs, or inputs that are no floats (token numbers, masks),
are laid side by side in it as float32, which holds whole numbers up to 2**24 exactly.

Letters: N rows, D numbers of a row.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from goodfit.errors import DataError

LARGEST_EXACT = 2**24
"""Whole numbers above it are rounded by float32."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One input of a network.

    Attributes:
        name: The key or attribute it had in a batch; ``"input 0"`` where it had none.
        shape: Shape of one row of it.
        dtype: Name of the type that the network is given, such as ``"int64"``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Numbers of one row."""
        return math.prod(self.shape)

    @property
    def is_continuous(self) -> bool:
        """Whether its numbers are measurements, and neither codes nor masks."""
        return self.dtype == "float32"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """The inputs of one row, in order.

    Attributes:
        entries: What there is.
        by_name: Whether the network is called with keywords.
        told: What the network's function is told about its outputs: classes, labels or numbers of a row
            (or of a place of a row).
        target: Shape and type of a row's target in the loader.
        class_axis: Axis of one row's outputs that holds the classes of its places: 0 as in images, or last.
        ignored: Class of the loader's places that do not count; -100 in what is learnt from.

    Example:
        >>> form = Form(entries=(Entry(name="a", shape=(2,), dtype="float32"),
        ...                      Entry(name="b", shape=(3,), dtype="int64")), by_name=True, told=2)
        >>> rows = form.pack([np.ones((4, 2)), np.zeros((4, 3), dtype=int)])
        >>> rows.shape, {name: part.dtype for name, part in form.keywords(torch.from_numpy(rows)).items()}
        ((4, 5), {'a': torch.float32, 'b': torch.int64})
    """

    entries: tuple[Entry, ...]
    by_name: bool = False
    told: int = 1
    class_axis: int = -1
    target: Entry = Entry(name="target", shape=(), dtype="int64")
    ignored: int = -100

    @property
    def is_continuous(self) -> bool:
        """Whether every input may be scaled, silenced and blurred."""
        return all(entry.is_continuous for entry in self.entries)

    @property
    def is_plain(self) -> bool:
        """Whether there is one input of float32, so that a network takes the rows as they are."""
        return len(self.entries) == 1 and self.is_continuous and not self.by_name

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one packed row."""
        if len(self.entries) == 1:
            return self.entries[0].shape
        return (sum(entry.size for entry in self.entries),)

    def continuous_D(self) -> np.ndarray:
        """Tell of every number of a packed row whether it is a measurement."""
        return np.concatenate([np.full(entry.size, entry.is_continuous) for entry in self.entries])

    def pack(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Lay inputs side by side, ``(N, D)``; a single one keeps its shape.

        Raises:
            DataError: A whole number is too large to be kept exactly.
        """
        packed = []
        for entry, array in zip(self.entries, arrays, strict=True):
            largest = 0 if entry.is_continuous or not array.size else int(np.abs(array).max())
            if largest > LARGEST_EXACT:
                raise DataError(
                    f"{entry.name} holds the whole number {largest}; above {LARGEST_EXACT} they are rounded",
                    fix="number the codes from 0 on, or give measurements as float32",
                )
            packed.append(array.astype(np.float32, copy=False))
        if len(packed) == 1:
            return packed[0]
        return np.concatenate([array.reshape(len(array), -1) for array in packed], axis=1)

    def rows(self, raw: Any) -> np.ndarray:
        """Pack rows to predict, as a batch holds them without its targets.

        Args:
            raw: A tensor or array for one input, a tuple of them in order, or a mapping by name.

        Raises:
            DataError: An input is missing, or rows have another shape.
        """
        if isinstance(raw, Mapping):
            absent = [entry.name for entry in self.entries if entry.name not in raw]
            if absent:
                raise DataError(f"there is no input {absent[0]!r}", fix=f"give {self._names} by name")
            parts = [raw[entry.name] for entry in self.entries]
        else:
            parts = list(raw) if isinstance(raw, (tuple, list)) and len(self.entries) > 1 else [raw]
        if len(parts) != len(self.entries):
            raise DataError(f"there are {len(parts)} inputs", fix=f"give {self._names}, in that order")
        arrays = [p.detach().cpu().numpy() if isinstance(p, Tensor) else np.asarray(p) for p in parts]
        for entry, array in zip(self.entries, arrays, strict=True):
            if array.shape[1:] != entry.shape:
                raise DataError(
                    f"rows of {entry.name} have shape {array.shape[1:]}, training had {entry.shape}",
                    fix=f"give rows of shape {entry.shape}",
                )
        return self.pack(arrays)

    @property
    def _names(self) -> str:
        return ", ".join(entry.name for entry in self.entries)

    def unpack(self, x: Tensor) -> tuple[Tensor, ...]:
        """Take packed rows apart, each input in its own shape and type."""
        if len(self.entries) == 1:
            return (x.to(getattr(torch, self.entries[0].dtype)),)
        parts = x.split([entry.size for entry in self.entries], dim=-1)
        return tuple(
            part.reshape(len(part), *entry.shape).to(getattr(torch, entry.dtype))
            for entry, part in zip(self.entries, parts, strict=True)
        )

    def keywords(self, x: Tensor) -> dict[str, Tensor]:
        """Take packed rows apart by name."""
        return dict(zip((entry.name for entry in self.entries), self.unpack(x), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Form:
        """Read what :meth:`to_dict` wrote."""
        entries = tuple(map(_entry, record["entries"]))
        return cls(**{**record, "entries": entries, "target": _entry(record["target"])})


def _entry(record: Mapping[str, Any]) -> Entry:
    return Entry(**{**record, "shape": tuple(record["shape"])})
