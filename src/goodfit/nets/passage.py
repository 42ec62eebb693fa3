"""One forward pass of an example: which parts of a module run, in which order, and what feeds what.

The order in which layers are declared need not be the order in which they run, so it is watched. Two parts
are linked when one is given the very numbers that the other put out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from goodfit.nets.activations import Maxout

ACTIVATION_MODULES = (
    nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.ReLU, nn.ReLU6,
    nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish,
    nn.Softplus, Maxout,
)  # fmt: skip
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WEIGHTED_MODULES = (nn.Linear, *CONVOLUTIONS)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One use of a submodule in the example's forward pass."""

    name: str
    part: nn.Module
    given: Tensor | None
    output: Tensor | None
    given_shape: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether it puts out channels of pixels."""
        return len(self.shape) == 4

    def feeds(self, other: Call) -> bool:
        """Whether the other part was given what this one put out, or a view of it."""
        if self.output is None or other.given is None:
            return False
        return self.output is other.given or (
            self.output.numel() == other.given.numel() and self.output.data_ptr() == other.given.data_ptr()
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A weighted layer, what its outputs pass through, and what they reach.

    Attributes:
        first: The weighted layer.
        between: What stands behind it, in order, none of it weighted.
        then: The next weighted layer; ``None`` where the way is lost to a function.
    """

    first: Call
    between: tuple[Call, ...]
    then: Call | None

    @property
    def activation(self) -> Call | None:
        """The first activation behind the layer, if nothing but normalisation and dropout is before it."""
        for passed in self.between:
            if isinstance(passed.part, ACTIVATION_MODULES):
                return passed
            if not isinstance(passed.part, (*NORMS, *DROPOUTS)):
                return None
        return None


def trace(module: nn.Module, example: Sequence[Tensor]) -> list[Call]:
    """List the uses of activations and of submodules without children, in the order in which they run."""
    calls: list[Call] = []

    def note(name: str, part: nn.Module, given: tuple[object, ...], output: object) -> None:
        first = given[0] if given and isinstance(given[0], Tensor) else None
        made = output if isinstance(output, Tensor) else None
        shapes = [tuple(t.shape) if t is not None else () for t in (first, made)]
        calls.append(
            Call(name=name, part=part, given=first, output=made, given_shape=shapes[0], shape=shapes[1])
        )

    leaves = [
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, ACTIVATION_MODULES) or not any(part.children())
    ]
    hooks = [
        part.register_forward_hook(lambda part, given, output, name=name: note(name, part, given, output))
        for name, part in leaves
    ]
    modes = [(part, part.training) for part in module.modules()]
    module.eval()  # so that batch normalisation learns nothing from the example
    try:
        with torch.random.fork_rng(devices=[]):
            module(*example)
    finally:
        for part, mode in modes:
            part.training = mode
        for hook in hooks:
            hook.remove()
    return calls


def last_weighted(calls: Sequence[Call]) -> int:
    """Place of the weighted layer that runs last."""
    return max((i for i, call in enumerate(calls) if isinstance(call.part, WEIGHTED_MODULES)), default=0)


def hidden(calls: Sequence[Call]) -> list[Call]:
    """Keep the first use of every submodule that is never used behind the last weighted layer."""
    last = last_weighted(calls)
    at_output = {id(call.part) for call in calls[last:]}
    first = {id(call.part): call for call in reversed(calls[:last])}
    return [call for key, call in reversed(first.items()) if key not in at_output]


def hidden_activation_calls(calls: Sequence[Call]) -> list[Call]:
    """Keep the activations among the hidden parts."""
    return [call for call in hidden(calls) if isinstance(call.part, ACTIVATION_MODULES)]


def used_once(call: Call, calls: Sequence[Call]) -> bool:
    """Whether a part runs in one place only."""
    return sum(other.part is call.part for other in calls) == 1


def links(calls: Sequence[Call]) -> list[Link]:
    """Follow the outputs of every hidden weighted layer that is used once."""
    last = last_weighted(calls)
    found = []
    for place, call in enumerate(calls[:last]):
        if isinstance(call.part, WEIGHTED_MODULES) and used_once(call, calls):
            found.append(_followed(place, calls))
    return found


def _followed(place: int, calls: Sequence[Call]) -> Link:
    here = calls[place]
    between: list[Call] = []
    for call in calls[place + 1 :]:
        if not here.feeds(call):
            continue
        if isinstance(call.part, WEIGHTED_MODULES):
            return Link(first=calls[place], between=tuple(between), then=call)
        between.append(call)
        here = call
    return Link(first=calls[place], between=tuple(between), then=None)
