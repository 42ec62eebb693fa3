"""Peak memory of a whole fit, all of its processes together, beside what is allowed.

    python benchmarks/memory.py [--budget 60]

Allowed are three times the data in float32 plus 1 GB. Memory is the proportional set size: pages that several
processes map are counted once, in shares; it is read twenty times a second while ``goodfit fit`` runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import data_folder, write_results
from mnist import read_part
from sklearn.datasets import make_classification

GIGABYTE = 1e9


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
    command = [sys.executable, "-m", "goodfit", "fit", *words, "--budget", f"{budget:g}s", "--quiet"]
    fit = subprocess.Popen([*command, "--out", run, "--replace"], stdout=subprocess.DEVNULL)
    peak, start = 0, time.monotonic()
    while fit.poll() is None:
        peak = max(peak, sum(proportional(pid) for pid in family(fit.pid)))
        time.sleep(0.05)
    if fit.returncode:
        raise SystemExit(f"{name}: goodfit ended with exit code {fit.returncode}")
    data = 4 * num_numbers
    return {
        "data": name,
        "float32 GB": round(data / GIGABYTE, 3),
        "allowed GB": round((3 * data + GIGABYTE) / GIGABYTE, 3),
        "peak GB": round(peak / GIGABYTE, 3),
        "seconds": round(time.monotonic() - start, 1),
    }


def family(pid: int) -> list[int]:
    """A process and all that it began."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in _read(children).split()]
    return found


def proportional(pid: int) -> int:
    """Bytes a process holds, shared pages in shares; 0 once it has ended."""
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
