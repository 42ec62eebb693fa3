"""Notes on parameters: their gradients, and how far they have come."""

from __future__ import annotations

import math
import statistics
import weakref
from collections import deque

import torch
from torch import Tensor, nn

from goodfit.watch.uses import ParameterUse

MOST_PARAMETERS = 256
MOST_ELEMENTS = 4096
"""Of each parameter, to tell whether it moves."""
NUM_LOOKS = 64


class ParameterNotes:
    """What is known of the parameters of networks in training."""

    def __init__(self) -> None:
        self._known: dict[int, _Parameter] = {}

    def meet(self, module: nn.Module, *, prefix: str = "", is_registered: bool = True) -> None:
        """Take the parameters of a module into the notes."""
        for name, parameter in module.named_parameters():
            if id(parameter) not in self._known and len(self._known) < MOST_PARAMETERS:
                self._known[id(parameter)] = _Parameter(prefix + name, parameter, is_registered=is_registered)

    def knows(self, module: nn.Module) -> bool:
        """Whether the notes hold all parameters of a module, or are full."""
        is_full = len(self._known) >= MOST_PARAMETERS
        return is_full or all(id(p) in self._known for p in module.parameters(recurse=False))

    def look(self) -> None:
        """Look at the gradients and at how far parameters have come."""
        alive = [(note, p) for note in self._known.values() if (p := note.reference()) is not None]
        if not alive:
            return
        distances = torch.stack([note.distance(p) for note, p in alive]).tolist()
        for (note, _), distance in zip(alive, distances, strict=True):
            note.move(distance)
        having = [(note, p, p.grad) for note, p in alive if p.grad is not None]
        if having:
            norms = torch.stack([torch.stack((_norm(g), _norm(p))) for _, p, g in having]).tolist()
            for (note, parameter, _), (gradient, weight) in zip(having, norms, strict=True):
                note.take(gradient, weight, parameter.numel())

    def record(self, optimized: set[int]) -> tuple[ParameterUse, ...]:
        """Freeze what is known.

        Args:
            optimized: Identities of the parameters that optimizers hold.
        """
        return tuple(note.record(key in optimized) for key, note in self._known.items())


class _Parameter:
    def __init__(self, name: str, parameter: Tensor, *, is_registered: bool) -> None:
        self.name, self.is_registered = name, is_registered
        self.reference = weakref.ref(parameter)
        self.size, self.is_trainable = parameter.numel(), parameter.requires_grad
        self.is_matrix = parameter.ndim >= 2
        self._start = _part(parameter).clone()
        self._gradients: deque[float] = deque(maxlen=NUM_LOOKS)
        self._is_reached = self._had_gradient = False
        self._largest = self._distance = 0.0
        self._num_looks = 0

    def distance(self, parameter: Tensor) -> Tensor:
        now = _part(parameter)
        if now.shape != self._start.shape:
            return torch.tensor(torch.nan)
        return (now - self._start.to(now.device)).norm().cpu()

    def move(self, distance: float) -> None:
        self._num_looks += 1
        self._distance = distance

    def take(self, gradient: float, weight: float, size: int) -> None:
        self._is_reached = True
        self._had_gradient |= gradient != 0.0
        self._gradients.append(gradient / size**0.5)
        if weight > 0:
            self._largest = max(self._largest, gradient / weight)

    def record(self, is_optimized: bool) -> ParameterUse:
        return ParameterUse(
            name=self.name,
            size=self.size,
            is_trainable=self.is_trainable,
            is_optimized=is_optimized,
            is_registered=self.is_registered,
            is_reached=self._is_reached,
            had_gradient=self._had_gradient,
            movement=self._movement(),
            gradient=statistics.median(self._gradients) if self._gradients else 0.0,
            relative_gradient=self._largest,
            is_matrix=self.is_matrix,
        )

    def _movement(self) -> float | None:
        if self._num_looks < 2 or not math.isfinite(self._distance):
            return None
        size = float(self._start.norm())
        return self._distance / size if size > 0 else self._distance


def _part(parameter: Tensor) -> Tensor:
    return parameter.detach().reshape(-1)[:MOST_ELEMENTS].float()


def _norm(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return tensor.float().norm().cpu()
