"""Tables with too few rows for a trial: the plan as it is, trained on all of them, and nothing proven."""

from __future__ import annotations

import numpy as np
import pandas as pd

from goodfit.data.assembly import FEWEST_ROWS
from goodfit.data.preparation import Preparation
from goodfit.data.split import Split
from goodfit.data.task import TaskKind, define
from goodfit.data.weights import relative
from goodfit.engine.candidate import Candidate
from goodfit.engine.training.loop import train
from goodfit.evidence.arms import CONTROL
from goodfit.procedure.fitted import Predictor, predictor_of
from goodfit.procedure.opening import NUM_SEEDS
from goodfit.procedure.start import Wanted, plan_as_it_is


def are_too_few(num_rows: int) -> bool:
    """Tell whether rows cannot be divided into parts that say anything.

    Example:
        >>> are_too_few(12), are_too_few(200)
        (True, False)
    """
    return num_rows < FEWEST_ROWS


def fit_as_it_is(
    inputs: pd.DataFrame,
    targets: pd.Series,
    *,
    task: TaskKind,
    wanted: Wanted,
    weight_N: np.ndarray | None = None,
    num_seeds: int | None = None,
    seed: int = 0,
) -> Predictor:
    """Train the plan as it is on every row.

    No row is kept back: a test on two rows would prove nothing, and its rows would be missed.

    Args:
        inputs: The rows.
        targets: One target a row.
        task: What is to be learnt.
        wanted: What the user said about the plan.
        weight_N: How often each row counts; ``None`` counts all alike.
        num_seeds: Members, where the plan lets them vote; 8 by default.
        seed: Root seed of everything random.

    Returns:
        The trained network.

    Raises:
        DataError: The target never changes, or every column had to be dropped.
        PlanError: The plan contradicts itself.

    Example:
        >>> rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
        >>> wanted = Wanted(hidden=(4,), epochs=3)
        >>> predictor = fit_as_it_is(rows, pd.Series([0, 0, 1, 1]), task="classes", wanted=wanted)
        >>> list(predictor.predict(rows))
        ['prediction', 'probability_0', 'probability_1']
    """
    split = _undivided(inputs, targets, task=task, weight_N=weight_N, seed=seed)
    plan = plan_as_it_is(wanted, split)
    count = (num_seeds or NUM_SEEDS) if plan.ensemble else 1
    members = train([Candidate(arm=CONTROL, seed=place, plan=plan) for place in range(count)], split)
    return predictor_of(plan, members, split)


def _undivided(
    inputs: pd.DataFrame, targets: pd.Series, *, task: TaskKind, weight_N: np.ndarray | None, seed: int
) -> Split:
    """Make a split whose training rows are all rows, and are watched too."""
    every_N = np.arange(len(targets))
    learnt = define(targets, every_N, kind=task)
    preparation = Preparation.fit(inputs, every_N, seed=seed)
    return Split(
        name=type(inputs).__name__,
        kind="table",
        task=learnt,
        preparation=preparation,
        train_index=every_N,
        validation_index=every_N,
        test_index=every_N[:0],
        notes=(),
        seed=seed,
        _cells=preparation.cells(inputs, odd="missing"),
        _targets_N=learnt.encode(targets),
        _weights_N=None if weight_N is None else relative(weight_N),
    )
