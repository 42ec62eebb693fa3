"""A goodfit command in a process of its own, with its time and the peak memory of all its processes together.

Memory is the proportional set size: pages that several processes map are counted once, in shares. It is read
twenty times a second while the command runs.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

GIGABYTE = 1e9
FINISHED = (0, 1)
"""Exit codes of a command that came to its end: a good fit, or an answer that is still no."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watched:
    """What a command cost: wall seconds, and bytes at the peak."""

    seconds: float
    peak: int


def run_watched(*words: str) -> Watched:
    """Run ``goodfit WORDS`` to its end; a failure ends the benchmark."""
    peak, start = 0, time.monotonic()
    command = subprocess.Popen([sys.executable, "-m", "goodfit", *words], stdout=subprocess.DEVNULL)
    while command.poll() is None:
        peak = max(peak, sum(_proportional(pid) for pid in _family(command.pid)))
        time.sleep(0.05)
    if command.returncode not in FINISHED:
        raise SystemExit(f"goodfit {words[0]} ended with exit code {command.returncode}")
    return Watched(seconds=time.monotonic() - start, peak=peak)


def _family(pid: int) -> list[int]:
    """A process and all that it began."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in _read(children).split()]
    return found


def _proportional(pid: int) -> int:
    """Bytes a process holds, shared pages in shares; 0 once it has ended."""
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
