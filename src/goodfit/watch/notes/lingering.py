"""Whether the graphs of past steps are still alive: a script that keeps them fills its memory."""

from __future__ import annotations

import weakref
from collections import deque

from torch import Tensor

MOST_GRAPHS = 64
FEWEST_STEPS = 2
"""A loss of the last step may still stand in a variable."""


class _Token:
    """Lives as long as the node of the graph that it is tied to."""

    __slots__ = ("__weakref__",)


class GraphNotes:
    """Which of the graphs that were looked at outlived their step."""

    def __init__(self) -> None:
        self._tokens: deque[tuple[int, weakref.ReferenceType[_Token]]] = deque(maxlen=MOST_GRAPHS)
        self.num_kept = self.num_judged = 0

    def add(self, loss: Tensor, *, step: int) -> None:
        """Tie a token to the graph of a loss, and count what became of the earlier ones.

        Args:
            loss: A loss with gradients.
            step: Steps taken so far.
        """
        node = loss.grad_fn
        if node is None:
            return
        alive = [token() is not None for then, token in self._tokens if step - then >= FEWEST_STEPS]
        if sum(alive) >= self.num_kept:
            self.num_kept, self.num_judged = sum(alive), len(alive)
        token = _Token()
        # torch's types call this attribute a method
        node.metadata["goodfit"] = token  # type: ignore[index]
        self._tokens.append((step, weakref.ref(token)))
