"""Numbers that differ from step to step, written for a whole epoch at once and read by the steps themselves.

A captured step cannot be handed numbers. It reads those of its own place, and moves the place on.

Letters: S steps of an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor


@final
class Timetable:
    """Columns of numbers, one row a step, and the place of the present one.

    Args:
        device: Where they lie.

    Example:
        >>> timetable = Timetable(torch.device("cpu"))
        >>> timetable.write({"rate": torch.tensor([0.1, 0.2])})
        >>> timetable.move_on()
        >>> timetable.now("rate")
        tensor(0.2000)
    """

    def __init__(self, device: torch.device) -> None:
        self._place_1 = torch.zeros(1, dtype=torch.long, device=device)
        self._columns: dict[str, Tensor] = {}

    def write(self, columns: Mapping[str, Tensor]) -> None:
        """Write the numbers of an epoch, each column ``(S, ...)``, where those of the last one stood."""
        for name, column in columns.items():
            if name not in self._columns:
                self._columns[name] = torch.empty(
                    column.shape, dtype=column.dtype, device=self._place_1.device
                )
            self._columns[name].copy_(column)
        self.begin()

    def begin(self) -> None:
        """Go back to the first step."""
        self._place_1.zero_()

    def move_on(self) -> None:
        """Go to the next step."""
        self._place_1.add_(1)

    def now(self, name: str) -> Tensor:
        """Read a column at the present step; a new tensor."""
        return self._columns[name].index_select(0, self._place_1).squeeze(0)

    def whole(self, name: str) -> tuple[Tensor, Tensor]:
        """Hand over a whole column and the place, to an operation that finds its step by itself."""
        return self._columns[name], self._place_1

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self._columns
