"""What ``goodfit watch`` costs: the same scripts with and without it, in turns.

    python benchmarks/watching.py [--rounds 7] [--scale 1.0] [--only mlp ...]

Three small scripts (in ``watched/``) train for about twenty seconds each. Every round runs a script alone
and watched, each in a process of its own, which of them first in turns. Printed are the CPU seconds of the
training loop; the share that watching adds to them, by the fastest run of each (other work on a machine only
slows runs down) and by rounds (median, least and most); the CPU seconds that watching adds around the loop,
for loading goodfit and for judging; the peak memory; and the overhead that goodfit itself tells.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import write_results
from rich.console import Console
from rich.table import Table

WATCHED = Path(__file__).parent / "watched"
STEPS = {"mlp": 40_000, "cnn": 1_200, "transformer": 1_800}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
MEGABYTE = 1024  # ru_maxrss is in kilobytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run of a script took.

    Attributes:
        loop: CPU seconds of the training loop.
        whole: CPU seconds of the process.
        peak: Megabytes at the peak.
    """

    loop: float
    whole: float
    peak: float

    @property
    def around(self) -> float:
        """CPU seconds before and after the loop."""
        return self.whole - self.loop


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS))
    arguments = parser.parse_args()
    rows = [
        measure(name, num_steps=round(STEPS[name] * arguments.scale), num_rounds=arguments.rounds)
        for name in arguments.only
    ]
    show(rows)
    print(write_results("watching", {"rounds": arguments.rounds, "scale": arguments.scale, "rows": rows}))


def measure(name: str, *, num_steps: int, num_rounds: int) -> dict[str, Any]:
    """Run one script alone and watched, in turns, and set the costs side by side."""
    script = [str(WATCHED / f"{name}.py"), str(num_steps)]
    pairs, told = [], []
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        watching = ["-m", "goodfit", "watch", "--json", str(found), *script]
        for turn in range(num_rounds):
            costs = {}
            for is_watched in (turn % 2 == 0, turn % 2 == 1):
                costs[is_watched] = run(watching if is_watched else script)
            pairs.append((costs[False], costs[True]))
            told.append(json.loads(found.read_text(encoding="utf-8")))
    return {
        "script": name,
        "steps": num_steps,
        "loop_seconds": statistics.median(alone.loop for alone, _ in pairs),
        "loop_added": spread(watched.loop / alone.loop - 1 for alone, watched in pairs),
        "loop_added_to_fastest": min(w.loop for _, w in pairs) / min(a.loop for a, _ in pairs) - 1,
        "seconds_around": spread(watched.around - alone.around for alone, watched in pairs),
        "memory_added": spread(watched.peak / alone.peak - 1 for alone, watched in pairs),
        "told": statistics.median(found["overhead"] for found in told),
        "severe": sorted({f["code"] for found in told for f in found["findings"] if f["severity"] != "info"}),
    }


def run(words: list[str]) -> Cost:
    """Run Python to its end; a failure ends the benchmark."""
    with subprocess.Popen(
        [sys.executable, *words],
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
    return Cost(loop=float(printed), whole=whole, peak=used.ru_maxrss / MEGABYTE)


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
    table = Table(title="what goodfit watch adds: median (least to most)")
    for column in (
        "script",
        "loop, CPU s",
        "added: fastest",
        "by rounds",
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
            f"{row['loop_added_to_fastest']:+.1%}",
            written(row["loop_added"], "+.1%"),
            written(row["seconds_around"], "+.2f"),
            written(row["memory_added"], "+.1%"),
            f"{row['told']:.1%}",
            " ".join(row["severe"]),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
