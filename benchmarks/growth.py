"""How the cost of one network grows with the number of networks, of parameters and of rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from structures import CASES, Case

from goodfit.nets.mlp import MLP

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "growth.svg"
NETWORKS = (1, 4, 16, 64, 256, 1024, 4096)
WIDTHS = (16, 32, 64, 128, 256, 512)
ROWS = (1024, 4096, 16384, 65536)


def growing_cases() -> dict[str, tuple[Case, ...]]:
    """Vary one of the three at a time, from a small network on."""
    small = dataclasses.replace(CASES[0], k=16, epochs=1, rows=2048, target=0.0)
    return {
        "networks": tuple(dataclasses.replace(small, k=k, rows=1024) for k in NETWORKS),
        "parameters": tuple(
            dataclasses.replace(small, network=MLP(widths=(width, width))) for width in WIDTHS
        ),
        "rows": tuple(dataclasses.replace(small, rows=rows) for rows in ROWS),
    }


def grow(time: Callable[[Case], float]) -> dict[str, list[dict[str, Any]]]:
    """Measure every case.

    Args:
        time: Measures the microseconds of one network and step.

    Returns:
        For each of the three what was varied, and the milliseconds of one network's whole training.
    """
    sizes: dict[str, Callable[[Case], int]] = {
        "networks": lambda case: case.k,
        "parameters": lambda case: case.network.count(case.sizes),
        "rows": lambda case: case.rows,
    }
    return {
        word: [
            {"size": sizes[word](case), "network_ms": round(time(case) * case.steps / 1000, 3)}
            for case in cases
        ]
        for word, cases in growing_cases().items()
    }


def draw(grown: dict[str, list[dict[str, Any]]]) -> Path:
    """Draw the three curves side by side, each with the line that its total cost in proportion would make."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.2), layout="constrained", sharey=True)
    for axis, (word, points) in zip(axes, grown.items(), strict=True):
        sizes, times = ([point[name] for point in points] for name in ("size", "network_ms"))
        axis.loglog(sizes, times, "o-", color="tab:blue", label="measured")
        grows = word != "networks"  # the time of one network stays, where that of all is in proportion
        line = [times[-1] * size / sizes[-1] if grows else times[-1] for size in sizes]
        axis.loglog(sizes, line, "--", color="gray", label="in proportion")
        axis.set_xlabel(word)
    axes[0].set_ylabel("CPU time of one network, ms")
    axes[0].legend(frameon=False)
    figure.savefig(FIGURE, metadata={"Date": None})
    pyplot.close(figure)
    return FIGURE


def slope(points: Sequence[dict[str, Any]]) -> float:
    """Exponent of the growth between the last two sizes: 1 is in proportion, 0 is no growth."""
    (size, time), (next_size, next_time) = ((p["size"], p["network_ms"]) for p in points[-2:])
    return math.log(next_time / time) / math.log(next_size / size)
