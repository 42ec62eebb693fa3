"""Two threads, or two processes, against one: what the second core is worth.

    python benchmarks/hands.py [--repeats 5] [--only 30-32-32-2 ...]

Each population of ``structures.py`` is trained by one process on one thread, by one process on two threads,
and by two processes with a stack each, in turn. Times are wall time, so nothing else may run. Above the
table stands what the machine gives: how much more of a large product, and of a copy from memory, two
processes get done at once than one alone. Cores that are two threads of one core share its arithmetic, and
then two processes gain little whatever they do.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from loky import get_reusable_executor
from machine import write_results
from rich.console import Console
from rich.table import Table
from shares import large_copy, large_product
from stacking import MANY_SECONDS, population
from structures import CASES, Case, make_split
from watching import spread, written

from goodfit.data.split import Split
from goodfit.engine.machine.products import on_threads
from goodfit.engine.training.loop import train
from goodfit.engine.training.workers import Workers, hired

ASKED = 1.7
LOOK_SECONDS = 2.0


def main() -> None:
    """Measure every population, print the table, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="structures, as the table names them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ceiling = {work.__name__: gain_of(work) for work in (products, copies)}
    several = [case for case in CASES if case.k > 1 and not case.is_longer]
    cases = [case for case in several if not arguments.only or case.name in arguments.only]
    rows = [measure(case, repeats=arguments.repeats) for case in cases]
    show(rows, ceiling)
    if not arguments.only:
        print(write_results("hands", {"repeats": arguments.repeats, "machine_gain": ceiling, "rows": rows}))


def measure(case: Case, *, repeats: int) -> dict[str, Any]:
    """Time the three ways in turn and compare the medians."""
    split = make_split(case)
    with hired(split, count=1) as workers:
        ways: dict[str, tuple[int, Workers | None]] = {
            "one": (1, None),
            "two threads": (2, None),
            "two processes": (1, workers),
        }
        for threads, helper in ways.values():
            seconds_of(case, split, threads, helper)  # once for what is loaded at the first time
        turns = [
            {name: seconds_of(case, split, threads, helper) for name, (threads, helper) in ways.items()}
            for _ in range(repeats)
        ]
    seconds = {name: statistics.median(turn[name] for turn in turns) for name in ways}
    return {
        "structure": case.name,
        "batch": case.batch,
        "k": case.k,
        "seconds": {name: round(taken, 3) for name, taken in seconds.items()},
        "gain": {
            name: spread(turn["one"] / turn[name] for turn in turns)
            for name in ("two threads", "two processes")
        },
    }


def seconds_of(case: Case, split: Split, threads: int, workers: Workers | None) -> float:
    """Train a population once and tell the wall seconds."""
    with on_threads(threads):
        start = time.monotonic()
        train(population(case), split, deadline=start + MANY_SECONDS, workers=workers)
        return time.monotonic() - start


def gain_of(work: Callable[[float], int]) -> float:
    """Tell how many times as much two processes get done at once as one alone."""
    executor = get_reusable_executor(max_workers=2, initializer=torch.set_num_threads, initargs=(1,))
    with ThreadPoolExecutor(2) as feeders:
        for _ in range(2):  # the first time warms both up
            list(feeders.map(lambda seconds: executor.submit(work, seconds).result(), [0.5, 0.5]))
        alone = executor.submit(work, LOOK_SECONDS).result()
        both = list(feeders.map(lambda s: executor.submit(work, s).result(), [LOOK_SECONDS] * 2))
    executor.shutdown()
    return round(sum(both) / alone, 2)


def products(seconds: float) -> int:
    """Count large products that are done in some seconds."""
    return _count(large_product(), seconds)


def copies(seconds: float) -> int:
    """Count large copies that are done in some seconds."""
    return _count(large_copy(), seconds)


def _count(work: Callable[[], object], seconds: float) -> int:
    done, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        work()
        done += 1
    return done


def show(rows: Sequence[dict[str, Any]], ceiling: dict[str, float]) -> None:
    """Print what the machine gives, and what each way gains."""
    console = Console(width=120)
    given = ", ".join(f"{name} {gain:.2f}" for name, gain in ceiling.items())
    console.print(f"two processes at once over one, by the machine: {given}; asked for: {ASKED}")
    table = Table("structure, batch", "K", "one, s", "two threads, s", "gain", "two processes, s", "gain")
    for row in rows:
        seconds, gain = row["seconds"], row["gain"]
        cells = [
            cell
            for name in ("two threads", "two processes")
            for cell in (f"{seconds[name]:.2f}", written(gain[name], ".2f"))
        ]
        table.add_row(f"{row['structure']}, {row['batch']}", str(row["k"]), f"{seconds['one']:.2f}", *cells)
    console.print(table)


if __name__ == "__main__":
    main()
