"""What the repair of a ward comes to: counts, and the table that names every failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table


def summarise(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Count over the patients that are sick; harm is counted over all.

    In means, a score below that of a blind guess counts as 0.
    """
    sick = [row for row in rows if row["sick"]]
    summary: dict[str, Any] = {"patients": len(sick), "not_sick": len(rows) - len(sick)}
    for name in names:
        key = "" if name == "goodfit" else name.replace(" ", "_") + "_"
        done = [row["methods"][name] for row in sick]
        ratios = [row["methods"][name]["time ratio"] for row in rows]
        gains = [
            max(0.0, one["score"]) - max(0.0, row["unchanged"]) for one, row in zip(done, sick, strict=True)
        ]
        summary |= {
            f"{key}repaired": sum(one["repaired"] for one in done),
            f"{key}harmed": sum(row["methods"][name]["harmed"] for row in rows),
            f"{key}mean_score": _mean([max(0.0, one["score"]) for one in done]),
            f"{key}mean_gain": _mean(gains),
            f"{key}time_ratio": _mean(ratios),
        }
    if "optuna" not in names:
        summary["optuna_repaired"] = None
    return summary


def show(rows: Sequence[dict[str, Any]], summary: dict[str, Any], names: Sequence[str]) -> None:
    """Print one line for each illness and data set, the summary, and every failure of goodfit."""
    console = Console(width=150)
    table = Table("illness", "data", "sick", "repaired", "unchanged", "healthy", *names, "time ratio")
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["illness"], row["data"])):
        groups.setdefault((row["illness"], row["data"]), []).append(row)
    for (illness, data), group in groups.items():
        sick = [row for row in group if row["sick"]]
        cells = [
            f"{_mean([row[name] for row in group if name in row]):.3f}" for name in ("unchanged", "healthy")
        ]
        cells += [f"{_mean([row['methods'][name]['score'] for row in group]):.3f}" for name in names]
        repaired = sum(row["methods"]["goodfit"]["repaired"] for row in sick)
        ratio = _mean([row["methods"]["goodfit"]["time ratio"] for row in group])
        table.add_row(
            illness, data, f"{len(sick)}/{len(group)}", f"{repaired}/{len(sick)}", *cells, f"{ratio:.2f}"
        )
    console.print(table)
    for row in rows:
        told = row["methods"]["goodfit"]
        if told["harmed"] or (row["sick"] and not told["repaired"]):
            console.print(_failure(row, told), markup=False)
    for name, value in summary.items():
        console.print(f"{name}: {value}")


def _failure(row: dict[str, Any], told: dict[str, Any]) -> str:
    word = "harmed" if told["harmed"] else "not repaired"
    why = told.get("error") or f"{', '.join(told['prescription']) or 'nothing kept'}; {told['ended']}"
    healthy = f", healthy {row['healthy']}" if "healthy" in row else ""
    return (
        f"{word}: {row['illness']}, {row['data']}, seed {row['seed']}: {told['score']} "
        f"(as it was {row['unchanged']}{healthy}): {why}"
    )


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else float("nan")
