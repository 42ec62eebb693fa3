"""Notes on a network before its first step: what is frozen, the size of its weights, units that are copies.

Letters: U units, F numbers of a unit.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from goodfit.watch.uses import Fresh

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
MOST_LAYERS = 64
MOST_NUMBERS = 16_384
"""Of one weight: enough to know its deviation, or that its units are copies."""
FEWEST_UNITS = 4
FEWEST_WEIGHTS = 8
"""Of a layer, for their deviation to tell a scale; one weight has none, wherever it was drawn."""
FINENESS = 1e-4
"""Units nearer to each other than this, as a share of the largest weight, are copies."""


class FreshNotes:
    """What is known of the weights of one network from before they were trained.

    Args:
        network: The module, at its first call.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = [parameter for parameter in network.parameters() if not is_lazy(parameter)]
        self._num_parameters = sum(parameter.numel() for parameter in parameters)
        self._num_frozen = sum(p.numel() for p in parameters if not p.requires_grad)
        self._is_normalised = any(isinstance(part, NORMS) for part in network.modules())
        layers = [
            (name, part.weight)
            for name, part in network.named_modules()
            if isinstance(part, WEIGHTED) and not is_lazy(part.weight) and part.weight.requires_grad
        ][:MOST_LAYERS]
        # the last layer may begin near zero, and its units differ with the first step
        hidden = layers[:-1]
        telling = [(name, weight) for name, weight in hidden if weight.numel() >= FEWEST_WEIGHTS]
        scales = _scales([weight for _, weight in telling])
        self._scales = tuple((name, scale) for (name, _), scale in zip(telling, scales, strict=True))
        self._copies = {name: weakref.ref(weight) for name, weight in hidden if are_copies(weight)}

    def look(self) -> None:
        """Let go of the layers whose units have become different."""
        now = {name: reference() for name, reference in self._copies.items()}
        for name, weight in now.items():
            if weight is not None and not are_copies(weight):
                del self._copies[name]

    def record(self) -> Fresh:
        """Freeze what is known."""
        return Fresh(
            num_parameters=self._num_parameters,
            num_frozen=self._num_frozen,
            scales=() if self._is_normalised else self._scales,
            twin_layers=tuple(self._copies),
        )


def are_copies(weight: Tensor) -> bool:
    """Whether the units of a layer all have the same weights.

    Example:
        >>> are_copies(torch.zeros(8, 3)), are_copies(torch.eye(8))
        (True, False)
    """
    unit_UF = _part(weight)
    if len(unit_UF) < FEWEST_UNITS:
        return False
    apart, size = torch.stack([(unit_UF - unit_UF[0]).abs().max(), unit_UF.abs().max()]).tolist()
    return bool(apart <= FINENESS * size)  # not for NaN


def _scales(weights: Sequence[Tensor]) -> list[float]:
    """Deviation of the weights of each layer times the root of the inputs of a unit."""
    if not weights:
        return []
    deviations = [_part(weight).std(correction=0) * weight[0].numel() ** 0.5 for weight in weights]
    return [float(value) for value in torch.stack([value.cpu() for value in deviations]).tolist()]


def _part(weight: Tensor) -> Tensor:
    """Whole units, as many as there is room for; two at least, to be set beside each other."""
    size = max(1, weight[0].numel())
    return weight.detach()[: max(FEWEST_UNITS, MOST_NUMBERS // size)].flatten(1).float()
