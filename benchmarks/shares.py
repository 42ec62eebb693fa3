"""Where the time of a training goes, beside the least that the arithmetic and the memory would take.

    python benchmarks/profile.py [--threads 1] [--only 30-32-32-2 ...]

Shares are of the CPU time of one ``goodfit.engine.training.loop.train``. The floor is the operations of
the products over the measured rate of a large product, and the bytes of the update over the measured rate of
a copy.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from machine import write_results
from rich.console import Console
from rich.table import Table
from structures import CASES, Case, make_split, plan_of
from torch import Tensor

from goodfit.engine.candidate import Candidate
from goodfit.engine.looks.evaluation import Evaluation
from goodfit.engine.looks.probes import Probes
from goodfit.engine.moves.descent import Descent
from goodfit.engine.rows.pool import Pool
from goodfit.engine.training import loop, stack
from goodfit.engine.ways import by_hand
from goodfit.nets.mlp import MLP

STAGES: tuple[tuple[str, Any, str], ...] = (
    ("data", Pool, "batch_of_step"),
    ("data", Pool, "targets"),
    ("data", stack.Stack, "_rows_of_epoch"),
    ("forward", by_hand.Group, "forward"),
    ("loss", by_hand, "slopes"),
    ("backward", by_hand.Group, "backward"),
    ("update", Descent, "step"),
    ("curves", Evaluation, "measure"),
    ("curves", Evaluation, "final"),
    ("probes", Probes, "probe"),
    ("building", stack, "build_backend"),
)
NAMES = (*dict.fromkeys(stage for stage, _, _ in STAGES), "rest")
PRODUCT_SIDE = 1024
COPIED_FLOATS = 32_000_000
TOUCHED_BY_ADAM = 7
"""Buffers of the parameters' size that a step of Adam reads or writes."""


def main() -> None:
    """Profile every stack of the table and print shares and floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rates = measured_rates()
    cases = [case for case in CASES if isinstance(case.network, MLP) and not case.is_longer]
    rows = [profile(case, rates) for case in cases if not arguments.only or case.name in arguments.only]
    show(rows, rates)
    if not arguments.only:
        print(write_results("profile", {"rates": rates, "rows": rows}))


def profile(case: Case, rates: dict[str, float]) -> dict[str, Any]:
    """Train once to warm up and once under the clock."""
    split, plan = make_split(case), plan_of(case)
    population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(case.k)]
    loop.train([dataclasses.replace(c, plan=dataclasses.replace(plan, epochs=1)) for c in population], split)
    with clocked() as seconds:
        start = time.process_time()
        loop.train(population, split)
        total = time.process_time() - start
    seconds["rest"] = total - sum(seconds.values())
    unit = 1e6 / case.k / case.steps
    return {
        "structure": case.name,
        "batch": case.batch,
        "k": case.k,
        "us": {name: round(seconds[name] * unit, 2) for name in NAMES},
        "total_us": round(total * unit, 1),
        "floor_us": {name: round(value, 2) for name, value in floor(case, rates).items()},
    }


@contextlib.contextmanager
def clocked() -> Iterator[Counter[str]]:
    """Put a clock around every stage and take it away again."""
    seconds: Counter[str] = Counter()
    originals = [(owner, name, getattr(owner, name)) for _, owner, name in STAGES]
    for stage, owner, name in STAGES:
        setattr(owner, name, _timed(getattr(owner, name), stage, seconds))
    try:
        yield seconds
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _timed(function: Callable[..., Any], stage: str, seconds: Counter[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        result = function(*arguments, **named)
        seconds[stage] += time.process_time() - start
        return result

    return timed


def measured_rates() -> dict[str, float]:
    """Measure operations per second of a large product and bytes per second of a large copy."""
    return {
        "operations": 2 * PRODUCT_SIDE**3 / _fastest(large_product()),
        "bytes": 2 * 4 * COPIED_FLOATS / _fastest(large_copy()),
    }


def large_product() -> Callable[[], Tensor]:
    """Prepare a product of matrices that is bound by arithmetic."""
    a, b = torch.randn(2, PRODUCT_SIDE, PRODUCT_SIDE).unbind()
    product = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=product)


def large_copy() -> Callable[[], Tensor]:
    """Prepare a copy of more floats than a cache holds."""
    source, copy = torch.ones(COPIED_FLOATS), torch.ones(COPIED_FLOATS)
    return lambda: copy.copy_(source)


def _fastest(function: Callable[[], Tensor]) -> float:
    """CPU seconds like all others here, so that a neighbour's work does not lower the floor's rates."""
    times = []
    for _ in range(15):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def floor(case: Case, rates: dict[str, float]) -> dict[str, float]:
    """Least microseconds per network and step: three products a layer, but for the inputs' slope."""
    module = case.network.build(case.sizes)
    weights = [p.numel() for p in module.parameters() if p.dim() > 1]
    operations = 2 * case.batch * (3 * sum(weights) - weights[0])
    touched = TOUCHED_BY_ADAM * 4 * sum(p.numel() for p in module.parameters())
    return {"products": operations / rates["operations"] * 1e6, "update": touched / rates["bytes"] * 1e6}


def show(rows: list[dict[str, Any]], rates: dict[str, float]) -> None:
    """Print shares in percent, and totals beside the floor in microseconds."""
    table = Table("structure, batch, K", *NAMES, "total", "products", "update at copy rate")
    for row in rows:
        shares = [f"{100 * row['us'][name] / row['total_us']:.0f}%" for name in NAMES]
        floors = [f"{value:.1f}" for value in row["floor_us"].values()]
        table.add_row(
            f"{row['structure']}, {row['batch']}, {row['k']}", *shares, str(row["total_us"]), *floors
        )
    console = Console(width=150)
    console.print(table)
    console.print(
        f"Totals and floors in us per network and step. Product {rates['operations'] / 1e9:.0f} GFLOP/s, "
        f"copy {rates['bytes'] / 1e9:.1f} GB/s, {torch.get_num_threads()} thread(s)."
    )


if __name__ == "__main__":
    main()
