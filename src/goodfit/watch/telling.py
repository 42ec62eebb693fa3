"""What a watched script's user reads, on standard error."""

from __future__ import annotations

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
    sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
    sys.stderr.flush()


def closing(rest: Sequence[Sighting], session: Session, *, num_told: int) -> None:
    """Print the findings not told yet, and how much was looked at."""
    for seen in rest:
        tell(seen)
    count = len(rest) + num_told
    if not session.num_steps and not count and session.failure is None:
        sys.stderr.write("goodfit: trained nothing that torch's hooks can see\n")
        return
    said = "nothing wrong was seen" if not count else "1 finding" if count == 1 else f"{count} findings"
    sys.stderr.write(f"goodfit: {said} in {session.num_steps} steps, overhead {session.overhead:.1%}\n")
    if session.not_checked:
        sys.stderr.write(f"goodfit: not checked: {printable('; '.join(session.not_checked))}\n")
    sys.stderr.flush()


def _where(place: Place) -> str:
    near = os.path.relpath(place.file)
    return f"{near if len(near) < len(place.file) else place.file}:{place.line}"
