"""Memory that is used again at every step.

A tensor of a few hundred kilobytes is new memory to the operating system each time it is made, and
touching new memory costs more than a pass over it.
"""

from __future__ import annotations

from typing import final

from torch import Tensor


@final
class Workspace:
    """Tensors by name and shape; what one step leaves in them, the next one overwrites.

    Args:
        like: A tensor of the type and on the device that all of them have.
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._tensors: dict[tuple[object, ...], Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Give the tensor of that name and shape, with whatever stands in it.

        Example:
            >>> room = Workspace(torch.zeros(1))
            >>> room.take("sum", 2, 3) is room.take("sum", 2, 3)
            True
        """
        key = (name, *shape)
        if key not in self._tensors:
            self._tensors[key] = self._like.new_empty(shape)
        return self._tensors[key]

    def clear(self) -> None:
        """Let go of all memory, where shapes will be others from now on."""
        self._tensors.clear()
