"""What ``goodfit watch`` costs: the same scripts with and without it, side by side.

    python benchmarks/watching.py [--rounds 8] [--scale 1.0] [--only mlp ...]

Three small scripts (in ``watched/``) train for about twenty seconds each. Every round runs a script alone
and watched at the same time, each in a process of its own on a core of its own, and the next round on each
other's cores: what else the machine does then slows both down. Two rounds on swapped cores make a pair,
whose ratio is the geometric mean of both. Printed are the CPU seconds of the training loop; the share that
watching adds to them (median of the pairs, least and most, interval of the mean); the CPU seconds that
watching adds around the loop, for loading goodfit and for judging; the peak memory; and the overhead that
goodfit itself tells.
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

from machine import write_results
from rich.console import Console
from rich.table import Table
from scipy.stats import t

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
    parser.add_argument("--rounds", type=int, default=8, help="an even number")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS))
    arguments = parser.parse_args()
    if arguments.rounds < 4 or arguments.rounds % 2:
        parser.error(f"--rounds is {arguments.rounds}; two pairs at least, give an even number of 4 or more")
    rows = [
        measure(name, num_steps=round(STEPS[name] * arguments.scale), num_pairs=arguments.rounds // 2)
        for name in arguments.only
    ]
    show(rows)
    print(write_results("watching", {"rounds": arguments.rounds, "scale": arguments.scale, "rows": rows}))


def measure(name: str, *, num_steps: int, num_pairs: int) -> dict[str, Any]:
    """Run one script alone and watched, at the same time, and set the costs side by side."""
    script = [str(WATCHED / f"{name}.py"), str(num_steps)]
    rounds, told = [], []
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        watching = ["-m", "goodfit", "watch", "--json", str(found), *script]
        for turn in range(2 * num_pairs):
            cores = sorted(os.sched_getaffinity(0))[:2]
            rounds.append(run_both(script, watching, cores=cores if turn % 2 else cores[::-1]))
            told.append(json.loads(found.read_text(encoding="utf-8")))
    shares = [math.log(watched.loop / alone.loop) for alone, watched in rounds]
    added_P = [math.exp(statistics.mean(shares[i : i + 2])) - 1 for i in range(0, len(shares), 2)]
    return {
        "script": name,
        "steps": num_steps,
        "loop_seconds": statistics.median(alone.loop for alone, _ in rounds),
        "loop_added": spread(added_P),
        "loop_added_interval": interval(added_P),
        "seconds_around": spread(watched.around - alone.around for alone, watched in rounds),
        "memory_added": spread(watched.peak / alone.peak - 1 for alone, watched in rounds),
        "told": statistics.median(found["overhead"] for found in told),
        "severe": sorted({f["code"] for found in told for f in found["findings"] if f["severity"] != "info"}),
    }


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
    return Cost(loop=float(printed), whole=whole, peak=used.ru_maxrss / MEGABYTE)


def interval(values: list[float]) -> tuple[float, float]:
    """Bound the mean of some values at 95 %, by Student's distribution."""
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.mean(values) - half, statistics.mean(values) + half


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
        "added",
        "interval",
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
            written(row["loop_added"], "+.1%"),
            "{:+.1%} to {:+.1%}".format(*row["loop_added_interval"]),
            written(row["seconds_around"], "+.2f"),
            written(row["memory_added"], "+.1%"),
            f"{row['told']:.1%}",
            " ".join(row["severe"]),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
