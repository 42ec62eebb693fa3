"""Edit a copy of any module: other activations, other dropout.

An edit swaps whole submodules. What ``forward`` calls as a function (``torch.sigmoid(x)``) is made a module
first, see :mod:`goodfit.nets.calls`. What comes behind the last weighted layer shapes the output and is never
touched. Which that is, one forward pass of an example batch tells.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import Maxout, activation_module, activation_named
from goodfit.nets.calls import Reached, as_modules
from goodfit.nets.passage import (
    DROPOUTS,
    Call,
    hidden,
    hidden_activation_calls,
    trace,
)

_DROPOUT, _INPUT_DROPOUT = "dropout", "input_dropout"  # names of the children that edits add


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edited:
    """The outcome of an edit.

    Attributes:
        module: The edited copy.
        changed: What was done, one entry for each submodule, such as ``"act1: Sigmoid -> ReLU"``.
        original: The module as it was, and still is: going back to it undoes the edit.
        unreached: What could not be edited, with the reason.
    """

    module: nn.Module
    changed: tuple[str, ...]
    original: nn.Module
    unreached: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """The edit as a difference of the printed trees, with what could not be reached below it.

        Example:
            >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
            >>> print(swap_activations(net, "relu", example=[torch.zeros(2, 4)]).diff)
             Sequential(
               (0): Linear(in_features=4, out_features=8, bias=True)
            -  (1): Tanh()
            +  (1): ReLU()
               (2): Linear(in_features=8, out_features=1, bias=True)
             )
        """
        before, after = (str(module).splitlines() for module in (self.original, self.module))
        lines = [line for line in difflib.ndiff(before, after) if not line.startswith("?")]
        said = [f"{line[0]}{line[2:]}".rstrip() for line in lines]
        return "\n".join([*said, *(f"not reached: {reason}" for reason in self.unreached)])


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
            fix="use goodfit.nets.reshaping.put_maxout, which widens them",
        )
    reached = as_modules(module, example=example)
    edited, changed = reached.module, []
    for call in hidden_activation_calls(trace(edited, example)):
        if isinstance(call.part, Maxout):
            continue  # its layer has several pieces for each unit
        new = activation_module(name)
        if type(new) is not type(call.part):
            for dropout in call.part.children():
                _attach(new, dropout)
            replace_part(edited, call.part, new.train(call.part.training))
            changed.append(f"{call.name}: {type(call.part).__name__} -> {type(new).__name__}")
    return _edited(module, reached, changed)


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
    reached = as_modules(module, example=example)
    edited, changed = reached.module, []
    calls = trace(edited, example)
    for call in hidden(calls):
        if isinstance(call.part, DROPOUTS) and call.part.p != rate:
            changed.append(f"{call.name}: dropout {call.part.p:g} -> {rate:g}")
            call.part.p = rate
    for call in hidden_activation_calls(calls):
        if not _has_dropout_behind(call, calls):
            _attach(call.part, nn.Dropout2d(rate) if call.is_image else nn.Dropout(rate))
            changed.append(f"{call.name}: {type(call.part).__name__}, then dropout {rate:g}")
    return _edited(module, reached, changed)


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
    edited.register_forward_pre_hook(drop_inputs)
    return Edited(module=edited, changed=(f"inputs: dropout {rate:g}",), original=module)


def hidden_activations(module: nn.Module, *, example: Sequence[Tensor]) -> tuple[str, ...]:
    """Name the activations that an edit can reach, in the order in which they run.

    Without any, swapping activations and adding dropout change nothing.
    """
    reached = as_modules(module, example=example).module
    return tuple(call.name for call in hidden_activation_calls(trace(reached, example)))


def _edited(module: nn.Module, reached: Reached, changed: Sequence[str]) -> Edited:
    return Edited(module=reached.module, changed=tuple(changed), original=module, unreached=reached.unreached)


def _has_dropout_behind(call: Call, calls: Sequence[Call]) -> bool:
    if any(isinstance(child, DROPOUTS) for child in call.part.children()):
        return True
    behind = (after for before, after in itertools.pairwise(calls) if before.part is call.part)
    return any(isinstance(after.part, DROPOUTS) for after in behind)


def _attach(activation: nn.Module, dropout: nn.Module) -> None:
    activation.add_module(_DROPOUT, dropout.train(activation.training))
    activation.register_forward_hook(drop_outputs)


def drop_outputs(activation: nn.Module, _: tuple[Any, ...], output: Tensor) -> Tensor:
    """Silence a share of what an activation puts out; a hook."""
    dropped: Tensor = activation.get_submodule(_DROPOUT)(output)
    return dropped


def drop_inputs(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Silence a share of the first argument; a hook."""
    return module.get_submodule(_INPUT_DROPOUT)(arguments[0]), *arguments[1:]


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise PlanError(f"dropout is {rate}", fix="give a rate of at least 0 and below 1")


def replace_part(root: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Swap a submodule under all the names it goes by."""
    names = [name for name, part in root.named_modules(remove_duplicate=False) if part is old]
    for name in names:
        parent, _, attribute = name.rpartition(".")
        setattr(root.get_submodule(parent), attribute, new)
