"""What ``goodfit watch`` costs, on three small scripts (in ``watched/``).

    python benchmarks/watching.py [--rounds 4] [--scale 1.0] [--only mlp ...]

What watching adds to a training loop is measured inside one process, where stretches of a fifth of a second
are watched and left alone in turn: whatever else the machine does slows down both. Printed are the CPU
seconds of all watched stretches over those of the others, with the interval that the pairs leave.
What it adds around the loop, for loading goodfit, for the first looks and for judging, and to the peak of
memory is measured between processes: every round runs a script alone and watched at the same time, each on a
core of its own, and the next round on each other's cores.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import write_results
from rich.console import Console
from rich.table import Table

WATCHED = Path(__file__).parent / "watched"
STEPS = {"mlp": 40_000, "cnn": 1_200, "transformer": 1_800}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TIMES_AS_LONG = 3
"""Steps of the training whose stretches are watched in turn, over those of the scripts."""
MEGABYTE = 1024  # ru_maxrss is in kilobytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run of a script took.

    Attributes:
        printed: What it printed last.
        whole: CPU seconds of the process.
        peak: Megabytes at the peak.
    """

    printed: str
    whole: float
    peak: float

    @property
    def loop(self) -> float:
        """CPU seconds of the training loop."""
        return float(self.printed)

    @property
    def around(self) -> float:
        """CPU seconds before and after the loop."""
        return self.whole - self.loop


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="of processes; an even number")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS))
    arguments = parser.parse_args()
    if arguments.rounds < 2 or arguments.rounds % 2:
        parser.error(f"--rounds is {arguments.rounds}; give an even number of 2 or more")
    rows = [
        measure(name, num_steps=round(STEPS[name] * arguments.scale), num_rounds=arguments.rounds)
        for name in arguments.only
    ]
    show(rows)
    print(write_results("watching", {"rounds": arguments.rounds, "scale": arguments.scale, "rows": rows}))


def measure(name: str, *, num_steps: int, num_rounds: int) -> dict[str, Any]:
    """Run one script in turn, then alone and watched at the same time, and set the costs side by side."""
    script = [str(WATCHED / f"{name}.py"), str(num_steps)]
    rounds, told = [], []
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        watching = ["-m", "goodfit", "watch", "--json", str(found), *script]
        for turn in range(num_rounds):
            cores = sorted(os.sched_getaffinity(0))[:2]
            rounds.append(run_both(script, watching, cores=cores if turn % 2 else cores[::-1]))
            told.append(json.loads(found.read_text(encoding="utf-8")))
    in_turn = run([str(WATCHED / "in_turn.py"), script[0], str(TIMES_AS_LONG * num_steps)], cores[0])
    stretches = json.loads(in_turn.printed)
    return {
        "script": name,
        "steps": num_steps,
        "loop_seconds": statistics.median(alone.loop for alone, _ in rounds),
        "num_pairs": len(stretches["pairs"]),
        "loop_added": added(stretches["pairs"]),
        "seconds_around": spread(watched.around - alone.around for alone, watched in rounds),
        "memory_added": spread(watched.peak / alone.peak - 1 for alone, watched in rounds),
        "told": statistics.median(found["overhead"] for found in told),
        "severe": sorted({f["code"] for found in told for f in found["findings"] if f["severity"] != "info"}),
    }


def added(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Share that is added by the first of each pair, with its 95 % interval as that of a ratio of means."""
    watched_P, alone_P = (np.array(side) for side in zip(*pairs, strict=True))
    ratio = watched_P.sum() / alone_P.sum()
    error = np.std(watched_P - ratio * alone_P, ddof=1) / math.sqrt(len(pairs)) / alone_P.mean()
    return ratio - 1, ratio - 1 - 1.96 * error, ratio - 1 + 1.96 * error


def run_both(script: list[str], watching: list[str], *, cores: list[int]) -> tuple[Cost, Cost]:
    """Run a script alone and watched at the same time, each on a core of its own."""
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        costs = list(both.map(run, (script, watching), cores))
    return costs[0], costs[1]


def run(words: list[str], core: int) -> Cost:
    """Run Python on one core to its end; a failure ends the benchmark."""
    with subprocess.Popen(
        ["taskset", "-c", str(core), sys.executable, *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with exit code {process.returncode}")
    whole = used.ru_utime + used.ru_stime
    return Cost(printed=printed, whole=whole, peak=used.ru_maxrss / MEGABYTE)


def spread(shares: Any) -> dict[str, float]:
    """Median, least and most of some shares."""
    values = list(shares)
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def written(found: dict[str, float], form: str) -> str:
    """Write a spread in a cell."""
    median, least, most = (format(found[part], form) for part in ("median", "least", "most"))
    return f"{median} ({least} to {most})"


def show(rows: list[dict[str, Any]]) -> None:
    """Print what watching adds to each script."""
    table = Table(title="what goodfit watch adds: share of the loop (interval), and median (least to most)")
    for column in (
        "script",
        "loop, CPU s",
        "added",
        "pairs",
        "around it, s",
        "peak memory",
        "told",
        "findings",
    ):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["script"],
            f"{row['loop_seconds']:.1f}",
            "{:+.1%} ({:+.1%} to {:+.1%})".format(*row["loop_added"]),
            str(row["num_pairs"]),
            written(row["seconds_around"], "+.2f"),
            written(row["memory_added"], "+.1%"),
            f"{row['told']:.1%}",
            " ".join(row["severe"]),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
