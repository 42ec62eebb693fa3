"""Find the function that ``FILE.py:FUNCTION`` names."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from goodfit.errors import ModelError


def load(place: str, *, what: str = "model") -> Callable[..., Any]:
    """Load a function or class from a file or a module.

    Args:
        place: ``"FILE.py:FUNCTION"`` or ``"package.module:FUNCTION"``. A file may import its neighbours.
        what: What it makes, for errors.

    Raises:
        ModelError: The place is not of that form, the file is missing or raises, or has no such function.

    Example:
        >>> load("torch.nn:Linear").__name__
        'Linear'
    """
    origin, colon, name = place.rpartition(":")
    if not (origin and colon and name.isidentifier()):
        raise ModelError(f"the {what} is {place!r}", fix="write FILE.py:FUNCTION")
    module = _load_file(Path(origin)) if origin.endswith(".py") else _import(origin)
    function = getattr(module, name, None)
    if not callable(function):
        callables = [word for word, value in vars(module).items() if callable(value)]
        what = "is not callable" if hasattr(module, name) else "is not there"
        raise ModelError(f"{name} {what} in {origin}", fix=_suggest(name, callables))
    found: Callable[..., Any] = function
    return found


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        neighbours = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ModelError(f"there is no file {path}", fix=_suggest(path.name, neighbours))
    # a file that was edited since is another module; one that was not is executed once
    return _execute(path.resolve(), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _execute(path: Path, changed_ns: int) -> ModuleType:
    name = f"{path.stem}_{hashlib.sha256(f'{path}{changed_ns}'.encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # it is None only for endings that are not Python's
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up there
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ModelError(
            f"{path.name} raises {type(error).__name__} when it is read: {error}",
            fix="keep only imports and definitions at its top level, and mend what raises",
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ModelError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {error}",
            fix="give the path of a Python file, FILE.py:FUNCTION, or install the module",
        ) from error


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [word for word in known if not word.startswith("_")], n=1)
    return f"did you mean {close[0]}?" if close else "write FILE.py:FUNCTION with the path from here"
