"""The user's own network as source: where its function stands, and which of its parts were edited."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.errors import ModelError
from goodfit.nets import surgery
from goodfit.nets.factory import load
from goodfit.nets.given import Given
from goodfit.nets.network import Sizes

Factory = str | Callable[..., nn.Module]


def find(factory: Factory) -> tuple[str, str, str | None]:
    """Find the source of a network's function.

    Args:
        factory: ``"FILE.py:FUNCTION"``, ``"package.module:FUNCTION"``, or the function itself.

    Returns:
        Where it stands, its name, and for a file its text; a module is imported instead.

    Raises:
        ModelError: The function was made on the spot, or its file cannot be read.
    """
    if not isinstance(factory, str):
        factory = _place(factory)
    origin, _, function = factory.rpartition(":")
    if not origin.endswith(".py"):
        return origin, function, None
    try:
        return Path(origin).name, function, pasteable(Path(origin).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, SyntaxError) as error:
        raise ModelError(
            f"the network's file {origin} cannot be read: {error}", fix="put the file back, or mend it"
        ) from error


def pasteable(text: str) -> str:
    """Leave out what must not stand in the middle of another file: imports from the future, a main guard.

    Example:
        >>> pasteable("from __future__ import annotations\\nimport torch\\n")
        'import torch'
    """
    lines = text.splitlines()
    for node in reversed(ast.parse(text).body):
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        is_guard = isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
        if is_future or is_guard:
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip()


def arguments(factory: Factory, sizes: Sizes) -> str:
    """Write what the function is called with for these sizes, such as ``"64, 10"``."""
    make = load(factory) if isinstance(factory, str) else factory
    calls: list[tuple[Any, ...]] = []

    @functools.wraps(make)
    def recorded(*given: Any) -> nn.Module:
        calls.append(given)
        return make(*given)

    with torch.random.fork_rng(devices=[]):
        Given(factory=recorded).build(sizes)
    return ", ".join(map(repr, calls[0]))


def names(changed: Sequence[str]) -> list[str]:
    """Take the submodules' names out of the lines of an edit.

    Example:
        >>> names(["body.1: Sigmoid -> ReLU"])
        ['body.1']
    """
    return [line.partition(":")[0] for line in changed]


def dropouts(
    module: nn.Module, rate: float, example: Sequence[Tensor]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Tell where a rate of dropout acts.

    Args:
        module: The network without it.
        rate: The rate; 0 changes nothing.
        example: Arguments of one forward pass.

    Returns:
        Dropouts of its own that get the rate, and activations that get one behind them, each with the
        function that does it (``dropout2d`` silences whole channels).
    """
    if not rate:
        return [], []
    edited = surgery.set_dropout(module, rate, example=example)
    own, added = [], []
    for line in edited.changed:
        name, _, words = line.partition(": ")
        if words.startswith("dropout"):
            own.append(name)
        else:
            kind = edited.module.get_submodule(f"{name}.dropout")
            added.append((name, "dropout2d" if isinstance(kind, nn.Dropout2d) else "dropout"))
    return own, added


def last_weighted(module: nn.Module, example: Sequence[Tensor]) -> str:
    """Name the linear or convolutional layer that runs last."""
    ran: list[str] = []

    def listen(name: str) -> Callable[..., None]:
        return lambda *_: ran.append(name)

    parts = [
        (name, part) for name, part in module.named_modules() if isinstance(part, surgery.WEIGHTED_MODULES)
    ]
    hooks = [part.register_forward_hook(listen(name)) for name, part in parts]
    module.eval()
    with torch.no_grad():
        module(*example)
    for hook in hooks:
        hook.remove()
    return ran[-1] if ran else ""


def _place(factory: Callable[..., nn.Module]) -> str:
    function = inspect.unwrap(factory)
    name = getattr(function, "__qualname__", "")
    if not name.isidentifier():
        raise ModelError(
            f"the network comes from {name or type(function).__name__}, which has no source of its own",
            fix='define it at the top of a file and give model="FILE.py:FUNCTION"',
        )
    return f"{inspect.getsourcefile(function) or function.__module__}:{name}"
