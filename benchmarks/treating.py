"""Give one patient to every method, with the same time each, and compare them on rows that none has seen.

Time is that which the processor spends in this process, on one core with one thread: what else runs on the
machine then decides nothing.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from searching import Found, optuna_search, predicted_by, random_search, retraining, settled, train
from sick_plans import Patient
from torch import Tensor

from goodfit.data.split import Rows, Split
from goodfit.engine.plan import Plan
from goodfit.errors import GoodfitError
from goodfit.evidence.statistics import paired_effect
from goodfit.procedure.budget import Budget
from goodfit.procedure.case import Case
from goodfit.procedure.course import run_recipe
from goodfit.procedure.events import silence
from goodfit.procedure.journal import Journal

SEEDS_BESIDE = (101, 102, 103)
"""Seeds of the networks that a method's is set beside: their mean score of each row."""
SEARCHES: dict[str, Callable[..., Found]] = {
    "retraining": retraining,
    "random search": random_search,
    "optuna": optuna_search,
}


def count_processor_time() -> None:
    """Let every clock that is asked from here on tell the processor's time."""
    time.monotonic = time.process_time  # type: ignore[assignment]  # goodfit and the searches ask this one
    torch.set_num_threads(1)


def methods() -> tuple[str, ...]:
    """Name the methods; Optuna is left out where it is not installed."""
    has_optuna = importlib.util.find_spec("optuna") is not None
    return ("goodfit", *(name for name in SEARCHES if name != "optuna" or has_optuna))


def treat(patient: Patient, *, trainings: float, least: float, names: Sequence[str]) -> dict[str, Any]:
    """Treat one patient by some of the methods.

    Args:
        patient: The patient.
        trainings: What every method may take, over one training of the plan as it is.
        least: Seconds that it may take in any case: the smallest networks train in a tenth of a second.
        names: Those of the methods.
    """
    unchanged_N, one_training = beside(patient.plan, patient.split, patient)
    scores = {"unchanged": unchanged_N}
    if patient.healthy is not None:
        scores["healthy"], _ = beside(patient.healthy, patient.healthy_split or patient.split, patient)
    seconds = max(trainings * one_training, least)
    told: dict[str, dict[str, Any]] = {}
    for name in names:
        start = time.monotonic()
        if name == "goodfit":
            scores[name], about = _recipe(patient, seconds, unchanged_N)
        else:
            found = SEARCHES[name](patient.plan, patient.split, seconds=seconds, seed=patient.seed)
            scores[name], about = held_out(found, patient.split, patient), {"tried": found.tried}
        ratio = about.pop("ratio", time.monotonic() - start) / one_training
        told[name] = {
            "score": round(float(scores[name].mean()), 4),
            "repaired": _is_repaired(scores, name),
            "harmed": bool(difference(unchanged_N, scores[name])[1] < 0),
            "time ratio": round(ratio, 2),
            **about,
        }
    return {
        "illness": patient.illness,
        "data": patient.data,
        "seed": patient.seed,
        "trainings": trainings,
        "sick": _is_sick(scores),
        "seconds of one training": round(one_training, 3),
        **{name: round(float(scores[name].mean()), 4) for name in ("unchanged", "healthy") if name in scores},
        "methods": told,
    }


def beside(plan: Plan, split: Split, patient: Patient) -> tuple[np.ndarray, float]:
    """Mean score of each held-out row over a few networks of a plan, and the seconds of the fastest."""
    scores, seconds = [], []
    for seed in SEEDS_BESIDE:
        start = time.monotonic()
        found = train(plan, split, seed=seed)
        seconds.append(time.monotonic() - start)
        scores.append(held_out(found, split, patient))
    return np.mean(scores, axis=0), min(seconds)


def _recipe(patient: Patient, seconds: float, unchanged_N: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Run goodfit; where the time is too short for it, the network stays as it is."""
    start = time.monotonic()
    case = Case(
        split=patient.split,
        budget=Budget(seconds=seconds, started=start),
        journal=Journal(listener=silence),
    )
    try:
        fitted = run_recipe(patient.plan, case)
    except GoodfitError as error:
        return unchanged_N, {"error": str(error)}
    taken = time.monotonic() - start
    predictor = fitted.predictor
    rows = patient.split.open_test(predictor.inputs)[predictor.inputs]
    return _scores(torch.from_numpy(predictor.outputs(rows.x)), rows, patient), {
        "ratio": taken,
        "tried": int(case.budget.used),
        "prescription": [verdict.remedy for verdict in fitted.run.prescription],
        "ended": fitted.run.stopped_because,
    }


def held_out(found: Found, split: Split, patient: Patient) -> np.ndarray:
    rows = split.open_test(found.plan.inputs)[found.plan.inputs]
    return _scores(predicted_by(found.module, found.plan, rows), rows, patient)


def _scores(predicted_NO: Tensor, rows: Rows, patient: Patient) -> np.ndarray:
    if patient.score is not None:
        return settled(patient.score(predicted_NO, rows.y_N))
    return settled(patient.plan.loss.score(predicted_NO, rows.y_N, by_row=True))


def _is_sick(scores: dict[str, np.ndarray]) -> bool:
    """Whether the healthy plan is better beyond chance; without one known, the source's word counts."""
    return "healthy" not in scores or bool(difference(scores["unchanged"], scores["healthy"])[0] > 0)


def _is_repaired(scores: dict[str, np.ndarray], name: str) -> bool:
    is_better = difference(scores["unchanged"], scores[name])[0] > 0
    is_at_par = "healthy" not in scores or difference(scores["healthy"], scores[name])[1] >= 0
    return bool(is_better and is_at_par)


def difference(before_N: np.ndarray, after_N: np.ndarray) -> tuple[float, float]:
    """Ends of the interval of after minus before, over rows."""
    effect, _ = paired_effect(before_N[None], after_N[None])
    return effect.low, effect.high
