"""Arrays of any shape that go into a network as they are, such as images: only shifted and scaled."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from goodfit.data.numbers import LIMIT
from goodfit.errors import DataError

FIT_ROWS = 10_000
SMALLEST_STD = 1e-6
"""Deviations below this share of a feature's largest number are rounding."""
NARROW = 0.05
"""Range of a feature that shares a row with others from 0 to 1 and will not be seen beside them."""
OFTEN = 0.1
"""Standard deviation over range of a feature that varies; that of a pixel lit now and then is smaller."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridScaling:
    """How arrays of one shape are scaled.

    Attributes:
        shape: Shape of one row, such as ``(3, 32, 32)``.
        shift: What is taken off, one number for each entry of the first axis, or one for all.
        scale: What is divided by then.
    """

    shape: tuple[int, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, grid_N: np.ndarray, rows: np.ndarray) -> GridScaling:
        """Learn the scale from training rows.

        Bytes are divided by 255, numbers from 0 to 1 are left alone unless one that varies keeps to a small
        part of it, and all else is standardised: each feature of a flat row, each channel of an image.

        Args:
            grid_N: All rows, shape ``(N, ...)``.
            rows: Places of the training rows; at most 10,000 of them are looked at.
        """
        shape = grid_N.shape[1:]
        if grid_N.dtype == np.uint8:
            return cls(shape=shape, shift=(0.0,), scale=(255.0,))
        sample_N = grid_N[rows[:: -(-len(rows) // FIT_ROWS)]].astype(np.float64)
        axes = (0, *range(2, sample_N.ndim))
        low, high = np.nanmin(sample_N, axis=axes), np.nanmax(sample_N, axis=axes)
        spread = np.nanstd(sample_N, axis=axes)
        is_constant = spread <= SMALLEST_STD * np.maximum(abs(low), abs(high))
        is_narrow = (high - low < NARROW) & (spread > OFTEN * (high - low)) & ~is_constant
        if sample_N.min() >= 0 and sample_N.max() <= 1 and not is_narrow.any():
            return cls(shape=shape, shift=(0.0,), scale=(1.0,))
        return cls(
            shape=shape,
            shift=tuple(np.nanmean(sample_N, axis=axes).tolist()),
            scale=tuple(np.where(is_constant, 1.0, spread).tolist()),
        )

    def check(self, grid_N: np.ndarray) -> np.ndarray:
        """Return rows of the shape that training had.

        Raises:
            DataError: They have another shape.
        """
        if grid_N.shape[1:] != self.shape:
            raise DataError(
                f"rows have shape {grid_N.shape[1:]}, training had {self.shape}",
                fix=f"give rows of shape {self.shape}",
            )
        return grid_N

    def view(self, grid_N: np.ndarray, inputs: str) -> np.ndarray:
        """Make the inputs of one view; ``"expanded"`` is ``"scaled"`` here."""
        values_N = grid_N.astype(np.float32)
        if inputs == "raw":
            return values_N
        trailing = (1,) * (len(self.shape) - 1)
        values_N -= np.array(self.shift, dtype=np.float32).reshape(-1, *trailing)
        values_N /= np.array(self.scale, dtype=np.float32).reshape(-1, *trailing)
        is_bounded = self.shift == (0.0,)
        return values_N if is_bounded else np.clip(np.nan_to_num(values_N), -LIMIT, LIMIT, out=values_N)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GridScaling:
        """Rebuild from :meth:`to_dict`."""
        return cls(**{name: tuple(value) for name, value in values.items()})
