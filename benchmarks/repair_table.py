"""What the repair of a ward comes to: counts, and tables that name every failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LONG_SECONDS = 0.5
"""Of one training, from which two trainings take as long as every method has at least."""

Row = dict[str, Any]


def summarise(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Count over the patients that are sick; harm is counted over all.

    In means, a score below that of a blind guess counts as 0.
    """
    sick = [row for row in rows if row["sick"]]
    summary: dict[str, Any] = {"patients": len(sick), "not_sick": len(rows) - len(sick)}
    for name in names:
        key = "" if name == "goodfit" else name.replace(" ", "_") + "_"
        summary |= {f"{key}{word}": value for word, value in _counts(rows, sick, name).items()}
    if "optuna" not in names:
        summary["optuna_repaired"] = None
    return summary


def _counts(rows: Sequence[Row], sick: Sequence[Row], name: str) -> dict[str, float]:
    told = [row["methods"][name] for row in sick]
    scores = [max(0.0, one["score"]) for one in told]
    return {
        "repaired": sum(one["repaired"] for one in told),
        "harmed": sum(row["methods"][name]["harmed"] for row in rows),
        "mean_score": _mean(scores),
        "mean_gain": _mean([s - max(0.0, row["unchanged"]) for s, row in zip(scores, sick, strict=True)]),
        "time_ratio": _mean([row["methods"][name]["time ratio"] for row in rows]),
    }


def show(rows: Sequence[Row], summary: dict[str, Any], names: Sequence[str]) -> None:
    """Print what each method did, what came of each illness and data set, and every failure of goodfit."""
    print(f"\n{summary['patients']} sick patients, and {summary['not_sick']} that are not.\n")
    _print_line("method", "repaired", "harmed", "mean score", "mean gain", "time over one training")
    _print_line("---", *["---:"] * 5)
    sick = [row for row in rows if row["sick"]]
    for name in names:
        found = _counts(rows, sick, name)
        of_all = f"{found['repaired']} of {len(sick)} ({found['repaired'] / max(1, len(sick)):.1%})"
        means = (f"{found['mean_score']:.3f}", f"{found['mean_gain']:+.3f}", f"{found['time_ratio']:.2f}")
        _print_line(name, of_all, str(found["harmed"]), *means)
    long = [row for row in rows if row["seconds of one training"] >= LONG_SECONDS]
    ratios = [row["methods"]["goodfit"]["time ratio"] for row in long]
    if ratios:
        spent = f"goodfit took {_mean(ratios):.2f} trainings, {max(ratios):.2f} at most"
        print(f"\nOver the {len(long)} patients that train for {LONG_SECONDS:g} s or more {spent}.")
    for word in ("illness", "data"):
        _show_groups(rows, names, word)
    print()
    for row in rows:
        told = row["methods"]["goodfit"]
        if told["harmed"] or (row["sick"] and not told["repaired"]):
            print(f"- {_failure(row, told)}")


def _show_groups(rows: Sequence[Row], names: Sequence[str], word: str) -> None:
    """Print one line for each illness, or each data set: what was repaired, and mean scores of the sick."""
    print()
    _print_line(word, "sick", *(f"repaired by {name}" for name in names), "as it was", *names, "time ratio")
    _print_line("---", *["---:"] * (3 + 2 * len(names)))
    for group in dict.fromkeys(row[word] for row in rows):
        ours = [row for row in rows if row[word] == group]
        sick = [row for row in ours if row["sick"]]
        repaired = [str(sum(row["methods"][name]["repaired"] for row in sick)) for name in names]
        scores: list[Callable[[Row], float]] = [lambda row: row["unchanged"]]
        scores += [lambda row, name=name: row["methods"][name]["score"] for name in names]
        means = [f"{_mean([max(0.0, score(row)) for row in sick]):.3f}" for score in scores]
        ratio = _mean([row["methods"]["goodfit"]["time ratio"] for row in ours])
        _print_line(group, f"{len(sick)} of {len(ours)}", *repaired, *means, f"{ratio:.2f}")


def _failure(row: Row, told: Row) -> str:
    word = "harmed" if told["harmed"] else "not repaired"
    kept = ", ".join(told.get("prescription", ())) or "nothing"
    why = told.get("error", "").partition("\n")[0] or f"kept {kept}; {told['ended']}"
    healthy = f", healthy {row['healthy']:.3f}" if "healthy" in row else ""
    return (
        f"{word}: {row['illness']}, {row['data']}, split {row['seed']}: {told['score']:.3f} "
        f"(as it was {row['unchanged']:.3f}{healthy}): {why}"
    )


def _print_line(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else float("nan")
