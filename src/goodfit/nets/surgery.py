"""Edit a copy of any module: other activations, other dropout, a fresh start.

An edit swaps whole submodules, so it reaches what is a module of its own and not what ``forward`` calls as a
function (``torch.sigmoid(x)``). What comes behind the last weighted layer shapes the output and is never
touched. Which that is, one forward pass of an example batch tells, since the order in which layers are
declared need not be the order in which they run.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import activation_module, activation_named
from goodfit.nets.initialisation import INITIALISATIONS, initialise

ACTIVATION_MODULES = (
    nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.ReLU, nn.ReLU6,
    nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish,
    nn.Softplus,
)  # fmt: skip
WEIGHTED_MODULES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_DROPOUT, _INPUT_DROPOUT = "dropout", "input_dropout"  # names of the children that edits add
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edited:
    """The outcome of an edit.

    Attributes:
        module: The edited copy; the original is as it was.
        changed: What was done, one entry for each submodule, such as ``"act1: Sigmoid -> ReLU"``.
    """

    module: nn.Module
    changed: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Call:
    """One use of a submodule in the example's forward pass."""

    name: str
    part: nn.Module
    is_image: bool


def swap_activations(module: nn.Module, name: str, *, example: Sequence[Tensor]) -> Edited:
    """Put another activation in place of every hidden one.

    Args:
        module: Any module; it is left as it is.
        name: Name of the new activation. Maxout needs wider layers before it, and is refused.
        example: Arguments of one forward pass.

    Returns:
        The edited copy. Parameters that belong to no swapped activation are equal bit for bit.

    Raises:
        PlanError: The name is unknown, or is Maxout.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 1), nn.Sigmoid())
        >>> swap_activations(net, "relu", example=[torch.zeros(2, 4)]).changed
        ('1: Sigmoid -> ReLU',)
    """
    if activation_named(name).is_maxout:
        raise PlanError(
            "maxout cannot be swapped in: the layers before it would need more outputs",
            fix="use goodfit.nets.activations.Maxout in the function that makes the network",
        )
    edited = copy.deepcopy(module)
    changed = []
    for call in _hidden_activations(_trace(edited, example)):
        new = activation_module(name)
        if type(new) is not type(call.part):
            for dropout in call.part.children():
                _attach(new, dropout)
            _replace(edited, call.part, new.train(call.part.training))
            changed.append(f"{call.name}: {type(call.part).__name__} -> {type(new).__name__}")
    return Edited(module=edited, changed=tuple(changed))


def set_dropout(module: nn.Module, rate: float, *, example: Sequence[Tensor]) -> Edited:
    """Give every hidden activation a dropout of that rate behind it.

    A dropout that is there gets the rate; elsewhere one becomes a child of the activation, in the form for
    whole channels behind convolutions. No parameter changes its name, so treated and untreated copies stack.

    Args:
        module: Any module; it is left as it is.
        rate: Share of units that are silenced in training.
        example: Arguments of one forward pass.

    Returns:
        The edited copy; its parameters are equal bit for bit.

    Raises:
        PlanError: The rate is outside [0, 1).

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> set_dropout(net, 0.5, example=[torch.zeros(2, 4)]).changed
        ('1: ReLU, then dropout 0.5',)
    """
    _check_rate(rate)
    edited = copy.deepcopy(module)
    calls = _trace(edited, example)
    changed = []
    for call in _hidden(calls):
        if isinstance(call.part, _DROPOUTS) and call.part.p != rate:
            changed.append(f"{call.name}: dropout {call.part.p:g} -> {rate:g}")
            call.part.p = rate
    for call in _hidden_activations(calls):
        if not _has_dropout_behind(call, calls):
            _attach(call.part, nn.Dropout2d(rate) if call.is_image else nn.Dropout(rate))
            changed.append(f"{call.name}: {type(call.part).__name__}, then dropout {rate:g}")
    return Edited(module=edited, changed=tuple(changed))


def set_input_dropout(module: nn.Module, rate: float) -> Edited:
    """Put a dropout before the whole module; codes, which come second, pass untouched.

    Args:
        module: Any module; it is left as it is.
        rate: Share of inputs that are silenced in training.

    Returns:
        The edited copy; its parameters are equal bit for bit and keep their names.

    Raises:
        PlanError: The rate is outside [0, 1).
    """
    _check_rate(rate)
    edited = copy.deepcopy(module)
    edited.add_module(_INPUT_DROPOUT, nn.Dropout(rate).train(edited.training))
    edited.register_forward_pre_hook(_drop_inputs)
    return Edited(module=edited, changed=(f"inputs: dropout {rate:g}",))


def hidden_activations(module: nn.Module, *, example: Sequence[Tensor]) -> tuple[str, ...]:
    """Name the activations that an edit can reach, in the order in which they run.

    Without any, as when ``forward`` calls functions, swapping activations and adding dropout change nothing.
    """
    return tuple(call.name for call in _hidden_activations(_trace(copy.deepcopy(module), example)))


def reinitialise(
    module: nn.Module, way: str, *, example: Sequence[Tensor], activation: str = "relu"
) -> Edited:
    """Start the weights of every linear and convolutional layer afresh.

    Args:
        module: Any module; it is left as it is.
        way: Name of the initialisation, see :func:`goodfit.nets.initialisation.initialise`.
        example: Arguments of one forward pass.
        activation: The hidden activation, whose gain the layers get; the last layer gets 1.

    Returns:
        The edited copy; other parameters, such as those of normalisation, are equal bit for bit.

    Raises:
        PlanError: A name is unknown.
    """
    if way not in INITIALISATIONS:
        raise PlanError(f"initialisation is {way!r}", fix=f"choose one of {', '.join(INITIALISATIONS)}")
    hidden_gain = activation_named(activation).gain
    edited = copy.deepcopy(module)
    calls = _trace(edited, example)
    last = calls[_last_weighted(calls)].part if calls else None
    changed = []
    for name, part in edited.named_modules():
        if isinstance(part, WEIGHTED_MODULES):
            initialise(part, way, gain=1.0 if part is last else hidden_gain)
            changed.append(f"{name}: {way} start")
    return Edited(module=edited, changed=tuple(changed))


def _trace(module: nn.Module, example: Sequence[Tensor]) -> list[_Call]:
    """List the uses of activations and of submodules without children, in the order in which they run."""
    calls: list[_Call] = []

    def note(name: str, part: nn.Module, output: object) -> None:
        is_image = isinstance(output, Tensor) and output.ndim == 4
        calls.append(_Call(name=name, part=part, is_image=is_image))

    leaves = [
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, ACTIVATION_MODULES) or not any(part.children())
    ]
    hooks = [
        part.register_forward_hook(lambda part, _, output, name=name: note(name, part, output))
        for name, part in leaves
    ]
    modes = [(part, part.training) for part in module.modules()]
    module.eval()  # so that batch normalisation learns nothing from the example
    with torch.random.fork_rng(devices=[]):
        module(*example)
    for part, mode in modes:
        part.training = mode
    for hook in hooks:
        hook.remove()
    return calls


def _last_weighted(calls: Sequence[_Call]) -> int:
    return max((i for i, call in enumerate(calls) if isinstance(call.part, WEIGHTED_MODULES)), default=0)


def _hidden(calls: Sequence[_Call]) -> list[_Call]:
    """Keep the first use of every submodule that is never used behind the last weighted layer."""
    last = _last_weighted(calls)
    at_output = {id(call.part) for call in calls[last:]}
    first = {id(call.part): call for call in reversed(calls[:last])}
    return [call for key, call in reversed(first.items()) if key not in at_output]


def _hidden_activations(calls: Sequence[_Call]) -> list[_Call]:
    return [call for call in _hidden(calls) if isinstance(call.part, ACTIVATION_MODULES)]


def _has_dropout_behind(call: _Call, calls: Sequence[_Call]) -> bool:
    if any(isinstance(child, _DROPOUTS) for child in call.part.children()):
        return True
    behind = (after for before, after in itertools.pairwise(calls) if before.part is call.part)
    return any(isinstance(after.part, _DROPOUTS) for after in behind)


def _attach(activation: nn.Module, dropout: nn.Module) -> None:
    activation.add_module(_DROPOUT, dropout.train(activation.training))
    activation.register_forward_hook(_drop_outputs)


def _drop_outputs(activation: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor:
    dropped: Tensor = activation.get_submodule(_DROPOUT)(output)
    return dropped


def _drop_inputs(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return module.get_submodule(_INPUT_DROPOUT)(arguments[0]), *arguments[1:]


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise PlanError(f"dropout is {rate}", fix="give a rate of at least 0 and below 1")


def _replace(root: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Swap a submodule under all the names it goes by."""
    names = [name for name, part in root.named_modules(remove_duplicate=False) if part is old]
    for name in names:
        parent, _, attribute = name.rpartition(".")
        setattr(root.get_submodule(parent), attribute, new)
