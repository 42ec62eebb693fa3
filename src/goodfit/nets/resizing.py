"""A layer of another size that keeps the weights of the one it was made from."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def resized(
    part: nn.Module, *, outputs: int | None = None, inputs: int | None = None, spread: int = 1
) -> nn.Module:
    """Make a larger copy of a linear, convolutional or normalisation layer.

    Args:
        part: The layer; it is left as it is.
        outputs: Outputs of the copy, or features of a normalisation; new ones start as a fresh layer's do.
        inputs: Inputs of the copy; the weights for new ones are zero.
        spread: The old outputs become every ``spread``-th of the new ones, from the first on. With 1 they
            come first.

    Example:
        >>> layer = resized(nn.Linear(3, 2), outputs=4)
        >>> layer.weight.shape
        torch.Size([4, 3])
    """
    fresh = _fresh(part, outputs, inputs)
    buffers = dict(part.named_buffers(recurse=False))
    for name, old in (*part.named_parameters(recurse=False), *buffers.items()):
        new = getattr(fresh, name)
        if old.dim() == 0:
            new.copy_(old)
            continue
        if old.dim() > 1 and new.shape[1] > old.shape[1]:
            new[:, old.shape[1] :] = 0
        rows = _rows(new, len(old), spread)
        if old.dim() > 1:
            rows[:, : old.shape[1]] = old
        else:
            rows.copy_(old)
    for name, parameter in part.named_parameters(recurse=False):
        getattr(fresh, name).requires_grad_(parameter.requires_grad)
    return fresh.train(part.training)


def _rows(new: Tensor, size: int, spread: int) -> Tensor:
    return new[::spread][:size] if spread > 1 else new[:size]


def _fresh(part: nn.Module, outputs: int | None, inputs: int | None) -> nn.Module:
    """Make a layer like another, of another size, by torch's own way to start it."""
    like: dict[str, Any] = {"bias": getattr(part, "bias", None) is not None}
    if isinstance(part, nn.Linear):
        return nn.Linear(inputs or part.in_features, outputs or part.out_features, **like)
    if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        names = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        like |= {name: getattr(part, name) for name in names}
        return type(part)(inputs or part.in_channels, outputs or part.out_channels, **like)
    if isinstance(part, nn.LayerNorm):
        shape = (*part.normalized_shape[:-1], outputs or part.normalized_shape[-1])
        return nn.LayerNorm(shape, eps=part.eps, elementwise_affine=part.elementwise_affine, **like)
    if isinstance(part, nn.GroupNorm):
        return nn.GroupNorm(part.num_groups, outputs or part.num_channels, eps=part.eps, affine=part.affine)
    if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
        kept = {n: getattr(part, n) for n in ("eps", "momentum", "affine", "track_running_stats")}
        return type(part)(outputs or part.num_features, **kept)
    return copy.deepcopy(part)
