"""Products of small matrices, many at a time: torch's batched ones beside those that goodfit takes.

    python benchmarks/products.py

One layer of K networks on one thread, its three products of a step: sums of the inputs, slopes of the weights
(which lie apart, in rows with other parameters), slopes of the inputs. Before each, a pass over other memory
empties the second cache, as the rest of a step does. Rates are medians, in turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from machine import write_results
from rich.console import Console
from rich.table import Table

from goodfit.engine.machine.products import Product, WeightedSums, has_small_kernels, on_threads, unwarned

LAYERS = ((32, 32, 32, 64), (64, 64, 64, 64), (128, 64, 128, 32), (128, 128, 128, 32), (256, 512, 512, 8))
"""Rows, inputs, units, networks."""
NUM_REPEATS = 41
OTHER_FLOATS = 4_000_000


def main() -> None:
    """Time all layers, print their table, and write the record."""
    with on_threads(1), unwarned():
        rows = [measure(*layer) for layer in LAYERS]
    table = Table("rows, inputs, units, networks", *rows[0]["gflops"], title="GFLOP/s, torch's and goodfit's")
    for row in rows:
        rates = [f"{theirs:.0f}  {ours:.0f}" for theirs, ours in row["gflops"].values()]
        table.add_row(", ".join(map(str, row["layer"])), *rates)
    Console(width=120).print(table)
    print(f"NumPy's library has kernels for small matrices here: {has_small_kernels()}")
    print(write_results("products", {"threads": 1, "small_kernels": has_small_kernels(), "rows": rows}))


def measure(num_rows: int, num_inputs: int, num_units: int, num_networks: int) -> dict[str, Any]:
    """Time the products of one layer."""
    others = torch.zeros(OTHER_FLOATS)
    seconds: dict[str, tuple[list[float], list[float]]] = {}
    products = layer_products(num_rows, num_inputs, num_units, num_networks)
    for _ in range(NUM_REPEATS):
        for name, both in products.items():
            for run, taken in zip(both, seconds.setdefault(name, ([], [])), strict=True):
                others.add_(0)
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    billions = 2e-9 * num_networks * num_rows * num_inputs * num_units
    return {
        "layer": (num_rows, num_inputs, num_units, num_networks),
        "gflops": {
            name: [round(billions / statistics.median(taken), 1) for taken in both]
            for name, both in seconds.items()
        },
    }


def layer_products(
    num_rows: int, num_inputs: int, num_units: int, num_networks: int
) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """The three products of a step, by torch and by goodfit."""
    shape = num_networks, num_units * num_inputs + num_units
    flat_KP, slope_KP = torch.randn(shape), torch.randn(shape)
    weight_KUD, weight_slope_KUD = (
        flat[:, : num_units * num_inputs].view(num_networks, num_units, num_inputs)
        for flat in (flat_KP, slope_KP)
    )
    bias_KU = flat_KP[:, -num_units:]
    h_KND, d_KNU = (torch.randn(num_networks, num_rows, size) for size in (num_inputs, num_units))
    a_KNU, d_KND, beside_KUD = (torch.empty_like(t) for t in (d_KNU, h_KND, weight_KUD))
    sums, to_weight, to_inputs = (
        WeightedSums(weight_KUD, bias_KU),
        Product(flat_KP, turned="left"),
        Product(flat_KP),
    )

    def turned_sums() -> None:
        sums.turn()
        sums(h_KND, out=a_KNU)

    def copied_slope() -> None:
        weight_slope_KUD.copy_(torch.bmm(d_KNU.mT, h_KND, out=beside_KUD))

    bias_K1U = bias_KU.unsqueeze(1)
    return {
        "sums": (lambda: torch.baddbmm(bias_K1U, h_KND, weight_KUD.mT, out=a_KNU), turned_sums),
        "slopes of weights": (copied_slope, lambda: to_weight(d_KNU, h_KND, out=weight_slope_KUD)),
        "slopes of inputs": (
            lambda: torch.bmm(d_KNU, weight_KUD, out=d_KND),
            lambda: to_inputs(d_KNU, weight_KUD, out=d_KND),
        ),
    }


if __name__ == "__main__":
    main()
