"""Many networks for the price of a few: goodfit's stacks beside a tight plain PyTorch loop and others.

    python benchmarks/stacking.py [--quick] [--json] [--threads 1] [--only 30-32-32-2 ...]
    python benchmarks/stacking.py --growth
    python benchmarks/stacking.py --device cuda [--quick] [--json] [--only 64-64-64-10 ...]

The plain loop holds its data as tensors, uses no DataLoader and torch's fused Adam, and trains one network
after the other; it never looks at validation data. The same loop stands beside it with a look at as many rows
and as often as goodfit draws a learning curve. goodfit trains the same networks with
``goodfit.engine.training.loop.train`` and is charged for all that it does there: building the networks,
learning curves, looking into the layers, choosing between its ways. All are repeated in turn; times are CPU
time per network and step. ``--growth`` measures and draws how the cost of one network grows. With ``--device
cuda`` it hands over to ``benchmarks/gpu.py``, whose times are wall time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import gpu
import torch
from growth import draw, grow, slope
from machine import write_results
from others import OTHERS, train_plainly
from rich.console import Console
from rich.table import Table
from structures import CASES, Case, make_split, plan_of, shortened

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice, Way
from goodfit.engine.training.loop import train
from goodfit.engine.training.wave import train_wave
from goodfit.nets.mlp import MLP

NUM_REPEATS = 5
GROWTH_REPEATS = 3
MANY_SECONDS = 1e6
"""A deadline that never comes; with one, the engine may measure which way is faster."""
TWO_WAYS: tuple[Way, ...] = ("batched", "one by one")
Run = Callable[[], int | None]


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short repetition of each; ends in a minute")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON and nothing else")
    parser.add_argument("--growth", action="store_true", help="time against K, P and N instead")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", nargs="*", default=[], help="structures, as the table names them")
    arguments = parser.parse_args()
    if arguments.device == "cuda":
        gpu.run(only=arguments.only, is_quick=arguments.quick, as_json=arguments.json)
        return
    torch.set_num_threads(arguments.threads)
    if arguments.growth:
        show_growth(threads=arguments.threads)
        return
    cases = [case for case in CASES if not arguments.only or case.name in arguments.only]
    if arguments.quick:
        cases = [shortened(case) for case in cases if not case.is_longer]
    rows = []
    for case in cases:
        rows.append(measure(case, is_quick=arguments.quick))
        if not arguments.json:
            epochs = f"{case.epochs} epochs"
            print(f"{case.name}, {case.batch}, K = {case.k}, {epochs}: {rows[-1]['ratio']:.2f}", flush=True)
    if arguments.json:
        wanted = ("structure", "batch", "k", "threads", "device", "reference_us", "goodfit_us", "ratio")
        print(json.dumps([{name: row[name] for name in wanted} for row in rows], indent=1))
        return
    show(rows, threads=arguments.threads)
    if not arguments.quick:
        show_others(rows)
    if not arguments.quick and not arguments.only:
        print(write_results("stacking", {"threads": arguments.threads, "rows": rows}))


def measure(case: Case, *, is_quick: bool) -> dict[str, Any]:
    """Time all ways in turn and compare the medians."""
    split = make_split(case)
    runs: dict[str, Run] = {
        "reference": lambda: train_plainly(case, split),
        "looking": lambda: train_plainly(case, split, looks=True),
        "goodfit": lambda: train_stacked(case, split),
    }
    if not is_quick and not case.is_longer:
        runs |= further_runs(case, split)
    warm_up(case)
    times: dict[str, list[float]] = {}
    for _ in range(1 if is_quick else NUM_REPEATS):
        for name, run in runs.items():
            taken = step_us(run, case)
            if taken is not None:
                times.setdefault(name, []).append(taken)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    spreads = {name: (round(min(taken), 1), round(max(taken), 1)) for name, taken in times.items()}
    ways = [medians[way] for way in TWO_WAYS if way in medians]
    return {
        "structure": case.name,
        "batch": case.batch,
        "k": case.k,
        "threads": torch.get_num_threads(),
        "device": "cpu",
        "reference_us": round(medians["reference"], 1),
        "goodfit_us": round(medians["goodfit"], 1),
        "ratio": round(medians["reference"] / medians["goodfit"], 3),
        "looking_ratio": round(medians["looking"] / medians["goodfit"], 3),
        "target": round(case.target, 3),
        "better_way_us": round(min(ways), 1) if ways else None,
        "rows": case.rows,
        "epochs": case.epochs,
        "medians_us": {name: round(median, 1) for name, median in medians.items()},
        "spreads_us": spreads,
    }


def step_us(run: Run, case: Case) -> float | None:
    """CPU time of one network and step; ``None`` where a way cannot train the structure."""
    start = time.process_time()
    networks = run()
    return (time.process_time() - start) / networks / case.steps * 1e6 if networks else None


def population(case: Case) -> list[Candidate]:
    """One candidate for each network."""
    return [Candidate(arm="a", seed=seed, plan=plan_of(case)) for seed in range(case.k)]


def train_stacked(case: Case, split: Split) -> int:
    """Train as goodfit does where time counts."""
    train(population(case), split, deadline=time.monotonic() + MANY_SECONDS)
    return case.k


def further_runs(case: Case, split: Split) -> dict[str, Run]:
    """The two ways of a structure that has two, and the other packages that are installed."""
    runs: dict[str, Run] = {}
    if not isinstance(case.network, MLP):
        runs |= {way: lambda way=way: train_one_way(case, split, way) for way in TWO_WAYS}
    for other in OTHERS:
        if other.is_installed and other.takes(case):
            runs[other.name] = lambda other=other: if_it_can(other.train, case, split)
    return runs


def train_one_way(case: Case, split: Split, way: Way) -> int | None:
    """Train as goodfit does when it is told which way."""

    def run(case: Case, split: Split) -> int:
        choice = Choice(way=way, reason="it is measured")
        train_wave(population(case), split, choice, deadline=math.inf, progress=lambda share: None)
        return case.k

    return if_it_can(run, case, split)


def if_it_can(run: Callable[[Case, Split], int], case: Case, split: Split) -> int | None:
    """Count the networks; ``None`` if torch cannot batch the structure."""
    try:
        return run(case, split)
    except RuntimeError:
        return None


def warm_up(case: Case) -> None:
    """Take two steps both ways, so that what torch loads at the first step is not counted."""
    short = dataclasses.replace(case, rows=2 * case.batch, epochs=1, references=1, k=1)
    split = make_split(short)
    train_plainly(short, split)
    train_stacked(short, split)


def show(rows: Sequence[dict[str, Any]], *, threads: int) -> None:
    """Print the table, with the range of the repetitions behind each median."""
    table = Table(
        "structure, batch",
        "K",
        "epochs",
        "plain loop, us",
        "it, looking",
        "goodfit, us",
        "ratio",
        "looking",
        "better way",
        "asked for",
    )
    for row in rows:
        # where a structure has two ways, the better one is what is asked for
        better = row["better_way_us"]
        asked = f"{row['target']:.2f}" + (f" (is {better / row['goodfit_us']:.2f})" if better else "")
        table.add_row(
            f"{row['structure']}, {row['batch']}",
            str(row["k"]),
            str(row["epochs"]),
            *(
                "{} ({}-{})".format(row["medians_us"][way], *row["spreads_us"][way])
                for way in ("reference", "looking", "goodfit")
            ),
            f"{row['ratio']:.2f}",
            f"{row['looking_ratio']:.2f}",
            str(better or ""),
            asked,
        )
    console = Console(width=160)
    console.print(table)
    console.print(f"CPU time per network and step, {threads} thread(s); median (lowest-highest).")


def show_others(rows: Sequence[dict[str, Any]]) -> None:
    """Print the other ways beside goodfit, and which of them are absent."""
    found = [other.name for other in OTHERS if other.is_installed]
    table = Table("structure, batch", "K", "goodfit, us", *TWO_WAYS, *found)
    for row in rows:
        medians = row["medians_us"]
        cells = [str(medians.get(name, "")) for name in ("goodfit", *TWO_WAYS, *found)]
        table.add_row(f"{row['structure']}, {row['batch']}", str(row["k"]), *cells)
    console = Console(width=130)
    console.print(table)
    absent = [other.name for other in OTHERS if not other.is_installed]
    console.print("Empty where a way cannot train the structure.")
    if absent:
        console.print(f"Not installed, and so not measured: {', '.join(absent)}.")


def show_growth(*, threads: int) -> None:
    """Print the growth, draw it, and write its record."""

    def time_of(case: Case) -> float:
        split = make_split(case)
        times = [step_us(lambda: train_stacked(case, split), case) or math.nan for _ in range(GROWTH_REPEATS)]
        return statistics.median(times)

    warm_up(CASES[0])
    grown = grow(time_of)
    for word, points in grown.items():
        line = ", ".join(f"{point['size']}: {point['network_ms']:g} ms" for point in points)
        print(f"{word}: {line}; exponent at the end {slope(points):.2f}")
    print(draw(grown))
    print(write_results("stacking-growth", {"threads": threads, "repeats": GROWTH_REPEATS, "grown": grown}))


if __name__ == "__main__":
    main()
