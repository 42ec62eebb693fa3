"""Notes on layers: units that are dead or saturated, and the first that broke."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor, nn

from goodfit.watch.notes.networks import is_finite
from goodfit.watch.uses import LayerUse

NUM_LOOKS = 8
NEAR_BOUND = 0.01
"""Share of an activation's range that counts as saturated; the engine's probes load slowly."""
MOST_UNITS = 4096
RECTIFIERS = (nn.ReLU, nn.ReLU6)
BOUNDS: dict[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
}


class LayerNotes:
    """Activation layers at the latest looks."""

    def __init__(self) -> None:
        self._alive: dict[str, deque[Tensor]] = {}
        self._saturated: dict[str, float] = {}
        self._kinds: dict[str, str] = {}
        self.broken: tuple[str, bool] | None = None

    def look(self, name: str, module: nn.Module, output: Tensor) -> None:
        """Look at the output of one layer in training."""
        if isinstance(module, RECTIFIERS):
            self._kinds[name] = type(module).__name__
            alive = _largest_of_units(output.detach()) > 0
            if len(alive) <= MOST_UNITS:
                self._alive.setdefault(name, deque(maxlen=NUM_LOOKS)).append(alive)
        elif type(module) in BOUNDS:
            low, high = BOUNDS[type(module)]
            near = NEAR_BOUND * (high - low)
            self._kinds[name] = type(module).__name__
            far = (output.detach() < low + near) | (output.detach() > high - near)
            self._saturated[name] = float(far.float().mean())

    def look_for_break(self, name: str, module: nn.Module, x: Tensor | None, output: Tensor) -> None:
        """Remember the first layer whose output is not finite although its input is."""
        if self.broken or is_finite(output) or (x is not None and not is_finite(x)):
            return
        in_weights = not all(is_finite(parameter.detach()) for parameter in module.parameters())
        self.broken = (name, in_weights)

    def record(self) -> tuple[LayerUse, ...]:
        """Freeze what is known."""
        return tuple(
            LayerUse(
                name=name,
                kind=kind,
                dead_share=self._dead_share(name),
                saturated_share=self._saturated.get(name, 0.0),
            )
            for name, kind in self._kinds.items()
        )

    def _dead_share(self, name: str) -> float:
        alive = [mask for mask in self._alive.get(name, ()) if mask.shape == self._alive[name][-1].shape]
        return 1.0 - float(torch.stack(alive).any(0).float().mean()) if alive else 0.0


def _largest_of_units(output: Tensor) -> Tensor:
    """Largest activation of every unit over rows and places; images have their units second.

    Example:
        >>> _largest_of_units(torch.tensor([[0.0, 2.0], [0.0, 1.0]]))
        tensor([0., 2.])
    """
    if output.ndim < 2 or not output.numel():
        return output.reshape(-1)
    axis = 1 if output.ndim > 3 else output.ndim - 1
    return output.amax([other for other in range(output.ndim) if other != axis])
