"""Raw rows in, predictions out: seconds and peak memory of ``goodfit predict`` from one row to ten million.

    python benchmarks/predicting.py [--rows 1 100000 10000000]

The table has four numbers and one category with missing values, as CSV; the model is the vote that a fit of
30 s hands back.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import write_results
from processes import GIGABYTE, run_watched

PIECE = 500_000


def main() -> None:
    """Fit once, predict tables of growing length, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[1, 100_000, 10_000_000])
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_table(folder / "known.csv", 20_000, seed=0)
        words = ("--target", "y", "--budget", "30s", "--quiet", "--out", str(folder / "run"))
        run_watched("fit", str(folder / "known.csv"), *words)
        for count in arguments.rows:
            rows.append(measure(folder, count))
            print(rows[-1], flush=True)
    print(write_results("predicting", {"rows": rows}))


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Predict one table and count the rows that come out."""
    new, out = folder / "new.csv", folder / "predicted.csv"
    make_table(new, count, seed=1)
    watched = run_watched("predict", str(folder / "run"), str(new), "--out", str(out))
    with out.open("rb") as file:
        written = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b"")) - 1
    if written != count:
        raise SystemExit(f"{count} rows went in and {written} came out")
    return {
        "rows": count,
        "file GB": round(new.stat().st_size / GIGABYTE, 3),
        "seconds": round(watched.seconds, 1),
        "rows a second": round(count / watched.seconds),
        "peak GB": round(watched.peak / GIGABYTE, 3),
    }


def make_table(path: Path, count: int, *, seed: int) -> None:
    """Write rows piece by piece, so that this process stays small."""
    random = np.random.default_rng(seed)
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        table = pd.DataFrame(random.normal(size=(size, 4)).round(4), columns=list("abcd"))
        table["kind"] = random.choice(["red", "green", "blue", ""], size)
        signal = table.a * table.b + (table.kind == "red") + 0.3 * random.normal(size=size)
        table["y"] = np.where(signal > 0.3, "yes", "no")
        table.to_csv(path, index=False, header=start == 0, mode="w" if start == 0 else "a")


if __name__ == "__main__":
    main()
