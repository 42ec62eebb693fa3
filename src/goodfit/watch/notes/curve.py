"""A curve of values that never grows long and hardly costs time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from goodfit.watch.notes.kept import room_for

MOST_BINS = 512
MOST_WAITING = 64


class CourseOf:
    """Values over a run, as means of equally many values.

    Tensors are gathered and read together, since reading one waits for the device.
    """

    def __init__(self) -> None:
        self._waiting = torch.empty(0)
        self._num_waiting = 0
        self._bins: list[float] = []
        self._part: list[float] = []
        self._per_bin = 1
        self.num_values = 0
        self.first_nonfinite: int | None = None

    def add(self, value: Tensor) -> None:
        """Take a value of any shape; its mean counts."""
        number = (value if value.ndim == 0 else value.float().mean()).detach()
        if self._waiting.device != number.device or not len(self._waiting):
            self.settle()
            self._waiting = room_for(number.float(), MOST_WAITING)
        self._waiting[self._num_waiting].copy_(number)
        self._num_waiting += 1
        if self._num_waiting == MOST_WAITING:
            self.settle()

    def settle(self) -> None:
        """Read what was gathered."""
        count, self._num_waiting = self._num_waiting, 0
        for number in self._waiting[:count].tolist():
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


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)
