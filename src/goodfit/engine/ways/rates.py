"""Dropout whose rate is each candidate's own, inside a module that computes all candidates at once.

Letters: K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn

_WHOLE_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_AnyDropout = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d


@final
class OwnRate(nn.Module):
    """Dropout whose rate is a buffer, so that it can be another one for each candidate.

    Args:
        whole_channels: Whether what is silenced is a channel of an image rather than a number.
    """

    kept: Tensor

    def __init__(self, *, whole_channels: bool) -> None:
        super().__init__()
        self.whole_channels = whole_channels
        self.register_buffer("kept", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Silence some of ``x`` in training."""
        if not self.training:
            return x
        if self.whole_channels:
            noise = x.new_empty(*x.shape[:2], *[1] * (x.dim() - 2))
        else:
            noise = torch.empty_like(x)  # laid out as x is: torch draws in the order of the memory
        return x * noise.bernoulli_(self.kept).div_(self.kept)


def with_own_rates(base: nn.Module, modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Let every dropout of ``base`` that silences somebody ask for each candidate's rate.

    Args:
        base: Has every dropout that one of the modules has; changed in place.
        modules: One for each candidate. A dropout that a module lacks has rate 0 there.

    Returns:
        The share that is kept, ``(K,)``, under the name of the buffer of ``base`` that holds it.
    """
    rates = [_rates(module) for module in modules]
    kept = {}
    for name, dropout in _dropouts(base).items():
        own = [rates_of_one.get(name, 0.0) for rates_of_one in rates]
        if any(own):
            parent, _, attribute = name.rpartition(".")
            fresh = OwnRate(whole_channels=isinstance(dropout, _WHOLE_CHANNELS)).train(dropout.training)
            setattr(base.get_submodule(parent), attribute, fresh)
            kept[f"{name}.kept"] = 1 - torch.tensor(own)
    return kept


def _rates(module: nn.Module) -> Mapping[str, float]:
    return {name: dropout.p for name, dropout in _dropouts(module).items()}


def _dropouts(module: nn.Module) -> dict[str, _AnyDropout]:
    return {name: part for name, part in module.named_modules() if isinstance(part, _AnyDropout)}
