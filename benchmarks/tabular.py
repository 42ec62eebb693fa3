"""goodfit on real tables, beside scikit-learn's networks and boosted trees, over repeated splits.

    python benchmarks/tabular.py [--splits 3] [--budget 30] [--only NAME ...]

The 27 tables lie in a folder ``tabular`` with an ``index.csv`` (see ``data_folder`` in machine.py).
Every method sees the same development rows (80 %) and is scored on the same test rows (20 %).
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from machine import data_folder, write_results
from rich.console import Console
from rich.table import Table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import goodfit

METHODS = ("goodfit", "sklearn MLP", "sklearn boosting")


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--budget", type=float, default=30.0)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    index = pd.read_csv(data_folder() / "tabular" / "index.csv")
    if arguments.only:
        index = index[index.name.isin(arguments.only)]
    rows = []
    for entry in index.itertuples():
        rows.append(measure(entry, splits=arguments.splits, budget=arguments.budget))
        print(rows[-1], flush=True)
    summary = summarise(rows)
    show(rows, summary)
    record = {"budget": arguments.budget, "splits": arguments.splits, "summary": summary, "rows": rows}
    print(write_results("tabular" if not arguments.only else "tabular-part", record))


def measure(entry: Any, *, splits: int, budget: float) -> dict[str, Any]:
    """Score every method on one table, mean over splits, with the seconds of a fit."""
    frame = pd.read_csv(data_folder() / "tabular" / f"{entry.name}.csv.gz")
    task = "numbers" if entry.task == "regression" else "classes"
    scores: dict[str, list[float]] = {method: [] for method in METHODS}
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(splits):
        stratify = frame.target if task == "classes" and frame.target.value_counts().min() > 1 else None
        kept, held = train_test_split(frame, test_size=0.2, random_state=seed, stratify=stratify)
        for method in METHODS:
            start = time.perf_counter()
            scores[method].append(run(method, kept, held, task=task, seed=seed, budget=budget))
            seconds[method].append(time.perf_counter() - start)
    result: dict[str, Any] = {"name": entry.name, "task": task, "rows": len(frame)}
    for method in METHODS:
        result[method] = round(float(np.mean(scores[method])), 4)
        result[f"{method} seconds"] = round(float(np.mean(seconds[method])), 1)
    return result


def run(method: str, kept: pd.DataFrame, held: pd.DataFrame, *, task: str, seed: int, budget: float) -> float:
    """Train one method and score it on the test rows."""
    if method == "goodfit":
        fitted = goodfit.fit(kept, target="target", task=task, test=held, seed=seed, budget=budget)
        return fitted.run.test.score.value
    is_class = task == "classes"
    boosting, network = (
        (HistGradientBoostingClassifier, MLPClassifier)
        if is_class
        else (HistGradientBoostingRegressor, MLPRegressor)
    )
    kind = boosting if method == "sklearn boosting" else network
    features = kept.drop(columns="target")
    model = make_pipeline(prepare(features, trees=kind is boosting), kind(random_state=seed))
    truth = kept.target.astype(str) if is_class else kept.target
    model.fit(features, truth)
    held_truth = held.target.astype(str) if is_class else held.target
    return float(model.score(held.drop(columns="target"), held_truth))


def prepare(features: pd.DataFrame, *, trees: bool) -> Any:
    """One-hot and standard scaling for the network, category numbers for the trees; free text left out."""
    numbers = make_column_selector(dtype_include=["number", "bool"])
    words = make_column_selector(dtype_exclude=["number", "bool"])
    if trees:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        return make_column_transformer((codes, words), remainder="passthrough")
    one_hot = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", min_frequency=3, sparse_output=False),
    )
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers), (one_hot, words)
    )


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count wins and average distances, as the targets are stated."""
    ours = np.array([row["goodfit"] for row in rows])
    network = np.array([row["sklearn MLP"] for row in rows])
    trees = np.array([row["sklearn boosting"] for row in rows])
    is_class = np.array([row["task"] == "classes" for row in rows])
    return {
        "tables": len(rows),
        "at least the sklearn MLP": int((ours >= network).sum()),
        "mean accuracy minus boosting": _mean((ours - trees)[is_class]),
        "mean R2 minus boosting": _mean((ours - trees)[~is_class]),
        "slowest fit, seconds": max(row["goodfit seconds"] for row in rows),
    }


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def show(rows: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("table", "rows", *METHODS, "seconds")
    for row in rows:
        scores = [f"{row[method]:.4f}" for method in METHODS]
        table.add_row(row["name"], str(row["rows"]), *scores, f"{row['goodfit seconds']:.0f}")
    console = Console(width=100)
    console.print(table)
    for name, value in summary.items():
        console.print(f"{name}: {value}")


if __name__ == "__main__":
    main()
