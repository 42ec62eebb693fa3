"""Parts that edits add to a module as children of what is there, so that no parameter changes its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

SKIP_MARK = "_goodfit_skip"
"""Set on an activation to which an input is added."""


def add_before(part: nn.Module, name: str, addition: nn.Module) -> None:
    """Let a part be given what the addition makes of its input."""
    part.add_module(name, addition.train(part.training))
    part.register_forward_pre_hook(Before(name))


def add_behind(part: nn.Module, name: str, addition: nn.Module) -> None:
    """Let the addition see what a part puts out, and put out what it makes of it."""
    part.add_module(name, addition.train(part.training))
    part.register_forward_hook(Behind(name))


def add_skip(layer: nn.Module, activation: nn.Module) -> None:
    """Add what a layer is given to what the activation behind it puts out."""
    kept = Kept()
    layer.register_forward_pre_hook(kept.keep)
    activation.register_forward_hook(kept.add)
    activation.__dict__[SKIP_MARK] = True


@final
class Scaled(nn.Module):
    r"""Outputs in the units of the targets: :math:`s \odot h + c`, with numbers that do not learn.

    Args:
        center: c, one for each output.
        scale: s, likewise.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, center: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("center", torch.tensor(center))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, h: Tensor) -> Tensor:
        """Scale and shift the last axis."""
        return torch.addcmul(self.center, h, self.scale)

    def extra_repr(self) -> str:
        """Tell the numbers."""
        return f"center={self.center.tolist()}, scale={self.scale.tolist()}"


@final
class Before:
    """A hook: the addition of that name makes something of the input first."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, part: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the new arguments of the part."""
        return part.get_submodule(self.name)(given[0]), *given[1:]


@final
class Behind:
    """A hook: the addition of that name makes something of the output."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, part: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor:
        """Return what goes on from here."""
        made: Tensor = part.get_submodule(self.name)(output)
        return made


@final
class Kept:
    """What a layer was given, until its activation has run."""

    def __init__(self) -> None:
        self.given: Tensor | None = None

    def keep(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        """Note what a layer is given; a hook before it."""
        self.given = given[0]

    def add(self, activation: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor:
        """Add it to what the activation puts out; a hook behind it."""
        given, self.given = self.given, None
        return output if given is None or given.shape != output.shape else output + given
