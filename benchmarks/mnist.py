"""From the lecture's sick network to a good one, on MNIST or Fashion-MNIST as flat pixels.

    python benchmarks/mnist.py [--data mnist|fashion_mnist] [--budget 1200] [--layers 9] [--width 256]

Published test errors of permutation-invariant networks without augmentation: L2 1.62 %, dropout with ReLU
1.25 %, dropout and max-norm 1.05 %, Maxout with dropout 0.94 %.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from machine import data_folder, write_results

import goodfit
from goodfit.procedure.events import Doing, Event


def main() -> None:
    """Run the recipe, print what happens, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="mnist", choices=["mnist", "fashion_mnist"])
    parser.add_argument("--budget", type=float, default=1200.0)
    parser.add_argument("--target", type=float, default=0.995, help="accuracy that counts as good")
    parser.add_argument("--layers", type=int, default=9)
    parser.add_argument("--width", type=int, default=256)
    arguments = parser.parse_args()
    folder = data_folder() / arguments.data
    train, test = (read_part(folder, part) for part in ("train", "t10k"))
    run = goodfit.fit(
        *train,
        test=test,
        hidden=(arguments.width,) * arguments.layers,
        activation="sigmoid",
        rule="gradient-descent",
        lr=0.1,
        loss="squared",
        target_metric=arguments.target,
        budget=arguments.budget,
        listener=tell,
    ).run
    assert run.test is not None
    record = {
        "data": arguments.data,
        "budget": arguments.budget,
        "target": arguments.target,
        "start": dict(run.plan),
        "end": dict(run.treated_plan),
        "prescription": [verdict.sentence for verdict in run.prescription],
        "test error, percent": round(100 * (1 - run.test.score.value), 2),
        "interval, percent": [round(100 * (1 - end), 2) for end in (run.test.score.high, run.test.score.low)],
        "untreated test error, percent": round(100 * (1 - (run.test.plan_as_it_was or 0.0)), 2),
        "references' test errors, percent": {
            name: round(100 * (1 - s), 2) for name, s in run.test.references
        },
        "trainings": run.num_trainings,
        "seconds": round(run.seconds, 1),
        "stopped because": run.stopped_because,
    }
    for name, value in record.items():
        print(f"{name}: {value}")
    print(write_results(arguments.data, record))


def read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one part's IDX files: pixels as flat rows, and labels."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels, labels.astype(np.int64)


def tell(event: Event) -> None:
    """Print what a person would see, one line an event."""
    if not isinstance(event, Doing):
        print(event, flush=True)


if __name__ == "__main__":
    main()
