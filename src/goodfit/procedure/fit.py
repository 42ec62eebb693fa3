"""The one facade that every door uses: data in, trained network and record out."""

from __future__ import annotations

import dataclasses
import math
import os
import time as clock
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.diagnosis import before
from goodfit.engine.candidate import Candidate
from goodfit.engine.construction import sizes_of
from goodfit.engine.harness import check_harness
from goodfit.engine.loop import measure_pace
from goodfit.engine.plan import Plan
from goodfit.engine.threads import suitable_threads
from goodfit.engine.workers import Workers, hired
from goodfit.errors import BudgetError
from goodfit.evidence.references import FittedReference, references
from goodfit.evidence.trial import CONTROL, TrainedArm, train_arms
from goodfit.nets.given import Given
from goodfit.nets.network import Network
from goodfit.procedure.budget import Budget
from goodfit.procedure.events import Listener, silence
from goodfit.procedure.final import open_sealed_test, predictor_of, train_final, with_epochs
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.journal import Journal
from goodfit.procedure.questions import set_bar
from goodfit.procedure.rounds import Recipe
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.procedure.writing import write_run

USUAL_BUDGET = 300.0
"""Seconds allowed when the user bounds neither time nor trainings."""
NUM_SEEDS = 8
FEWEST_SEEDS = 3
REFERENCES_SHARE = 0.12
BASELINE_SHARE = 0.12
WORTH_HIRING = 8.0
"""Seconds of budget from which starting another process pays."""
FEWEST_EPOCHS = 8
"""Below this, fewer seeds are a better use of the time than fewer epochs."""


def fit(
    source: Any,
    y: Any = None,
    *,
    target: str | int | None = None,
    task: str | None = None,
    test: Any = None,
    validation: Any = None,
    group: Any = None,
    time: Any = None,
    model: str | Callable[..., nn.Module] | None = None,
    network: Network | None = None,
    hidden: tuple[int, ...] | None = None,
    activation: str | None = None,
    rule: str | None = None,
    lr: float | None = None,
    loss: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    class_weights: Sequence[float] = (),
    target_metric: float | None = None,
    budget: float | None = None,
    max_trainings: int | None = None,
    num_seeds: int | None = None,
    seed: int = 0,
    listener: Listener = silence,
    command: str = "goodfit.fit(...)",
) -> Fitted:
    """Run the recipe of deep learning on data, from the plan as it is to the sealed test.

    Args:
        source: Anything that :func:`goodfit.data.sources.load` reads.
        y: Targets, for sources that do not hold their own.
        target: Name or place of the target column.
        task: ``"classes"`` or ``"numbers"``; by default decided by the target's content.
        test: The user's own test rows.
        validation: The user's own validation rows.
        group: Column whose equal values stay in one part.
        time: Column by which the newest rows become the test.
        model: The user's own network, ``"FILE.py:FUNCTION"`` or a function of (inputs, outputs).
        network: A network of this package, in place of ``model``.
        hidden: Widths of the hidden layers, in place of ``network``.
        activation: Activation of the hidden layers.
        rule: Update rule.
        lr: Learning rate.
        loss: Loss.
        epochs: Passes over the training rows of every training.
        batch_size: Rows of a step.
        class_weights: Weight of each class in the loss.
        target_metric: Score that counts as good on both questions, in place of the references' bar.
        budget: Seconds allowed; 300 if neither it nor ``max_trainings`` is given.
        max_trainings: Networks that may be trained. Bounds the work in place of time, so that the
            same seed gives the same numbers.
        num_seeds: Seeds of every arm; 8 by default, fewer if time is short.
        seed: Root seed of everything random.
        listener: Told of everything as it happens.
        command: What the user typed, for the record.

    Returns:
        The run and its predictor.

    Raises:
        GoodfitError: The data cannot be learnt from, the plan contradicts itself, the model cannot
            be built, or the budget is too small for one epoch.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> fitted = fit(X, y, max_trainings=8, num_seeds=4, epochs=20)
        >>> fitted.run.test.metric
        'accuracy'
    """
    seconds = budget if budget is not None else (math.inf if max_trainings else USUAL_BUDGET)
    allowed = Budget(seconds=seconds, max_trainings=max_trainings or math.inf, started=clock.monotonic())
    journal = Journal(listener=listener)
    journal.doing("reading the data", fraction=0.0, seconds_left=None)
    split = load(
        source,
        y,
        target=target,
        task=task,  # type: ignore[arg-type]
        test=test,
        validation=validation,
        group=group,
        time=time,
        seed=seed,
    )
    wanted = Wanted(
        model=model,
        network=network,
        hidden=hidden,
        activation=activation,
        rule=rule,
        lr=lr,
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        class_weights=tuple(class_weights),
    )
    may_mix = validation is None and group is None and time is None
    return run_recipe(
        split,
        plan_as_it_is(wanted, split),
        allowed,
        journal,
        target_metric=target_metric,
        num_seeds=num_seeds,
        command=command,
        folds=may_mix,
    )


def run_recipe(
    split: Split,
    plan: Plan,
    budget: Budget,
    journal: Journal,
    *,
    target_metric: float | None = None,
    num_seeds: int | None = None,
    command: str = "",
    folds: bool = True,
) -> Fitted:
    """Run the recipe on a split and a plan (arguments as in :func:`fit`)."""
    population = [Candidate(arm=CONTROL, seed=seed, plan=plan) for seed in range(num_seeds or NUM_SEEDS)]
    with suitable_threads(population, split, measure=budget.is_timed) as threads:
        # cores that threads leave idle are given to another process
        idle = _cores() - 1 if threads == 1 and budget.seconds >= WORTH_HIRING else 0
        with hired(split, count=idle) as workers:
            return _run(split, plan, budget, journal, target_metric, num_seeds, command, folds, workers)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    split: Split,
    plan: Plan,
    budget: Budget,
    journal: Journal,
    target_metric: float | None,
    num_seeds: int | None,
    command: str,
    folds: bool,
    workers: Workers | None,
) -> Fitted:
    for note in split.notes:
        journal.note(note)
    compared = _references(split, budget, journal)
    harness = check_harness(plan, split)
    journal.find(before.findings(harness))
    long_epochs = plan.epochs
    plan, count = _affordable(plan, split, budget, num_seeds)
    control = _train_as_it_is(plan, split, budget, journal, seeds=range(count))
    recipe = Recipe(
        split=split,
        bar=set_bar(compared, target_metric),
        budget=budget,
        journal=journal,
        unsuited=_unsuited(plan, split),
        arm=control,
        workers=workers,
    )
    because = recipe.run()
    final_plan = _unshortened(recipe.arm.plan, plan, long_epochs)
    final = train_final(
        final_plan, split, budget, journal, trial_arm=recipe.arm, folds=folds, workers=workers
    )
    journal.keep_arm(final, round=recipe.round, question="final")
    predictor = predictor_of(final.plan, final.members, split)
    journal.doing("opening the sealed test", fraction=1.0, seconds_left=None)
    result = open_sealed_test(
        split,
        predictor,
        untreated=predictor_of(plan, control.members[:1], split),
        references=compared,
        seed=split.seed,
    )
    run = write_run(
        journal,
        split,
        budget,
        plan=plan.describe(sizes_of(plan, split)),
        treated_plan=final.plan.describe(sizes_of(final.plan, split)),
        references=tuple(reference.record for reference in compared),
        harness=harness,
        test=result,
        because=because,
        command=command,
    )
    return Fitted(run=run, predictor=predictor)


def _references(split: Split, budget: Budget, journal: Journal) -> tuple[FittedReference, ...]:
    journal.doing("training the reference models", fraction=0.02, seconds_left=None)
    seconds = REFERENCES_SHARE * budget.seconds if budget.is_timed else None
    compared = references(
        split, seconds=seconds, skipped=lambda why: journal.not_checked.setdefault("references", why)
    )
    for reference in compared:
        journal.listener(reference.record)
    return compared


def _affordable(plan: Plan, split: Split, budget: Budget, num_seeds: int | None) -> tuple[Plan, int]:
    """Fit epochs and seeds into the time; with trainings counted, only the seeds."""
    count = num_seeds or NUM_SEEDS
    if budget.max_trainings < math.inf:
        count = int(max(1, min(count, budget.max_trainings // 2)))
    if not budget.is_timed:
        return plan, count
    allowed = min(BASELINE_SHARE * budget.seconds, budget.left_for_trials())
    while True:
        population = [Candidate(arm=CONTROL, seed=seed, plan=plan) for seed in range(count)]
        pace = measure_pace(population, split, seconds=0.2)
        epochs = int(allowed / pace)
        if epochs >= min(FEWEST_EPOCHS, plan.epochs) or count <= FEWEST_SEEDS or num_seeds:
            break
        count = max(FEWEST_SEEDS, count // 2)
    if 2 * pace > budget.left_for_final():
        needed = budget.spent + 2 * pace / BASELINE_SHARE
        raise BudgetError(
            f"the budget is too small: one epoch of {count} networks takes {pace:.1f} s, "
            f"and {max(0.0, budget.left_for_final()):.1f} s are left after the references",
            fix=f"allow about {math.ceil(needed)} s, or fewer seeds",
        )
    return with_epochs(plan, max(1, min(plan.epochs, epochs))), count


def _train_as_it_is(
    plan: Plan, split: Split, budget: Budget, journal: Journal, *, seeds: range
) -> TrainedArm:
    (control,) = train_arms(
        [(CONTROL, plan)],
        split,
        seeds=seeds,
        deadline=budget.trial_deadline,
        progress=lambda fraction: journal.doing(
            "training the plan as it is", fraction=0.05 + 0.1 * fraction, seconds_left=None
        ),
    )
    budget.used += len(seeds)
    journal.keep_arm(control, round=1, question="training")
    return control


def _unshortened(plan: Plan, shortened: Plan, epochs: int) -> Plan:
    """Give the final training the epochs that the trials had no time for.

    How a longer training ends is not proven, so it keeps the weights of its best epoch, as early stopping
    does.
    """
    if shortened.epochs == epochs:
        return plan
    longer = with_epochs(plan, round(plan.epochs * epochs / shortened.epochs))
    return dataclasses.replace(longer, patience=longer.patience or longer.epochs)


def _unsuited(plan: Plan, split: Split) -> dict[str, str]:
    """Remedies that cannot be applied here, with the reason."""
    reasons = {}
    if len(split.input_names("expanded")) <= len(split.input_names("scaled")):
        reasons["expand-inputs"] = "there are no numeric columns to expand"
    if isinstance(plan.network, Given):
        reasons["maxout"] = "a given network's layers cannot be widened for its pieces"
        if not plan.network.hidden_activations(sizes_of(plan, split)):
            hidden = ("relu", "leaky-relu", "gelu", "silu", "dropout")
            reasons |= dict.fromkeys(hidden, "the given network has no activation modules to edit")
    return reasons
