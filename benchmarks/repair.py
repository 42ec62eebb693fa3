"""Repair planted sick networks, beside retraining unchanged, random search and Optuna at equal time.

    python benchmarks/repair.py [--quick] [--json] [--budget 12] [--seeds 3] [--cores 1]

A patient is sick if the same plan without the illness scores higher on held-out rows, beyond the chance
of those rows. It is repaired if the network handed back scores higher than the plan as it is, beyond
chance, and is not below the healthy plan beyond chance; harmed if it scores lower than the plan as it is.
Every method has the same seconds. Optuna is left out, and said, where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import write_results
from rich.console import Console
from rich.table import Table
from searching import Found, optuna_search, random_search, scores_of, train
from sick_plans import Patient, patients

from goodfit.engine.losses import row_scores
from goodfit.evidence.statistics import paired_effect
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.course import run_recipe
from goodfit.procedure.events import silence
from goodfit.procedure.journal import Journal

SEARCHES: dict[str, Callable[..., Found]] = {"random search": random_search, "optuna": optuna_search}
QUICK_SECONDS = 6.0


def main() -> None:
    """Treat every patient, print the table and the summary, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten patients, about four minutes")
    parser.add_argument("--json", action="store_true", help="print nothing but the summary as JSON")
    parser.add_argument("--budget", type=float, default=12.0, help="seconds of every method")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    torch.set_num_threads(arguments.cores)
    ward = patients(seeds=1, illnesses=5, num_data=2) if arguments.quick else patients(seeds=arguments.seeds)
    budget = QUICK_SECONDS if arguments.quick else arguments.budget
    rows = []
    for patient in ward:
        row = treat(patient, budget=budget)
        rows.append(row)
        if not arguments.json:
            print(row, flush=True)
    summary = summarise(rows)
    if arguments.json:
        print(json.dumps(summary))
    else:
        show(rows, summary)
    if not arguments.quick:
        print(write_results("repair", {"budget": budget, "summary": summary, "rows": rows}))


def treat(patient: Patient, *, budget: float) -> dict[str, Any]:
    """Give one patient to every method and compare them on the held-out rows."""
    start = time.monotonic()
    unchanged = train(patient.plan, patient.split, seed=patient.seed + 100)
    one_training = time.monotonic() - start
    healthy = train(patient.healthy, patient.split, seed=patient.seed + 100)
    scores = {"unchanged": _held_out(unchanged, patient), "healthy": _held_out(healthy, patient)}
    start = time.monotonic()
    case = Case(split=patient.split, budget=Budget(seconds=budget), journal=Journal(listener=silence))
    fitted = run_recipe(patient.plan, case)
    seconds = time.monotonic() - start
    predictor = fitted.predictor
    rows = patient.split.open_test(predictor.inputs)[predictor.inputs]
    predicted = torch.from_numpy(predictor.outputs(rows.x))
    scores["goodfit"] = row_scores(predicted, rows.y_N, kind=patient.plan.loss.kind).numpy().astype(float)
    for name, search in SEARCHES.items():
        if name != "optuna" or importlib.util.find_spec("optuna"):
            scores[name] = _held_out(
                search(patient.plan, patient.split, seconds=budget, seed=patient.seed), patient
            )
    is_sick = _difference(scores["unchanged"], scores["healthy"])[0] > 0
    return {
        "illness": patient.illness,
        "data": patient.data,
        "seed": patient.seed,
        "sick": bool(is_sick),
        "scores": {name: round(float(found.mean()), 4) for name, found in scores.items()},
        "repaired": {name: _is_repaired(scores, name) for name in _methods(scores)},
        "harmed": {name: _difference(scores["unchanged"], scores[name])[1] < 0 for name in _methods(scores)},
        "prescription": [verdict.remedy for verdict in fitted.run.prescription],
        "time ratio": round(seconds / one_training, 2),
        "seconds": round(seconds, 1),
    }


def _methods(scores: dict[str, np.ndarray]) -> list[str]:
    return [name for name in scores if name not in ("unchanged", "healthy")]


def _is_repaired(scores: dict[str, np.ndarray], name: str) -> bool:
    is_better = _difference(scores["unchanged"], scores[name])[0] > 0
    is_at_par = _difference(scores["healthy"], scores[name])[1] >= 0
    return bool(is_better and is_at_par)


def _difference(before_N: np.ndarray, after_N: np.ndarray) -> tuple[float, float]:
    """Ends of the interval of after minus before, over rows."""
    effect, _ = paired_effect(before_N[None], after_N[None])
    return effect.low, effect.high


def _held_out(found: Found, patient: Patient) -> np.ndarray:
    rows = patient.split.open_test(found.plan.inputs)[found.plan.inputs]
    return scores_of(found.module, found.plan, rows.x, rows.y_N)


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count, over the patients that are sick."""
    sick = [row for row in rows if row["sick"]]
    methods = list(sick[0]["repaired"]) if sick else []
    summary: dict[str, Any] = {
        "patients": len(sick),
        "not_sick": len(rows) - len(sick),
        "repaired": sum(row["repaired"]["goodfit"] for row in sick),
        "harmed": sum(row["harmed"]["goodfit"] for row in rows),
        "time_ratio": round(float(np.median([row["time ratio"] for row in rows])), 2),
    }
    for name in methods:
        key = name.replace(" ", "_")
        gains = [row["scores"][name] - row["scores"]["unchanged"] for row in sick]
        summary[f"{key}_mean_gain"] = round(float(np.mean(np.maximum(gains, -1))), 4)
        summary[f"{key}_mean_score"] = round(float(np.mean([row["scores"][name] for row in sick])), 4)
        if name != "goodfit":
            summary[f"{key}_repaired"] = sum(row["repaired"][name] for row in sick)
            summary[f"{key}_harmed"] = sum(row["harmed"][name] for row in rows)
    if "optuna" not in methods:
        summary["optuna_repaired"] = None
    return summary


def show(rows: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print one line for each illness and data set, and the summary."""
    console = Console(width=140)
    table = Table(
        "illness", "data", "sick", "repaired", "unchanged", "healthy", "goodfit", "random", "optuna"
    )
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["illness"], row["data"]), []).append(row)
    for (illness, data), group in groups.items():
        means = [
            f"{np.mean([row['scores'].get(name, np.nan) for row in group]):.3f}"
            for name in ("unchanged", "healthy", "goodfit", *SEARCHES)
        ]
        sick = [row for row in group if row["sick"]]
        repaired = sum(row["repaired"]["goodfit"] for row in sick)
        table.add_row(illness, data, f"{len(sick)}/{len(group)}", f"{repaired}/{len(sick)}", *means)
    console.print(table)
    for name, value in summary.items():
        console.print(f"{name}: {value}")


if __name__ == "__main__":
    main()
