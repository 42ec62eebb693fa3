"""What looking inside the layers costs, as a share of a training's steps.

    python benchmarks/probes.py [--epochs 40]

The cadence counts rows and reads no clock, so this is where the clock is read: processor time inside
the probes, over that of the whole training without them (evaluation included).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from machine import write_results
from patients import digits, plan

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.looks.cadence import SHARE
from goodfit.engine.looks.probes import Probes
from goodfit.engine.training.loop import train

NETWORKS = {"32-32": (32, 32), "128-128-128": (128,) * 3, "32 x 10": (32,) * 10}
STACKS = (1, 8)
ROWS = 1700


def main() -> None:
    """Train, print the shares, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    split = digits(0, rows=ROWS)
    rows = []
    for name, widths in NETWORKS.items():
        for count in STACKS:
            rows.append({"network": name, "networks": count} | measure(split, widths, count, epochs))
            print(rows[-1], flush=True)
    print(write_results("probes", {"epochs": epochs, "wanted": SHARE, "rows": rows}))


def measure(split: Split, widths: tuple[int, ...], count: int, epochs: int) -> dict[str, Any]:
    """Train one stack and share its processor time out."""
    inside: list[float] = []
    probe = Probes.probe

    def timed(self: Probes, *arguments: Any, **settings: Any) -> None:
        start = time.process_time()
        probe(self, *arguments, **settings)
        inside.append(time.process_time() - start)

    chosen = plan(*widths, epochs=epochs)
    population = [Candidate(arm="as it is", seed=seed, plan=chosen) for seed in range(count)]
    Probes.probe = timed  # type: ignore[method-assign]
    try:
        start = time.process_time()
        train(population, split)
        whole = time.process_time() - start
    finally:
        Probes.probe = probe  # type: ignore[method-assign]
    return {
        "probes": len(inside),
        "share": round(sum(inside) / (whole - sum(inside)), 4),
        "seconds": round(whole, 2),
    }


if __name__ == "__main__":
    main()
