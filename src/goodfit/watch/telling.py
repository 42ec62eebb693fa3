"""What a watched script's user reads, on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from goodfit.report.wording import printable
from goodfit.watch.sighting import Sighting
from goodfit.watch.uses import Place

if TYPE_CHECKING:
    from goodfit.watch.session import Session


def tell(seen: Sighting) -> None:
    """Print one finding: where, what, and what to do."""
    found = seen.finding
    where = f" at {_where(seen.place)}" if seen.place else ""
    lines = (
        f"goodfit: {found.severity} {found.code} {found.name}{where}",
        f"    {found.message}",
        f"    do: {seen.advice}",
    )
    say(*lines)


def closing(rest: Sequence[Sighting], session: Session, *, num_told: int, note: str = "") -> None:
    """Print the findings not told yet, and how much was looked at."""
    if note:
        say(f"goodfit: {note}")
    for seen in rest:
        tell(seen)
    count = len(rest) + num_told
    if not session.num_steps and not count and session.failure is None:
        called = "modules were called, but " if session.has_called else ""
        say(f"goodfit: {called}no optimizer of torch took a step: there was no training to watch")
        return
    said = "nothing wrong was seen" if not count else "1 finding" if count == 1 else f"{count} findings"
    say(f"goodfit: {said} in {session.num_steps} steps, overhead {session.overhead:.1%}")
    if session.not_checked:
        say(f"goodfit: not checked: {'; '.join(session.not_checked)}")


def say(*lines: str) -> None:
    """Write lines on standard error; a script that closed it hears nothing, and goes on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        sys.stderr.flush()


def _where(place: Place) -> str:
    try:
        near = os.path.relpath(place.file)
    except (OSError, ValueError):  # the folder is gone, or on another drive
        near = place.file
    return f"{near if len(near) < len(place.file) else place.file}:{place.line}"
