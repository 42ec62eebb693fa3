"""Peak memory of a whole fit, all of its processes together, beside what is allowed.

    python benchmarks/memory.py [--budget 60]

Allowed are three times the data in float32 plus 1 GB.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import data_folder, write_results
from mnist import read_part
from processes import GIGABYTE, run_watched
from sklearn.datasets import make_classification


def main() -> None:
    """Fit each data set in a process of its own, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=60.0)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, command, num_numbers in cases(Path(folder)):
            rows.append(measure(name, command, num_numbers, folder=folder, budget=arguments.budget))
            print(rows[-1], flush=True)
    print(write_results("memory", {"budget": arguments.budget, "rows": rows}))


def cases(folder: Path) -> Iterator[tuple[str, list[str], int]]:
    """Write each data set; yields its name, the words for goodfit, and its size in numbers."""
    pixels, labels = read_part(data_folder() / "mnist", "train")
    np.savez(folder / "mnist.npz", X=pixels, y=labels)
    yield "MNIST, 60000 x 784", [str(folder / "mnist.npz")], pixels.size
    x_ND, y_N = make_classification(1_000_000, 20, n_informative=10, random_state=0)
    table = pd.DataFrame(x_ND.astype(np.float32), columns=[f"x{i}" for i in range(20)]).assign(y=y_N)
    table.to_parquet(folder / "million.parquet")
    yield "table, 1000000 x 20", [str(folder / "million.parquet"), "--target", "y"], x_ND.size


def measure(name: str, words: list[str], num_numbers: int, *, folder: str, budget: float) -> dict[str, Any]:
    """Run one fit and watch its memory."""
    run = str(Path(folder) / "run")
    watched = run_watched("fit", *words, "--budget", f"{budget:g}s", "--quiet", "--out", run, "--replace")
    data = 4 * num_numbers
    return {
        "data": name,
        "float32 GB": round(data / GIGABYTE, 3),
        "allowed GB": round((3 * data + GIGABYTE) / GIGABYTE, 3),
        "peak GB": round(watched.peak / GIGABYTE, 3),
        "seconds": round(watched.seconds, 1),
    }


if __name__ == "__main__":
    main()
