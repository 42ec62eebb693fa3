"""Many networks on a GPU: goodfit's stacks beside a tight plain PyTorch loop on the same GPU.

    python benchmarks/gpu.py [--quick] [--only 64-64-64-10 ...] [--json]

The plain loop holds its data on the GPU, shuffles there, uses torch's fused Adam, and trains one network
after the other; it never looks at validation data and never waits for the GPU before its end. Beside it
stands the same loop with its whole step recorded as a CUDA graph, which few people write. goodfit is charged
for all that ``goodfit.engine.training.loop.train`` does. Times are wall time per network and step, the GPU
waited for.

Then the update of every rule beside a copy: bytes that must be moved over the time taken.
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

import torch
from machine import write_results
from rich.console import Console
from rich.table import Table
from structures import LR, Case, make_split, plain_module, plan_of
from torch import Tensor, nn

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.machine.device import Placement, describe, device_named, placed
from goodfit.engine.moves.tabled import NUMBERS, TabledDescent
from goodfit.engine.moves.timetable import Timetable
from goodfit.engine.training.choice import choose
from goodfit.engine.training.loop import train
from goodfit.engine.training.stack import Stack
from goodfit.nets.cnn import CNN
from goodfit.nets.mlp import MLP
from goodfit.procedure.demo import demo
from goodfit.rules.base import rule_named
from goodfit.tensors import Layout

NUM_REPEATS = 5
MANY_SECONDS = 1e6
FLOAT_BYTES = 4
COPIED_FLOATS = 256_000_000
UPDATED = ((512, 8_970), (64, 1_000_000))
"""Candidates and parameters of the updates: those of the first row, and buffers far larger than any cache."""
REFERENCE_STEPS = 500
IN_A_ROW = 20
MANY_K = (1, 8, 64, 512, 4096)

CASES: tuple[Case, ...] = (
    Case(network=MLP(widths=(64,) * 2), inputs=(64,), outputs=10, batch=64, k=512, epochs=20, target=150),
    Case(network=MLP(widths=(64,) * 2), inputs=(64,), outputs=10, batch=64, k=512, epochs=4, target=150),
    Case(network=MLP(widths=(64,) * 2), inputs=(64,), outputs=10, batch=64, k=64, epochs=20, target=0),
    Case(network=MLP(widths=(32,) * 2), inputs=(30,), outputs=2, batch=32, k=512, epochs=10, target=0),
    Case(network=MLP(widths=(128,) * 3), inputs=(64,), outputs=10, batch=128, k=128, epochs=20, target=0),
    Case(
        network=MLP(widths=(512,) * 3), inputs=(1, 28, 28), outputs=10, batch=256, k=16, rows=16384, target=0
    ),
    Case(
        network=CNN(channels=(8, 16), widths=(32,)), inputs=(1, 28, 28), outputs=10, batch=64, k=8, epochs=1,
        target=0,
    ),
    Case(network=MLP(widths=(32,) * 2), inputs=(30,), outputs=2, batch=32, k=1, epochs=10, target=0),
)  # fmt: skip


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the epochs, once each")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON and nothing else")
    parser.add_argument("--only", nargs="*", default=[], help="structures, as the table names them")
    arguments = parser.parse_args()
    run(only=arguments.only, is_quick=arguments.quick, as_json=arguments.json)


def run(*, only: Sequence[str], is_quick: bool, as_json: bool) -> None:
    """Measure what is asked for on the first GPU."""
    device = device_named("cuda")
    cases = [case for case in CASES if not only or case.name in only]
    if is_quick:
        cases = [dataclasses.replace(case, epochs=max(1, case.epochs // 5)) for case in cases]
    rows = [measure(case, device, repeats=1 if is_quick else NUM_REPEATS) for case in cases]
    if as_json:
        wanted = ("structure", "batch", "k", "threads", "device", "reference_us", "goodfit_us", "ratio")
        print(json.dumps([{name: row[name] for name in wanted} for row in rows], indent=1))
        return
    updates = measure_updates(device)
    show(rows, updates)
    if is_quick or only:
        return
    record = {
        "rows": rows,
        "updates": updates,
        "growth": measure_growth(device),
        "demo": measure_demo(device),
    }
    for point in record["growth"]:
        print(f"K = {point['k']}: {point['network_ms']:g} ms a network")
    print("goodfit demo: {trainings} trainings in {seconds} s".format(**record["demo"]))
    print(write_results("gpu", {"gpu": describe(device), **record}))


def measure(case: Case, device: str, *, repeats: int) -> dict[str, Any]:
    """Time the three ways in turn and compare the medians."""
    split = make_split(case)
    held = plain_tensors(case, split, device)
    with placed(Placement(device=device)):
        runs: dict[str, Callable[[], float]] = {
            "reference": lambda: plain_step_us(case, held),
            "recorded": lambda: recorded_step_us(case, held),
            "goodfit": lambda: goodfit_us(case, split),
        }
        for run in runs.values():
            run()  # what is loaded and compiled once
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(repeats):
            for name, run in runs.items():
                taken[name].append(run())
        stages = stages_us(case, split)
    median = {name: statistics.median(times) for name, times in taken.items()}
    return {
        "structure": case.name,
        "batch": case.batch,
        "k": case.k,
        "epochs": case.epochs,
        "rows": case.rows,
        "threads": torch.get_num_threads(),
        "device": describe(device),
        "reference_us": round(median["reference"], 2),
        "recorded_us": round(median["recorded"], 2),
        "goodfit_us": round(median["goodfit"], 4),
        "ratio": round(median["reference"] / median["goodfit"], 1),
        "ratio_to_recorded": round(median["recorded"] / median["goodfit"], 1),
        "target": case.target,
        "stages_us": stages,
        "spreads_us": {name: (round(min(times), 4), round(max(times), 4)) for name, times in taken.items()},
    }


def goodfit_us(case: Case, split: Split) -> float:
    """Train all networks as goodfit does where time counts; microseconds of one network's step."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    train(population(case), split, deadline=time.monotonic() + MANY_SECONDS)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / case.k / case.steps * 1e6


def stages_us(case: Case, split: Split) -> dict[str, float]:
    """Share the time of one training out: building, the steps alone, the rest (curves, probes, the end)."""
    several = population(case)
    choice = choose(several, split, measure=False)
    torch.cuda.synchronize()
    start = time.perf_counter()
    stack = Stack(several, split, choice)
    torch.cuda.synchronize()
    built = time.perf_counter()
    stack.begin()
    while stack.advance(math.inf):
        pass
    total = time.perf_counter() - start
    again = Stack(several, split, choice)
    steps = case.epochs * min(seconds_of_epoch(again, case) for _ in range(3))
    unit = 1e6 / case.k / case.steps
    return {
        "building": round((built - start) * unit, 4),
        "steps": round(steps * unit, 4),
        "rest": round((total - steps - (built - start)) * unit, 4),
    }


def seconds_of_epoch(stack: Stack, case: Case) -> float:
    """Take the steps of an epoch, its shuffle included."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    stack._steps.begin(stack._rows_of_epoch())
    for step in range(case.rows // case.batch):
        stack._steps.take(step)
    stack._steps.wait()
    return time.perf_counter() - start


def population(case: Case) -> list[Candidate]:
    """One candidate for each network, each with a seed of its own."""
    return [Candidate(arm="a", seed=seed, plan=plan_of(case)) for seed in range(case.k)]


def plain_tensors(case: Case, split: Split, device: str) -> tuple[Tensor, Tensor]:
    """Bring the training rows to the GPU."""
    rows = split.rows("train")
    x = rows.x.flatten(1) if isinstance(case.network, MLP) else rows.x
    return x.to(device), rows.y_N.to(device)


def plain_step_us(case: Case, held: tuple[Tensor, Tensor]) -> float:
    """Train one network step by step; the time of a step is the same for all, so that few are taken."""
    x, y_N = held
    model = plain_module(case).to(x.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    batches = batches_of(case, x.device)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for chosen_B in batches:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x[chosen_B]), y_N[chosen_B]).backward()
        optimizer.step()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / len(batches) * 1e6


def recorded_step_us(case: Case, held: tuple[Tensor, Tensor]) -> float:
    """Train one network with its step recorded as a CUDA graph; the recording itself is not counted."""
    x, y_N = held
    model = plain_module(case).to(x.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True, capturable=True)
    chosen_B = torch.zeros(case.batch, dtype=torch.long, device=x.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x[chosen_B]), y_N[chosen_B]).backward()
        optimizer.step()

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    batches = batches_of(case, x.device)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for rows_B in batches:
        chosen_B.copy_(rows_B)
        graph.replay()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / len(batches) * 1e6


def batches_of(case: Case, device: torch.device) -> list[Tensor]:
    """Cut one shuffle for each epoch into full batches, until there are enough steps to time."""
    found: list[Tensor] = []
    while len(found) < REFERENCE_STEPS:
        found += torch.randperm(case.rows, device=device)[: case.rows // case.batch * case.batch].split(
            case.batch
        )
    return found[:REFERENCE_STEPS]


def copy_rate(device: str) -> float:
    """Bytes per second that a large copy reads and writes."""
    source = torch.rand(COPIED_FLOATS, device=device)
    copied = torch.empty_like(source)
    return 2 * FLOAT_BYTES * COPIED_FLOATS / seconds_of(lambda: copied.copy_(source))


def measure_demo(device: str) -> dict[str, float]:
    """Run ``goodfit demo`` on the GPU: its seconds, and how many networks it trained."""
    start = time.perf_counter()
    run = demo(device=device).run
    return {"seconds": round(time.perf_counter() - start, 1), "trainings": run.num_trainings}


def measure_growth(device: str) -> list[dict[str, Any]]:
    """Time of one network's whole training among K of the second row's."""
    found = []
    for k in MANY_K:
        case = dataclasses.replace(CASES[1], k=k)
        split = make_split(case)
        with placed(Placement(device=device)):
            network_us = goodfit_us(case, split) * case.steps
        found.append({"k": k, "network_ms": round(network_us / 1e3, 3)})
    return found


def measure_updates(device: str) -> list[dict[str, Any]]:
    """Time the update of every rule, and say what part of the rate of a large copy it reaches."""
    rate, found = copy_rate(device), []
    for k, size in UPDATED:
        for name in NUMBERS:
            rule = rule_named(name, lr=LR)
            layout = Layout.of({"weight": torch.empty(1, size, device="meta")})
            flat_KP, grad_KP = (torch.rand(k, size, device=device) for _ in range(2))
            case = CASES[0]
            plans = [dataclasses.replace(plan_of(case), rule=rule)] * k
            descent = TabledDescent(plans, flat_KP, layout=layout, total_steps=1)
            timetable = Timetable(torch.device(device))
            timetable.write(descent.numbers(1, 1))
            # gradient and parameters are read, parameters written; what a rule remembers is both
            touched = FLOAT_BYTES * k * size * (3 + 2 * len(rule.slots))
            seconds = seconds_of(lambda: descent.step_by(timetable, flat_KP, grad_KP))  # noqa: B023
            found.append(
                {
                    "rule": name,
                    "k": k,
                    "parameters": size,
                    "us": round(seconds * 1e6, 1),
                    "bytes_per_s": round(touched / seconds),
                    "of_copy": round(touched / seconds / rate, 3),
                    "copy_bytes_per_s": round(rate),
                }
            )
    return found


def seconds_of(operation: Callable[[], Any], *, repeats: int = 30) -> float:
    """Median time of an operation by the GPU's own clock; several in a row, so that no call counts."""
    for _ in range(3):
        operation()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(IN_A_ROW):
            operation()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / IN_A_ROW)
    return statistics.median(times)


def show(rows: list[dict[str, Any]], updates: list[dict[str, Any]]) -> None:
    """Print both tables."""
    console = Console(width=150)
    table = Table(
        "structure, batch", "K", "epochs", "plain, us", "recorded, us", "goodfit, us", "ratio", "to recorded",
        "building", "steps", "rest",
    )  # fmt: skip
    for row in rows:
        names = ("reference", "recorded", "goodfit")
        times = ["{} ({}-{})".format(row[f"{name}_us"], *row["spreads_us"][name]) for name in names]
        ratios = [f"{row[name]:.1f}" for name in ("ratio", "ratio_to_recorded")]
        stages = [str(value) for value in row["stages_us"].values()]
        table.add_row(
            f"{row['structure']}, {row['batch']}", str(row["k"]), str(row["epochs"]), *times, *ratios, *stages
        )
    console.print(table)
    console.print(f"Wall time per network and step on {rows[0]['device']}; median (lowest-highest).")
    table = Table("rule", "K", "parameters", "us", "TB/s", "of a copy")
    for row in updates:
        table.add_row(
            row["rule"], str(row["k"]), str(row["parameters"]), str(row["us"]),
            f"{row['bytes_per_s'] / 1e12:.2f}", f"{100 * row['of_copy']:.0f} %",
        )  # fmt: skip
    console.print(table)
    console.print(f"A copy moves {updates[0]['copy_bytes_per_s'] / 1e12:.2f} TB/s, read and written.")


if __name__ == "__main__":
    main()
