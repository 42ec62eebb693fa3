"""Many networks for the price of a few: goodfit's stacks beside a tight plain PyTorch loop.

    python benchmarks/stacking.py [--quick] [--json] [--threads 1] [--only 30-32-32-2 ...] [--growth]

The plain loop holds its data as tensors, uses no DataLoader and torch's fused Adam, and trains one network
after the other; it never looks at validation data. goodfit trains the same networks with
``goodfit.engine.loop.train`` and is charged for all that it does there: building the networks, learning
curves, looking into the layers. Both are repeated in turn; times are CPU time per network and step.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from machine import write_results
from rich.console import Console
from rich.table import Table
from torch import nn

from goodfit.data.arrays import pair
from goodfit.data.assembly import Wishes, assemble
from goodfit.data.split import Split
from goodfit.data.splits import Division
from goodfit.engine.candidate import Candidate
from goodfit.engine.loop import train
from goodfit.engine.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.cnn import CNN
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network, Sizes
from goodfit.rules.base import rule_named

LR = 1e-3
NUM_VALIDATION = 512
NUM_REPEATS = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        network: The hidden part of the structure.
        inputs: Shape of one row of data.
        outputs: Number of classes.
        batch: Rows of a step.
        k: Networks side by side.
        rows: Training rows.
        epochs: Passes over them.
        target: Least ratio that is asked for.
        references: Networks that the plain loop trains, one after the other.
    """

    network: Network
    inputs: tuple[int, ...]
    outputs: int
    batch: int
    k: int
    rows: int = 8192
    epochs: int = 4
    target: float
    references: int = 1

    @property
    def sizes(self) -> Sizes:
        """Sizes of the network's ends."""
        return Sizes(inputs=self.inputs, outputs=self.outputs)

    @property
    def name(self) -> str:
        """The structure in a few words."""
        if isinstance(self.network, MLP):
            return "-".join(map(str, (int(np.prod(self.inputs)), *self.network.widths, self.outputs)))
        return self.network.describe(self.sizes)

    @property
    def steps(self) -> int:
        """Steps of one training."""
        return self.rows // self.batch * self.epochs


SMALL = MLP(widths=(32, 32))
LARGE = MLP(widths=(512,) * 3)
CONVOLVING = CNN(channels=(8, 16), widths=(32,))
IMAGE = (1, 28, 28)
CASES = (
    Case(network=SMALL, inputs=(30,), outputs=2, batch=32, k=64, target=20, references=2),
    Case(network=MLP(widths=(64,) * 2), inputs=(64,), outputs=10, batch=64, k=64, target=7, references=4),
    Case(network=MLP(widths=(128,) * 3), inputs=(64,), outputs=10, batch=128, k=32, target=1.8, references=4),
    Case(
        network=LARGE, inputs=IMAGE, outputs=10, batch=256, k=16, target=1, rows=16384, epochs=1, references=4
    ),
    Case(network=CONVOLVING, inputs=IMAGE, outputs=10, batch=64, k=8, target=0.97, rows=16384, epochs=1),
    Case(network=SMALL, inputs=(30,), outputs=2, batch=32, k=1, target=1 / 1.05),
)


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short repetition of each; ends in a minute")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON and nothing else")
    parser.add_argument("--growth", action="store_true", help="time against K, P and N instead")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="structures, as the table names them")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = growth() if arguments.growth else CASES
    if arguments.only:
        cases = tuple(case for case in cases if case.name in arguments.only)
    if arguments.quick:
        cases = tuple(shortened(case) for case in cases)
    rows = [measure(case, repeats=1 if arguments.quick else NUM_REPEATS) for case in cases]
    if arguments.json:
        wanted = ("structure", "batch", "k", "threads", "device", "reference_us", "goodfit_us", "ratio")
        print(json.dumps([{name: row[name] for name in wanted} for row in rows], indent=1))
        return
    show(rows, threads=arguments.threads)
    if not arguments.quick and not arguments.only:
        name = "stacking-growth" if arguments.growth else "stacking"
        print(write_results(name, {"threads": arguments.threads, "rows": rows}))


def shortened(case: Case) -> Case:
    """Take a quarter of the steps, and one network of the reference."""
    if case.epochs > 1:
        return dataclasses.replace(case, epochs=case.epochs // 4, references=1)
    return dataclasses.replace(case, rows=case.rows // 4, references=1)


def growth() -> tuple[Case, ...]:
    """Vary the number of networks, of parameters and of rows, one at a time."""
    small, one = CASES[0], {"references": 1, "target": 0.0}
    return (
        *(dataclasses.replace(small, k=k, epochs=1, rows=2048, **one) for k in (1, 4, 16, 64, 256, 1024)),
        *(
            dataclasses.replace(small, network=MLP(widths=(width, width)), k=16, epochs=1, rows=2048, **one)
            for width in (16, 64, 128, 256)
        ),
        *(dataclasses.replace(small, k=16, epochs=1, rows=rows, **one) for rows in (1024, 4096, 16384)),
    )


def measure(case: Case, *, repeats: int) -> dict[str, Any]:
    """Time both ways in turn and compare the medians."""
    split = make_split(case)
    population = [Candidate(arm="a", seed=seed, plan=plan_of(case)) for seed in range(case.k)]
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "reference": (case.references, lambda: train_plainly(case, split)),
        "goodfit": (case.k, lambda: train(population, split)),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    warm_up(case)
    for _, (way, (networks, run)) in itertools.product(range(repeats), ways.items()):
        start = time.process_time()
        run()
        times[way].append((time.process_time() - start) / networks / case.steps * 1e6)
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    return {
        "structure": case.name,
        "batch": case.batch,
        "k": case.k,
        "threads": torch.get_num_threads(),
        "device": "cpu",
        "reference_us": round(medians["reference"], 1),
        "goodfit_us": round(medians["goodfit"], 1),
        "ratio": round(medians["reference"] / medians["goodfit"], 3),
        "target": round(case.target, 3),
        "rows": case.rows,
        "reference_spread_us": [
            round(edge, 1) for edge in (min(times["reference"]), max(times["reference"]))
        ],
        "goodfit_spread_us": [round(edge, 1) for edge in (min(times["goodfit"]), max(times["goodfit"]))],
    }


def warm_up(case: Case) -> None:
    """Take two steps both ways, so that what torch loads at the first step is not counted."""
    short = dataclasses.replace(case, rows=2 * case.batch, epochs=1, references=1)
    split = make_split(short)
    train_plainly(short, split)
    train([Candidate(arm="a", seed=0, plan=plan_of(short))], split)


def make_split(case: Case) -> Split:
    """Make clouds of normal numbers, one for each class."""
    generator = np.random.default_rng(0)
    total = case.rows + NUM_VALIDATION + 32
    y_N = generator.integers(case.outputs, size=total)
    inputs = case.inputs[1:] if len(case.inputs) == 3 else case.inputs
    centres = generator.normal(size=(case.outputs, *inputs))
    x = (centres[y_N] + 2 * generator.normal(size=(total, *inputs))).astype(np.float32)
    places = np.split(np.arange(total), [case.rows, case.rows + NUM_VALIDATION])
    division = Division(train=places[0], validation=places[1], test=places[2])
    return assemble(pair(x, y_N), Wishes(task="classes"), name="clouds", kind="arrays", division=division)


def plan_of(case: Case) -> Plan:
    """Cross-entropy and Adam, as in the plain loop."""
    return Plan(
        network=case.network,
        loss=Loss(name="cross-entropy", kind="classes", num_outputs=case.outputs),
        rule=rule_named("adam", lr=LR),
        epochs=case.epochs,
        batch_size=case.batch,
    )


def train_plainly(case: Case, split: Split) -> None:
    """Train some networks, one after the other, with nothing around the loop."""
    rows = split.rows("train")
    x = rows.x.flatten(1) if isinstance(case.network, MLP) else rows.x
    for seed in range(case.references):
        torch.manual_seed(seed)
        model = plain_module(case)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
        for _ in range(case.epochs):
            order_N = torch.randperm(case.rows)
            for start in range(0, case.rows - case.batch + 1, case.batch):
                chosen_B = order_N[start : start + case.batch]
                optimizer.zero_grad(set_to_none=True)
                nn.functional.cross_entropy(model(x[chosen_B]), rows.y_N[chosen_B]).backward()
                optimizer.step()


def plain_module(case: Case) -> nn.Module:
    """Build what a person would write; for the CNN the module that goodfit trains."""
    if not isinstance(case.network, MLP):
        return case.network.build(case.sizes)
    widths = (int(np.prod(case.inputs)), *case.network.widths)
    hidden = [[nn.Linear(*ends), nn.ReLU()] for ends in itertools.pairwise(widths)]
    return nn.Sequential(*itertools.chain(*hidden), nn.Linear(widths[-1], case.outputs))


def show(rows: Sequence[dict[str, Any]], *, threads: int) -> None:
    """Print the table, with the range of the repetitions behind each median."""
    table = Table("structure, batch", "K", "plain loop, us", "goodfit, us", "ratio", "asked for")
    for row in rows:
        table.add_row(
            f"{row['structure']}, {row['batch']}",
            str(row["k"]),
            "{} ({}-{})".format(row["reference_us"], *row["reference_spread_us"]),
            "{} ({}-{})".format(row["goodfit_us"], *row["goodfit_spread_us"]),
            f"{row['ratio']:.2f}",
            f"{row['target']:.2f}" if row["target"] else "",
        )
    console = Console(width=110)
    console.print(table)
    console.print(f"CPU time per network and step, {threads} thread(s); median (lowest-highest).")


if __name__ == "__main__":
    main()
