"""How often each finding of the recipe's own runs is right: planted illnesses and healthy twins.

    python benchmarks/diagnosis.py [--quick] [--part planted|healthy|none] [--only WORD ...]

Every patient is made anew for each of five seeds and judged alone. Thirty healthy networks are trained with
five seeds each, and every training is judged alone, by what the recipe would ask of it.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from illnesses import PATIENTS, SEEDS, TWINS_OF_COMPARISON
from machine import RESULTS, write_results
from patients import Patient, treated
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression, Ridge
from twins import TWINS, Twin, has_folder

from goodfit.data.split import Split
from goodfit.diagnosis import before, experiments, rows, testing, training
from goodfit.diagnosis.calibration import NORMAL_95
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Finding
from goodfit.engine.checks.harness import check_harness
from goodfit.engine.checks.relations import matrix
from goodfit.engine.history import Association, History
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import TrainedArm, beside, train_arms
from goodfit.procedure import examination

QUICK_SEEDS = range(2)
QUICK_EVERY = 6
FEW_SEEDS, USUAL_SEEDS = range(4), range(8)
"""Of an arm: a difference on validation rows is smaller, and takes the seeds that a run has by default."""


def main() -> None:
    """Run the benchmark, print its tables, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds, and five twins")
    parser.add_argument("--part", choices=("planted", "healthy", "none"), help="none prints the record")
    parser.add_argument("--only", nargs="*", default=[], help="codes of findings, words of twins")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seeds = QUICK_SEEDS if arguments.quick else SEEDS
    parts: dict[str, Any] = {}
    if arguments.part in (None, "planted"):
        parts["planted"] = [planted(p, seeds) for p in PATIENTS if _chosen(p.code, arguments.only)]
        chosen = [p for p in TWINS_OF_COMPARISON if _chosen(p.code, arguments.only)]
        parts["comparisons"] = [planted(p, seeds) for p in chosen]
    if arguments.part in (None, "healthy"):
        twins = [twin for twin in TWINS if has_folder() or not twin.needs_folder]
        twins = twins[::QUICK_EVERY] if arguments.quick else twins
        parts["healthy"] = [healthy(twin, seeds) for twin in twins if _chosen(twin.name, arguments.only)]
    if not arguments.quick and arguments.part != "none":
        print(write_results("diagnosis", _merged(parts)))
    for name, found in (parts if arguments.quick else recorded()).items():
        show(name, found)


def planted(patient: Patient, seeds: Sequence[int]) -> dict[str, Any]:
    """Count in how many seeds the illness is found."""
    start = time.process_time()
    count = sum(patient.code in {found.code for found in judge(patient, seed)} for seed in seeds)
    row = {
        "code": patient.code,
        "illness": patient.illness,
        "found": count,
        "of": len(seeds),
        "seconds": round(time.process_time() - start, 1),
    }
    print(row, flush=True)
    return row


def judge(patient: Patient, seed: int) -> list[Finding]:
    """Examine one patient made from one seed."""
    plan, split = patient.make(seed)
    if patient.by == "harness":
        return list(before.findings(check_harness(plan, split)))
    if patient.by == "shift":
        found = rows.shifted_validation(check_harness(plan, split))
        return [found] if found else []
    if patient.by == "relation":
        found = rows.unrelated_targets(check_harness(plan, split), _histories(plan, split, [seed]))
        return [found] if found else []
    if patient.by in ("training", "testing"):
        catalogue = training if patient.by == "training" else testing
        return list(catalogue.findings(_histories(plan, split, [seed])))
    return list(_compared(patient, plan, split))


def _compared(patient: Patient, plan: Plan, split: Split) -> Sequence[Finding]:
    """Train the arms of a trial or an experiment."""
    question = "testing" if patient.by == "rows" else "training"
    seeds = USUAL_SEEDS if patient.by == "rows" else FEW_SEEDS
    control = _arm(plan, split, seeds)
    if patient.by == "trial":
        arms = {name: _histories(other, split, seeds) for name, other in treated(plan, patient.arms).items()}
        return experiments.findings(control.histories, arms, question=question)
    plans = examination.on_testing if patient.by == "rows" else examination.on_training
    arms = {
        one.name: beside(control, _arm(one.plan, one.split, seeds))
        for one in plans(plan, split)
        if one.finding.startswith(patient.code)
    }
    return experiments.findings(control.histories, arms, question=question)


def _histories(plan: Plan, split: Split, seeds: Sequence[int]) -> tuple[History, ...]:
    return _arm(plan, split, seeds).histories


def _arm(plan: Plan, split: Split, seeds: Sequence[int]) -> TrainedArm:
    (arm,) = train_arms([("as it is", plan)], split, seeds=seeds)
    return arm


def healthy(twin: Twin, seeds: Sequence[int]) -> dict[str, Any]:
    """Judge every training of a healthy network alone."""
    start = time.process_time()
    split, plan = twin.data(), twin.plan()
    harness = check_harness(plan, split)
    at_start = [*before.findings(harness), *filter(None, [rows.shifted_validation(harness)])]
    histories = _histories(plan, split, seeds)
    bar = linear_model(split)
    asked, unasked, notes = [], [], [f.code for f in at_start if f.severity == "info"]
    for history in histories:
        always = [*at_start, *filter(None, [rows.unrelated_targets(harness, [history])])]
        asked += [f.code for f in always if f.severity != "info"]
        is_trained = (history.train_score[-1] or 0.0) >= bar
        for found, is_asked in (
            (training.findings([history]), not is_trained),
            (testing.findings([history]), is_trained and not _is_good(history, bar)),
        ):
            notes += [f.code for f in found if f.severity == "info"]
            (asked if is_asked else unasked).extend(f.code for f in found if f.severity != "info")
    row = {
        "twin": twin.name,
        "runs": len(histories),
        "training": _mean([h.train_score[-1] for h in histories]),
        "validation": _mean([h.validation_score[-1] for h in histories]),
        "bar": round(bar, 3),
        "signal": _value(harness.input_signal),
        "parts_apart": _value(harness.parts_apart),
        "alarms": asked,
        "if_asked": dict(Counter(unasked)),
        "notes": dict(Counter(notes)),
        "seconds": round(time.process_time() - start, 1),
    }
    print(row, flush=True)
    return row


def _is_good(history: History, bar: float) -> bool:
    """Answer question two as the recipe does when nothing is left to try: not shown to be below the bar."""
    score = history.validation_score[-1] or 0.0
    spread = testing.row_variance(score, history.num_validation_rows, history.metric) ** 0.5
    return score + NORMAL_95 * spread >= bar


def linear_model(split: Split) -> float:
    """Score on validation rows that a linear model reaches."""
    train, validation = split.rows("train"), split.rows("validation")
    model = Ridge() if split.task.kind == "numbers" else LogisticRegression(max_iter=100)
    model.fit(matrix(train), train.y_N.numpy())
    return float(model.score(matrix(validation), validation.y_N.numpy()))


def show(name: str, found: Sequence[dict[str, Any]]) -> None:
    """Print one part as a table for the docs."""
    console = Console(width=110)
    if name == "healthy":
        runs, alarms = sum(row["runs"] for row in found), sum(len(row["alarms"]) for row in found)
        console.print(_table(("twin", "runs", "training", "validation", "bar", "alarms", "if_asked"), found))
        console.print(f"{len(found)} healthy networks, {runs} runs: {alarms} false alarms")
        return
    word = "planted illnesses" if name == "planted" else "healthy twins of comparisons"
    console.print(_table(("code", "name", "illness", "found", "of"), found))
    total, right = sum(row["of"] for row in found), sum(row["found"] for row in found)
    console.print(f"{len(found)} {word}, {total} runs: {right} raise the finding")


def _table(columns: Sequence[str], found: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=None)
    for column in columns:
        table.add_column(column)
    for row in found:
        known = CATALOGUE.get(row.get("code", ""))
        values = row | {"name": known.name if known else "", "alarms": " ".join(row.get("alarms", []))}
        values["if_asked"] = ", ".join(f"{count} {code}" for code, count in row.get("if_asked", {}).items())
        table.add_row(*(str(values[column]) for column in columns))
    return table


def recorded() -> dict[str, list[dict[str, Any]]]:
    """Read what was measured before."""
    path = RESULTS / "diagnosis.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    return {name: record.get(name, []) for name in ("planted", "comparisons", "healthy")}


def _merged(parts: dict[str, Any]) -> dict[str, Any]:
    """Keep the rows of the record that were not measured this time, in the order of the benchmark."""
    order = {
        "planted": [(p.code, p.illness) for p in PATIENTS],
        "comparisons": [(p.code, p.illness) for p in TWINS_OF_COMPARISON],
        "healthy": [(twin.name,) for twin in TWINS],
    }
    whole = {}
    for name, known in recorded().items():
        rows_by_key = {_key(row): row for row in (*known, *parts.get(name, []))}
        whole[name] = [rows_by_key[key] for key in order[name] if key in rows_by_key]
    return whole


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["twin"],) if "twin" in row else (row["code"], row["illness"])


def _chosen(word: str, only: Sequence[str]) -> bool:
    return not only or any(part in word for part in only)


def _value(found: Association | None) -> float | None:
    return None if found is None else round(found.value, 3)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if known else float("nan")


if __name__ == "__main__":
    main()
