"""The user's own functions as source: where they stand, and what has to be pasted of their file."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

from goodfit.errors import ModelError
from goodfit.forms import Form
from goodfit.interop.module_settings import ModuleFactory
from goodfit.interop.script.excerpt import excerpt
from goodfit.nets.factory import load
from goodfit.nets.given import Given
from goodfit.nets.network import Sizes

Factory = str | Callable[..., Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A function of the user's as text.

    Attributes:
        origin: The file or module it comes from.
        name: What it is called in the text.
        text: What is to be pasted; ``None`` where it is to be imported from ``origin``.
    """

    origin: str
    name: str
    text: str | None


def find(factory: Factory, *, also: Sequence[str] = ()) -> Source:
    """Find the source of a function.

    Args:
        factory: ``"FILE.py:FUNCTION"``, ``"package.module:FUNCTION"``, or the function or class itself.
        also: Further names of its file that are wanted.

    Raises:
        ModelError: It has no source that can stand alone, or its file cannot be read.
    """
    if not isinstance(factory, str):
        return _of_function(inspect.unwrap(unwrapped(factory)), also)
    origin, _, name = factory.rpartition(":")
    if not origin.endswith(".py"):
        return Source(origin=origin, name=name, text=None)
    return Source(origin=Path(origin).name, name=name, text=_excerpt(Path(origin), [name, *also]))


def unwrapped(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Take off what only sets arguments: ``functools.partial``, and the settings of an estimator."""
    while isinstance(factory, (functools.partial, ModuleFactory)):
        factory = factory.func if isinstance(factory, functools.partial) else factory.module
    return factory


def arguments(factory: Factory, sizes: Sizes, form: Form | None = None) -> str:
    """Write what the function is called with for these sizes, such as ``"64, 10"``.

    Raises:
        ModelError: It is called with something that cannot be written, such as a tensor.
    """
    make = load(factory) if isinstance(factory, str) else factory
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    @functools.wraps(unwrapped(make), updated=())
    def recorded(*given: Any, **named: Any) -> nn.Module:
        calls.append((given, named))
        made: nn.Module = unwrapped(make)(*given, **named)
        return made

    with torch.random.fork_rng(devices=[]):
        Given(factory=_around(make, recorded), form=form).build(sizes)
    given, named = calls[0]
    return ", ".join([*map(literal, given), *(f"{name}={literal(value)}" for name, value in named.items())])


def literal(value: Any) -> str:
    """Write a value as Python: plain ones, tuples of them, and what ``torch.nn`` has a name for.

    Raises:
        ModelError: It is none of these.
    """
    name: str = getattr(value, "__name__", "")
    for home, word in ((nn, "nn"), (nn.functional, "F")):
        if name and getattr(home, name, None) is value:
            return f"{word}.{name}"
    try:
        if ast.literal_eval(repr(value)) == value:
            return repr(value)
    except (ValueError, SyntaxError):
        pass
    raise ModelError(
        f"the network's function is given {value!r}, which cannot be written into a script",
        fix="make it inside a function at the top of a file",
    )


def _around(make: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(make, functools.partial):
        return functools.partial(_around(make.func, inner), *make.args, **make.keywords)
    if isinstance(make, ModuleFactory):
        return dataclasses.replace(make, module=_around(make.module, inner))
    return inner


def _of_function(function: Callable[..., Any], also: Sequence[str]) -> Source:
    name = getattr(function, "__qualname__", "")
    module = getattr(function, "__module__", "")
    if name.isidentifier() and module.partition(".")[0] == "torch":
        return Source(origin=module, name=name, text=None)
    file = _file_of(function)
    if name.isidentifier():
        return Source(origin=file.name, name=name, text=_excerpt(file, [name, *also]))
    texts: dict[str, str] = {}
    name = _on_the_spot(function, texts)
    spot = "\n\n\n".join(texts.values())
    used = {n.id for n in ast.walk(ast.parse(spot)) if isinstance(n, ast.Name)} - set(texts)
    around = _excerpt(file, [*used, *also])
    return Source(origin=file.name, name=name, text="\n\n\n".join(filter(None, (around, spot))))


def _file_of(function: Any) -> Path:
    try:
        path = Path(inspect.getsourcefile(function) or "")
        if path.is_file():
            return path
    except TypeError:
        pass
    said = getattr(function, "__qualname__", type(function).__name__)
    raise ModelError(
        f"the network comes from {said}, which has no source in any file",
        fix='define it in a file and give model="FILE.py:FUNCTION"',
    )


def _excerpt(path: Path, names: Sequence[str]) -> str:
    try:
        return excerpt(path.read_text(encoding="utf-8"), names, file=path.name)
    except (OSError, UnicodeError, SyntaxError) as error:
        raise ModelError(f"the file {path} cannot be read: {error}", fix="put it back, or mend it") from error


def _on_the_spot(function: Any, texts: dict[str, str]) -> str:
    """Write a lambda, or what is defined inside another function, with what it takes from around it."""
    name = function.__name__ if function.__name__.isidentifier() else "make_given"
    if name in texts:
        return name
    parts = [function] if isinstance(function, FunctionType) else list(vars(function).values())
    for part in parts:
        if isinstance(part, FunctionType):
            for word, cell in zip(part.__code__.co_freevars, part.__closure__ or (), strict=True):
                if word != "__class__" and word not in texts:
                    _enclosed(word, cell.cell_contents, texts)
    texts[name] = _lambda(function) if function.__name__ == "<lambda>" else _definition(function)
    return name


def _enclosed(word: str, value: Any, texts: dict[str, str]) -> None:
    if isinstance(value, ModuleType):
        texts[word] = f"import {value.__name__} as {word}"
    elif isinstance(value, (FunctionType, type)) and "<locals>" in value.__qualname__:
        _on_the_spot(value, texts)
    elif isinstance(value, (FunctionType, type)):
        texts[word] = f"from {value.__module__} import {value.__qualname__} as {word}"
    else:
        texts[word] = f"{word} = {literal(value)}"


def _definition(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError) as error:
        raise ModelError(
            f"the source of {function.__qualname__} cannot be read: {error}",
            fix='define it in a file and give model="FILE.py:FUNCTION"',
        ) from error


def _lambda(function: FunctionType) -> str:
    """Find the very lambda in its file: the one that holds every place that its code comes from."""
    text = _file_of(function).read_text(encoding="utf-8")
    spots = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in function.__code__.co_positions()
        if line is not None and end_line is not None and end_column  # the first instruction is nowhere
    ]
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda) and all(_holds(node, *spot) for spot in spots)
    ]
    if not found:
        raise ModelError(
            "the network comes from a lambda that its file does not hold any more",
            fix='define it as a function and give model="FILE.py:FUNCTION"',
        )
    segment = ast.get_source_segment(text, found[-1])  # walked from the outside to the inside
    return f"make_given = (\n    {segment}\n)"


def _holds(node: ast.Lambda, start: tuple[int, int | None], end: tuple[int, int | None]) -> bool:
    first, last = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    return first <= (start[0], start[1] or 0) and (end[0], end[1] or 0) <= last
