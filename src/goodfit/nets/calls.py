"""Functions that a module calls in ``forward`` become modules, so that edits can reach them.

``torch.relu(x)``, ``F.gelu(x)``, ``x.sigmoid()`` and ``F.dropout(x, training=self.training)`` have no name
that an edit could take hold of. Here ``torch.fx`` writes the ``forward`` of the module that calls them anew,
with a module in the place of each. Its children are left as they are, parameters keep their names and order,
and what cannot be traced, or would compute something else, stays as it was and is named.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from goodfit.nets.activations import Maxout
from goodfit.nets.adapter import Adapter, CodesAsInputs, call
from goodfit.nets.rewriting import DROPOUT_FUNCTIONS, FUNCTIONS, METHODS, Rewritten, written_anew


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reached:
    """A copy whose function calls are modules.

    Attributes:
        module: The copy; it computes the same.
        changed: A line for each call that became a module.
        unreached: A line for each module whose calls could not be reached, with the reason.
    """

    module: nn.Module
    changed: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()


def as_modules(module: nn.Module, *, example: Sequence[Tensor]) -> Reached:
    """Make modules of the activations and dropouts that ``forward`` calls as functions.

    Args:
        module: Any module; it is left as it is.
        example: Arguments of one forward pass.

    Returns:
        The copy, equal bit for bit. A function that gates something (its result is multiplied) stays a
        function, since another activation there would be no gate.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 1)
        ...     def forward(self, x):
        ...         return self.b(torch.tanh(self.a(x)))
        >>> as_modules(Net(), example=[torch.zeros(2, 4)]).changed
        ('tanh_0: tanh(...) -> Tanh()',)
    """
    callers = _callers(module, example)
    edited = copy.deepcopy(module)
    changed, unreached = _in_transformers(edited), []
    for name in callers:
        parent = edited.get_submodule(name)
        prefix = f"{name}." if name else ""
        try:
            anew, lines = written_anew(parent)
        except Exception as error:  # torch.fx raises whatever the traced code raises on its proxies
            unreached.append(f"{name or type(module).__name__}: {_first_line(error)}")
            continue
        if not lines:
            continue
        candidate = _with_part(edited, name, anew)
        if _same(module, candidate, example):
            edited = candidate
            changed += [prefix + line for line in lines]
        else:
            unreached.append(f"{name or type(module).__name__}: written anew it would compute something else")
    return Reached(module=edited, changed=tuple(changed), unreached=tuple(unreached))


def _in_transformers(module: nn.Module) -> list[str]:
    """Torch's own Transformer layers keep their activation as a function in an attribute."""
    lines = []
    for name, part in module.named_modules():
        kept = part.__dict__.get("activation")
        if isinstance(part, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)) and kept in FUNCTIONS:
            made = FUNCTIONS[kept]().train(part.training)
            part.activation = made
            part.activation_relu_or_gelu = 0  # torch's own short cut in evaluation would not look at it
            prefix = f"{name}." if name else ""
            lines.append(f"{prefix}activation: {kept.__name__}(...) -> {made}")
    return lines


def _callers(module: nn.Module, example: Sequence[Tensor]) -> tuple[str, ...]:
    """Name the modules that call an activation or a dropout themselves, the innermost first."""
    inside: list[str] = [""]
    found: dict[str, None] = {}
    names = {id(part): name for name, part in module.named_modules()}

    class Listening(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            part = module.get_submodule(inside[-1])
            known = isinstance(part, (Adapter, CodesAsInputs, Maxout, Rewritten))
            is_own = not known and not type(part).__module__.startswith("torch.nn")
            if is_own and (func in FUNCTIONS or func in DROPOUT_FUNCTIONS or _method_of(func) in METHODS):
                found[inside[-1]] = None
            return func(*args, **(kwargs or {}))

    def enter(part: nn.Module, _: Any) -> None:
        inside.append(names[id(part)])

    def leave(part: nn.Module, *_: Any) -> None:
        inside.pop()

    hooks = [part.register_forward_pre_hook(enter) for part in module.modules()]
    hooks += [part.register_forward_hook(leave) for part in module.modules()]
    try:
        with Listening(), _quietly(module):
            call(module, list(example))
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(sorted(found, key=lambda name: -name.count(".") if name else 1))


def _method_of(func: Any) -> str:
    return getattr(func, "__name__", "") if "method" in type(func).__name__ else ""


def _with_part(root: nn.Module, name: str, part: nn.Module) -> nn.Module:
    if not name:
        return part
    edited = copy.copy(root)
    parent, _, attribute = name.rpartition(".")
    # along the way to the part containers are copied, so that another attempt can start from the old ones
    here = edited
    edited._modules = dict(root._modules)
    for step in filter(None, parent.split(".")):
        child = copy.copy(here._modules[step])
        assert child is not None
        child._modules = dict(child._modules)
        here._modules[step] = child
        here = child
    old = here._modules[attribute]
    here._modules[attribute] = part
    del old
    return edited


def _same(module: nn.Module, other: nn.Module, example: Sequence[Tensor]) -> bool:
    """Whether both compute the same from the same random numbers, in training and in evaluation."""
    if list(module.state_dict()) != list(other.state_dict()):
        return False
    generator = torch.Generator().manual_seed(0)
    shaken = [t + torch.randn(t.shape, generator=generator) if t.is_floating_point() else t for t in example]
    for training in (True, False):
        outputs = []
        for each in (copy.deepcopy(module), copy.deepcopy(other)):
            each.train(training)
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(0)
                outputs.append(call(each, shaken))
        if not _equal(*outputs):
            return False
    return True


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return True


@contextlib.contextmanager
def _quietly(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode for a while, so that it learns nothing from an example."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"torch.fx cannot trace it ({line[:120]})"
