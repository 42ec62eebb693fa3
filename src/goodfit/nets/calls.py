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
import importlib
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, final

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from goodfit.nets.activations import Maxout
from goodfit.nets.adapter import Adapter, CodesAsInputs, call

_BY_NAME: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "relu_": nn.ReLU,
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
    "leaky_relu_": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "logsigmoid": nn.LogSigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "softmax": nn.Softmax,
    "log_softmax": nn.LogSoftmax,
}
_HOMES = (torch, F, torch.special)
FUNCTIONS: dict[Any, type[nn.Module]] = {
    getattr(home, name): kind for name, kind in _BY_NAME.items() for home in _HOMES if hasattr(home, name)
}
METHODS = {name: kind for name, kind in _BY_NAME.items() if hasattr(Tensor, name)}
_POSITIONS = {
    nn.LeakyReLU: ("negative_slope",),
    nn.ELU: ("alpha",),
    nn.CELU: ("alpha",),
    nn.Softplus: ("beta", "threshold"),
    nn.Hardtanh: ("min_val", "max_val"),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
}
"""Names of what stands behind the input when it is given by place."""
_GATES = {operator.mul, torch.mul, operator.imul, "mul", "mul_"}
_DROPOUTS = {F.dropout: nn.Dropout, F.dropout1d: nn.Dropout1d, F.dropout2d: nn.Dropout2d}


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


@final
class Rewritten(nn.Module):
    """A module with another ``forward``: everything else is its own, in the order it was made.

    Args:
        parent: The module; its parts are shared with it.
        parts: What ``forward`` calls in place of functions.
        source: Text of the function ``forward``.
        names: What the text refers to.
    """

    def __init__(
        self, parent: nn.Module, parts: dict[str, nn.Module], *, source: str, names: dict[str, Any]
    ) -> None:
        super().__init__()
        self.__dict__.update(copy.copy(parent).__dict__)
        self._modules = {**parent._modules, **parts}
        self.source, self.word = source, type(parent).__name__
        # a module of Python can be neither copied nor pickled, its name can
        self.imports = {
            name: value.__name__ for name, value in names.items() if isinstance(value, ModuleType)
        }
        self.names = {name: value for name, value in names.items() if name not in self.imports}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute what the module it was made from computes."""
        return _compiled(self, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_run"}

    def _get_name(self) -> str:
        return self.word


def _compiled(module: Rewritten, *args: Any, **kwargs: Any) -> Any:
    run = module.__dict__.get("_run")
    if run is None:
        imported = {name: importlib.import_module(place) for name, place in module.imports.items()}
        scope = {**module.names, **imported}
        exec(module.source, scope)
        run = module.__dict__["_run"] = scope["forward"]
    return run(module, *args, **kwargs)


class _Leaves(fx.Tracer):
    """Traces one ``forward`` and none of its children."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


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
            anew, lines = _anew(parent)
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
            if is_own and (func in FUNCTIONS or func in _DROPOUTS or _method_of(func) in METHODS):
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


def _anew(parent: nn.Module) -> tuple[nn.Module, list[str]]:
    """Write a module's forward anew, once as in training and once as in evaluation."""
    graphs = []
    mode = parent.training
    for training in (True, False):
        parent.training = training  # of this module alone: its children are not looked into
        graphs.append(_Leaves().trace(parent))
    parent.training = mode
    parts: dict[str, nn.Module] = {}
    lines: list[str] = []
    pairs = list(zip(*(list(graph.nodes) for graph in graphs), strict=True))
    for node, other in pairs:
        if (node.op, node.target) != (other.op, other.target):
            raise ValueError("forward does something else in training than in evaluation")
        made = _module_for(node, other)
        if made is None:
            continue
        name = f"{_word(node)}_{len(parts)}"
        while hasattr(parent, name):
            name += "_"
        parts[name] = made.train(mode)
        lines.append(f"{name}: {_word(node)}(...) -> {made}")
        for graph, replaced in zip(graphs, (node, other), strict=True):
            _put(graph, replaced, name)
    if str(graphs[0]) != str(graphs[1]):
        raise ValueError("forward does something else in training than in evaluation")
    return _module_of(parent, graphs[0], parts), lines


def _module_for(node: fx.Node, other: fx.Node) -> nn.Module | None:
    """Make the module that does what a call does; ``None`` for other calls, and for gates."""
    if node.op == "call_function" and node.target in _DROPOUTS:
        return _dropout(node, other)
    kind = FUNCTIONS.get(node.target) if node.op == "call_function" else None
    kind = METHODS.get(str(node.target)) if node.op == "call_method" else kind
    if kind is None or any(user.target in _GATES for user in node.users):
        return None
    settings = dict(zip(_POSITIONS.get(kind, ()), node.args[1:], strict=False)) | dict(node.kwargs)
    settings = {k: v for k, v in settings.items() if k not in ("inplace", "input", "_stacklevel", "dtype")}
    if any(isinstance(value, fx.Node) for value in settings.values()):
        return None
    return kind(**settings)


def _dropout(node: fx.Node, other: fx.Node) -> nn.Module | None:
    def settings(n: fx.Node) -> dict[str, Any]:
        return dict(zip(("input", "p", "training"), n.args, strict=False)) | dict(n.kwargs)

    in_training, in_evaluation = (settings(n).get("training", True) for n in (node, other))
    if not in_training or in_evaluation:  # dropout that never, or always, works is no dropout of a training
        return None
    rate = settings(node).get("p", 0.5)
    return _DROPOUTS[node.target](rate) if isinstance(rate, float) else None  # type: ignore[index]


def _put(graph: fx.Graph, node: fx.Node, name: str) -> None:
    given = node.args[0] if node.args else node.kwargs["input"]
    with graph.inserting_before(node):
        new = graph.call_module(name, (given,))
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _module_of(parent: nn.Module, graph: fx.Graph, parts: dict[str, nn.Module]) -> nn.Module:
    code = graph.python_code("self")
    return Rewritten(parent, parts, source=code.src, names=code.globals)


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


def _word(node: fx.Node) -> str:
    target: Callable[..., Any] | str = node.target
    return (target if isinstance(target, str) else target.__name__).rstrip("_")


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"torch.fx cannot trace it ({line[:120]})"
