"""Run a script as Python itself would: its arguments, its paths, its exit code, its tracebacks."""

from __future__ import annotations

import dataclasses
import os
import runpy
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from goodfit.errors import PlanError

FAILED, INTERRUPTED = 1, 130
OWN, RUNPY = str(Path(__file__).resolve().parent), "<frozen runpy>"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ending:
    """How a script ended.

    Attributes:
        code: The exit code that Python would have had.
        is_whole: Whether it came to its own end, not to an error or an interruption.
    """

    code: int
    is_whole: bool


def run(target: str, arguments: Sequence[str], *, as_module: bool) -> Ending:
    """Run a script or a module as ``__main__``, in this process.

    Args:
        target: Path of the script, or name of the module.
        arguments: What stands behind it on the command line.
        as_module: Whether ``target`` is a module's name, as behind ``python -m``.

    Returns:
        Its end. Errors of the script are printed as Python prints them.

    Raises:
        PlanError: There is no such script.
    """
    if not as_module and not os.path.exists(target):
        raise PlanError(f"there is no script {target!r}", fix="give the path of a Python script")
    argv, path = sys.argv, list(sys.path)
    sys.argv = [target, *arguments]
    sys.path[0] = os.getcwd() if as_module else str(Path(target).resolve().parent)
    try:
        if as_module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
    except SystemExit as leaving:
        return Ending(code=_code(leaving.code), is_whole=True)
    except KeyboardInterrupt as error:
        _print(error)
        return Ending(code=INTERRUPTED, is_whole=False)
    except BaseException as error:
        _print(error)
        return Ending(code=FAILED, is_whole=False)
    finally:
        sys.argv, sys.path[:] = argv, path
        sys.stdout.flush()
    return Ending(code=0, is_whole=True)


def _code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return FAILED


def _print(error: BaseException) -> None:
    """Print the traceback without the frames of the runner and of the hooks."""
    trace = _without_own(error.__traceback__)
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _without_own(trace: types.TracebackType | None) -> types.TracebackType | None:
    kept = []
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((OWN, RUNPY)):
            kept.append(trace)
        trace = trace.tb_next
    rest: types.TracebackType | None = None
    for one in reversed(kept):
        rest = types.TracebackType(rest, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return rest
