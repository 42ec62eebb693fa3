"""A curve of values that never grows long and hardly costs time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MOST_BINS = 512
MOST_WAITING = 64


class CourseOf:
    """Values over a run, as means of equally many values.

    Tensors are gathered and read together, since reading one waits for the device.
    """

    def __init__(self) -> None:
        self._waiting: list[Tensor] = []
        self._bins: list[float] = []
        self._part: list[float] = []
        self._per_bin = 1
        self.num_values = 0
        self.first_nonfinite: int | None = None

    def add(self, value: Tensor) -> None:
        """Take a value of any shape; its mean counts."""
        self._waiting.append(value)
        if len(self._waiting) >= MOST_WAITING:
            self.settle()

    def settle(self) -> None:
        """Read what was gathered."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for number in _numbers(waiting):
            self._take(number)

    def _take(self, number: float) -> None:
        self.num_values += 1
        if not math.isfinite(number):
            if self.first_nonfinite is None:
                self.first_nonfinite = self.num_values
            return
        self._part.append(number)
        if len(self._part) == self._per_bin:
            self._bins.append(_mean(self._part))
            self._part = []
        if len(self._bins) == MOST_BINS:
            self._bins = [_mean(self._bins[k : k + 2]) for k in range(0, MOST_BINS, 2)]
            self._per_bin *= 2

    def values(self) -> tuple[float, ...]:
        """Return the means, the last one of what there was."""
        self.settle()
        return (*self._bins, _mean(self._part)) if self._part else tuple(self._bins)


def _numbers(tensors: list[Tensor]) -> list[float]:
    if all(tensor.ndim == 0 and tensor.device == tensors[0].device for tensor in tensors):
        return torch.stack([tensor.float() for tensor in tensors]).tolist()
    return [float(tensor.float().mean()) for tensor in tensors]


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)
