"""One module's ``forward``, written anew by ``torch.fx`` with modules in the place of function calls."""

from __future__ import annotations

import copy
import importlib
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any, final

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, fx, nn

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
DROPOUT_FUNCTIONS = {F.dropout: nn.Dropout, F.dropout1d: nn.Dropout1d, F.dropout2d: nn.Dropout2d}


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


def written_anew(parent: nn.Module) -> tuple[nn.Module, list[str]]:
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
    if node.op == "call_function" and node.target in DROPOUT_FUNCTIONS:
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
    return DROPOUT_FUNCTIONS[node.target](rate) if isinstance(rate, float) else None  # type: ignore[index]


def _put(graph: fx.Graph, node: fx.Node, name: str) -> None:
    given = node.args[0] if node.args else node.kwargs["input"]
    with graph.inserting_before(node):
        new = graph.call_module(name, (given,))
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _module_of(parent: nn.Module, graph: fx.Graph, parts: dict[str, nn.Module]) -> nn.Module:
    code = graph.python_code("self")
    return Rewritten(parent, parts, source=code.src, names=code.globals)


def _word(node: fx.Node) -> str:
    target: Callable[..., Any] | str = node.target
    return (target if isinstance(target, str) else target.__name__).rstrip("_")
