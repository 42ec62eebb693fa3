"""What every command shares: exit codes, errors in two lines, and the way from a run to its folder.

Whatever takes time to import is imported where it is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goodfit.cli import arguments
from goodfit.errors import GoodfitError
from goodfit.report.wording import printable

if TYPE_CHECKING:
    from goodfit.procedure.events import Listener
    from goodfit.procedure.fitted import Fitted
    from goodfit.procedure.run import Run

GOOD, FINDINGS_REMAIN, NOT_EXAMINED, INTERRUPTED, CLOSED = 0, 1, 2, 130, 141
REPORT_FILE = "report.html"
REPORT_SHARE = 0.05
MOST_REPORT_SECONDS = 2.0
"""Part of the budget that is kept for writing the report."""

Left = Callable[[], float | None]
"""Tells how many seconds of the budget are left; ``None`` without a budget."""


def door(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns or raises into an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        import typer

        raise typer.Exit(code_of(command, *args, **options))

    return run


def code_of(command: Callable[..., int], *args: Any, **options: Any) -> int:
    """Carry out a command, and say with which exit code it ends; an error is two lines on standard error."""
    try:
        return command(*args, **options)
    except GoodfitError as error:
        return _refuse(error.message, error.fix)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written\n")
        return INTERRUPTED
    except BrokenPipeError:  # who reads, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        return CLOSED
    except OSError as error:
        return _refuse(
            f"{error.filename or 'a file'}: {error.strerror or error}", "check the path and the space left"
        )
    except Exception:
        traceback.print_exc()
        return _refuse("this is a fault in goodfit", "please report it with the lines above")


def _refuse(what: str, fix: str) -> int:
    for label, text in (("error", what), ("fix", fix)):
        sys.stderr.write(f"{label}: {printable(text)}\n")
    return NOT_EXAMINED


def carry_out(
    work: Callable[[Listener, Left], Fitted],
    *,
    out: Path | None,
    replace: bool,
    budget: str | None,
    json: bool,
    quiet: bool,
) -> int:
    """Run the procedure, write the run folder, tell the result, and turn it into an exit code.

    ``work`` is given the listener, and a function that says how many seconds are left once torch is loaded.
    """
    from goodfit.procedure.events import Doing
    from goodfit.store.place import free_name, refuse_place

    started = time.monotonic()
    seconds = arguments.duration(budget) if budget is not None else None
    refuse_place(out or free_name(), replace=replace)
    with _listening(quiet=quiet) as listener:
        fitted = work(listener, lambda: _left(seconds, started))
        listener(Doing(what="writing the run", fraction=1.0, seconds_left=None))
        run = dataclasses.replace(fitted.run, budget_seconds=seconds) if seconds else fitted.run
        folder = _write(dataclasses.replace(fitted, run=run), out, replace=replace)
    tell(run, folder, page=folder / REPORT_FILE, json=json)
    return GOOD if run.good_on_training and run.good_on_testing else FINDINGS_REMAIN


def _write(fitted: Fitted, out: Path | None, *, replace: bool) -> Path:
    from goodfit.report.html import render
    from goodfit.store.folder import save
    from goodfit.store.place import free_name

    return save(fitted, out or free_name(), replace=replace, pages={REPORT_FILE: render(fitted.run)})


def _left(seconds: float | None, started: float) -> float | None:
    """What remains of the budget after starting up, less what writing the report takes."""
    if seconds is None:
        return None
    kept = time.monotonic() - started + min(MOST_REPORT_SECONDS, REPORT_SHARE * seconds)
    return max(seconds - kept, seconds / 2)


@contextlib.contextmanager
def _listening(*, quiet: bool) -> Iterator[Listener]:
    if quiet:
        from goodfit.procedure.events import silence

        yield silence
        return
    from rich.console import Console

    from goodfit.report.terminal import Progress

    with Progress(Console(stderr=True)) as progress:
        yield progress


def tell(run: Run, folder: Path, *, page: Path, json: bool) -> None:
    """Print a run's result: the summary, or one JSON object."""
    from rich.console import Console

    from goodfit.report.machine import to_json
    from goodfit.report.summary import summarise

    if json:
        sys.stdout.write(f"{to_json(run, folder=folder)}\n")
    else:
        summarise(run, Console(), folder=folder, page=page)
