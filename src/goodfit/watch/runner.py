"""Run a script as Python itself would: its arguments, its paths, its exit code, its tracebacks."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import runpy
import signal
import sys
import threading
import types
from collections.abc import Sequence, Set
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
        is_interrupted: Whether Ctrl-C ended it.
        note: What to tell beside its own traceback; empty if it came to its own end.
    """

    code: int
    is_whole: bool
    is_interrupted: bool = False
    note: str = ""


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
    if not as_module:
        refuse_missing(target)
    argv, path, others = sys.argv, list(sys.path), set(threading.enumerate())
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
        note = "the script was interrupted; this is what was seen until then"
        return Ending(code=INTERRUPTED, is_whole=False, is_interrupted=True, note=note)
    except BaseException as error:
        _print(error)
        return Ending(code=FAILED, is_whole=False, note=_note_on(error, target))
    finally:
        _wait_for_threads(others)
        sys.argv, sys.path[:] = argv, path
        with contextlib.suppress(OSError, ValueError):  # a closed pipe is the script's own matter
            sys.stdout.flush()
    return Ending(code=0, is_whole=True)


def leave_interrupted() -> None:
    """End this process by the signal of Ctrl-C, as Python does: shells ask for the signal, not for 130."""
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _wait_for_threads(others: Set[threading.Thread]) -> None:
    """Wait for the script's threads that Python would wait for at its end: they may be training."""
    for thread in threading.enumerate():
        if thread not in others and not thread.daemon:
            thread.join()


def _note_on(error: BaseException, target: str) -> str:
    # by now the traceback holds frames of the script alone
    if isinstance(error, SyntaxError | ValueError) and error.__traceback__ is None:
        return f"{target} could not be read as Python, so there was nothing to watch"
    return f"the script ended with {type(error).__name__}; this is what was seen until then"


def refuse_missing(target: str) -> None:
    """Refuse a script that is not there.

    Raises:
        PlanError: There is no such script.
    """
    if not os.path.exists(target):
        raise PlanError(f"there is no script {target!r}", fix="give the path of a Python script")


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
