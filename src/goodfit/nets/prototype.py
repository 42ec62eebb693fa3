"""What is done to a network of the user's own, and a prototype that spares later seeds the search for it.

Where an edit fits is found by tracing the network and trying. Networks of one function differ in their
weights, mostly, so a copy of the first one that was edited, with another one's weights, is that one edited.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from goodfit.forms import Form
from goodfit.nets import fresh_start, reshaping, surgery
from goodfit.nets.fresh_start import Start, start_afresh, starts_of
from goodfit.nets.initialisation import Initialisation
from goodfit.nets.surgery import Edited

if TYPE_CHECKING:
    from goodfit.nets.given import Given

_OF_TORCH = frozenset(vars(nn.Module()))
_HOOKS = tuple(name for name in _OF_TORCH if name.endswith("_hooks"))
_PLAIN = (int, float, complex, str, bytes, type(None), type, torch.dtype, torch.device, Form)
_FUNCTIONS = (type(lambda: None), type(len))


def surgery_on(
    network: Given, *, dropout: float, kept: Collection[str], example: tuple[Tensor, ...]
) -> Iterator[Callable[[nn.Module], Edited]]:
    """List what is to be done, in an order in which no edit undoes another.

    Args:
        network: The network with the edits that it asks for.
        dropout: Rate; 0 leaves the module's own dropout as it is.
        kept: Layers that keep their weights where others start afresh.
        example: Arguments of one forward pass.
    """
    if network.plain_output:
        yield lambda m: reshaping.without_last_activation(m, example=example)
    if network.widening > 1:
        yield lambda m: reshaping.widen(m, network.widening, example=example)
    if network.activation == "maxout":
        yield lambda m: reshaping.put_maxout(m, example=example, pieces=network.pieces)
    elif network.activation:
        name = network.activation
        yield lambda m: surgery.swap_activations(m, name, example=example)
    if network.initialisation:
        way, gain_of = network.initialisation, network.activation or "relu"
        yield lambda m: fresh_start.reinitialise(m, way, example=example, activation=gain_of, without=kept)
    if network.normalisation != "none":
        yield lambda m: reshaping.normalise(m, network.normalisation, example=example)
    for _ in range(network.deepening):
        yield lambda m: reshaping.deepen(m, example=example)
    if network.skip:
        yield lambda m: reshaping.skip(m, example=example)
    if dropout:
        yield lambda m: surgery.set_dropout(m, dropout, example=example)
    if network.output_scale is not None:
        center, scale = network.output_scale
        yield lambda m: reshaping.scale_outputs(m, center, scale, example=example)


@final
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Prototype:
    """A module with its edits, and which of its layers start afresh.

    Attributes:
        module: The edited module.
        starts: Layers that start afresh, in the order in which they draw.
        way: How they start; ``None`` where none does.
    """

    module: nn.Module
    starts: tuple[Start, ...]
    way: Initialisation | None

    def filled_by(self, fresh: nn.Module) -> nn.Module:
        """Make the module that the same edits would make of a fresh one, bit for bit."""
        made, theirs = copy.deepcopy(self.module), _tensors(fresh)
        with torch.no_grad():
            for name, own in _tensors(made).items():
                if name in theirs:
                    own.copy_(theirs[name])
        if self.way is not None:
            start_afresh(made, self.way, self.starts)
        return made


def prototype_of(
    network: Given,
    modules: tuple[nn.Module, nn.Module],
    *,
    dropout: float,
    kept: Collection[str],
    example: tuple[Tensor, ...],
) -> Prototype | None:
    """Edit one module for all; ``None`` where an edit draws numbers, or modules differ in more than weights.

    Args:
        network: The network with the edits that it asks for.
        modules: Two that its function made.
        dropout: As in :func:`surgery_on`.
        kept: As in :func:`surgery_on`.
        example: As in :func:`surgery_on`.
    """
    draws = network.widening > 1 or network.activation == "maxout" or network.deepening
    if draws or not differ_in_weights_only(*modules):
        return None
    bare = dataclasses.replace(network, initialisation=None)
    module, starts = modules[0], tuple[Start, ...]()
    for edit in surgery_on(bare, dropout=dropout, kept=kept, example=example):
        module = edit(module).module
    if network.initialisation:
        starts = starts_of(module, example=example, activation=network.activation or "relu", without=kept)
    return Prototype(module=module, starts=starts, way=network.initialisation)


def differ_in_weights_only(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules are alike but for parameters and buffers, as far as can be told.

    Example:
        >>> differ_in_weights_only(nn.Linear(2, 3), nn.Linear(2, 3))
        True
        >>> differ_in_weights_only(nn.Dropout(0.1), nn.Dropout(0.2))
        False
    """
    parts, others = ([*module.named_modules()] for module in (one, other))
    shapes, other_shapes = ({n: t.shape for n, t in _tensors(module).items()} for module in (one, other))
    return (
        [(name, type(part)) for name, part in parts] == [(name, type(part)) for name, part in others]
        and shapes == other_shapes
        and all(_have_same_settings(part, its) for (_, part), (_, its) in zip(parts, others, strict=True))
    )


def _have_same_settings(part: nn.Module, other: nn.Module) -> bool:
    if any(getattr(each, hooks) for each in (part, other) for hooks in _HOOKS):
        return False  # a hook may hold its own module, or anything else
    settings, its = (
        {k: v for k, v in vars(each).items() if not _is_torchs(each, k)} for each in (part, other)
    )
    return settings.keys() == its.keys() and all(
        _is_plain(value) and value == its[name] for name, value in settings.items()
    )


def _is_torchs(part: nn.Module, name: str) -> bool:
    """Whether torch keeps a field itself, and copies it rightly: recurrent layers list their weights."""
    return name in _OF_TORCH or (isinstance(part, nn.RNNBase) and name.startswith("_flat_weight"))


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a word, a function, or made of such: it can be compared."""
    if isinstance(value, dict):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(_is_plain, value))
    return isinstance(value, (*_PLAIN, *_FUNCTIONS))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
    return dict(named)
