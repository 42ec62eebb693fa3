"""How a network begins: the scale of its weights, and units that cannot become different.

Letters: K candidates, U units, F numbers of a unit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from goodfit.engine.checks.graph import operations
from goodfit.engine.ways.backend import Backend
from goodfit.tensors import views

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
FEWEST_UNITS = 4
FINENESS = 1e-4
"""Units nearer to each other than this, as a share of the largest weight, are copies."""
MOST_DISTINCT = 0.25
"""Recurrent layers have four gates of different kinds, so that even there all units of a gate are alike."""


REACH = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "relu": (0.0, math.inf), "tanh": (-1.0, 1.0)}
"""Bounds of what an operation can answer."""


def output_operation(scores: Tensor) -> str | None:
    """Name the operation that made the outputs, or the layer with weights before them.

    Example:
        >>> output_operation(torch.softmax(torch.ones(2, 3, requires_grad=True), dim=1))
        'softmax'
    """
    return next(iter(operations(scores)), None)


def share_out_of_reach(operation: str | None, y_N: Tensor) -> float:
    """Share of the targets that an operation can never answer."""
    low, high = REACH.get(operation or "", (-math.inf, math.inf))
    return float(((y_N < low) | (y_N > high)).double().mean())


def initial_scales(module: nn.Module) -> tuple[tuple[str, float], ...]:
    """Measure the deviation of each layer's weights, times the root of the inputs of a unit.

    The last layer is left out: a start near zero is sound there.
    """
    weights = [
        (name, p.detach())
        for name, p in module.named_parameters()
        if name.rpartition(".")[2].startswith("weight") and p.dim() >= 2 and "embedding" not in name
    ]
    return tuple(
        (name.rpartition(".")[0], float(p.std(correction=0) * p[0].numel() ** 0.5))
        for name, p in weights[:-1]
    )


def is_normalised(module: nn.Module) -> bool:
    """Tell whether a layer normalises its sums."""
    return any(isinstance(part, NORMS) or "Norm" in type(part).__name__ for part in module.modules())


def has_batch_norm(module: nn.Module) -> bool:
    """Tell whether a layer normalises over the batch."""
    return any(
        isinstance(part, nn.modules.batchnorm._BatchNorm) and part.track_running_stats
        for part in module.modules()
    )


def twin_layers(backend: Backend) -> tuple[str, ...]:
    """Name the layers whose units are copies of each other in every candidate.

    Asked after some steps, so that a start at zero that the steps undo is no finding. The last layer is
    left out: its units learn of the classes in the batch alone.
    """
    stacked = [
        (name, weight)
        for name, weight in views(backend.flat_KP.detach(), backend.layout).items()
        if name.endswith("weight") and weight.dim() >= 3 and "embedding" not in name
    ]
    return tuple(
        name.removesuffix(".weight")
        for name, weight in stacked[:-1]
        if all(_are_copies(unit_UF) for unit_UF in weight.flatten(2))
    )


def _are_copies(unit_UF: Tensor) -> bool:
    if len(unit_UF) < FEWEST_UNITS or not torch.isfinite(unit_UF).all():
        return False
    coarse_UF = (unit_UF / (FINENESS * unit_UF.abs().max().clamp_min(1e-30))).round()
    return len(coarse_UF.unique(dim=0)) <= max(1, MOST_DISTINCT * len(unit_UF))
