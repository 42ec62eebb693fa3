"""A fresh start for the weights of any module, on a copy of it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import Maxout, activation_named
from goodfit.nets.initialisation import INITIALISATIONS, initialise
from goodfit.nets.passage import WEIGHTED_MODULES, Link, last_weighted, links, trace
from goodfit.nets.surgery import Edited


def reinitialise(
    module: nn.Module,
    way: str,
    *,
    example: Sequence[Tensor],
    activation: str = "relu",
    without: Collection[str] = (),
) -> Edited:
    """Start the weights of every linear and convolutional layer afresh.

    Args:
        module: Any module; it is left as it is.
        way: Name of the initialisation, see :func:`goodfit.nets.initialisation.initialise`.
        example: Arguments of one forward pass.
        activation: The hidden activation, whose gain the layers get; the last layer gets 1.
        without: Names of layers that keep their weights, such as pretrained ones. Frozen ones do in any case.

    Returns:
        The edited copy; other parameters, such as those of normalisation, are equal bit for bit.

    Raises:
        PlanError: A name is unknown.
    """
    if way not in INITIALISATIONS:
        raise PlanError(f"initialisation is {way!r}", fix=f"choose one of {', '.join(INITIALISATIONS)}")
    edited = copy.deepcopy(module)
    starts = starts_of(edited, example=example, activation=activation, without=without)
    start_afresh(edited, way, starts)
    changed = tuple(f"{start.name}: {way} start" for start in starts)
    return Edited(module=edited, changed=changed, original=module)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """A layer that starts afresh, with the gain and the pieces of the activation behind it."""

    name: str
    gain: float
    pieces: int


def starts_of(
    module: nn.Module, *, example: Sequence[Tensor], activation: str, without: Collection[str]
) -> tuple[Start, ...]:
    """List the layers that :func:`reinitialise` starts afresh, in the order in which they draw."""
    hidden_gain = activation_named(activation).gain
    calls = trace(module, example)
    last = calls[last_weighted(calls)].part if calls else None
    pieces = {id(link.first.part): pieces_behind(link) for link in links(calls)}
    return tuple(
        Start(name=name, gain=1.0 if part is last else hidden_gain, pieces=pieces.get(id(part), 1))
        for name, part in module.named_modules()
        if isinstance(part, WEIGHTED_MODULES) and part.weight.requires_grad and name not in without
    )


def start_afresh(module: nn.Module, way: str, starts: Sequence[Start]) -> None:
    """Start layers afresh, in place."""
    for start in starts:
        layer: Any = module.get_submodule(start.name)
        initialise(layer, way, gain=start.gain, pieces=start.pieces)


def pieces_behind(link: Link) -> int:
    """Pieces of the Maxout behind a layer; 1 behind any other."""
    activation = link.activation
    return activation.part.pieces if activation is not None and isinstance(activation.part, Maxout) else 1
