"""The course of a run: opening, rounds of trials, final training, sealed test, record."""

from __future__ import annotations

import dataclasses
import os

from goodfit.diagnosis import before
from goodfit.engine.candidate import Candidate
from goodfit.engine.construction import sizes_of
from goodfit.engine.harness import check_harness
from goodfit.engine.loop import fills_the_machine
from goodfit.engine.plan import Plan
from goodfit.engine.precision import at_faster_precision
from goodfit.engine.threads import suitable_threads
from goodfit.engine.workers import hired
from goodfit.evidence.arms import CONTROL
from goodfit.procedure.case import Case
from goodfit.procedure.costs import Costs
from goodfit.procedure.examination import examine
from goodfit.procedure.final import open_sealed_test, predictor_of, train_final, with_epochs
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.opening import (
    NUM_SEEDS,
    compare_with_references,
    fit_into_budget,
    tell_unreached,
    train_as_it_is,
    unsuited_remedies,
)
from goodfit.procedure.questions import set_bar
from goodfit.procedure.rounds import Rounds
from goodfit.procedure.writing import write_run

WORTH_HIRING = 8.0
"""Seconds of budget from which starting another process pays, and trying numbers of threads."""


def run_recipe(
    plan: Plan,
    case: Case,
    *,
    target_metric: float | None = None,
    num_seeds: int | None = None,
    command: str = "",
) -> Fitted:
    """Run the recipe on a plan, with the threads and processes that suit it.

    Args:
        plan: The plan as it came.
        case: The data and what may be used.
        target_metric: Score that counts as good, in place of the references' bar.
        num_seeds: Seeds of every arm; by default eight, fewer if time is short.
        command: What the user typed, for the record.
    """
    population = [Candidate(arm=CONTROL, seed=seed, plan=plan) for seed in range(num_seeds or NUM_SEEDS)]
    is_long = case.budget.seconds >= WORTH_HIRING
    with suitable_threads(population, case.split, measure=case.budget.is_timed and is_long) as threads:
        # cores that threads leave idle are given to other processes
        idle = _num_cores() - 1 if threads == 1 and is_long else 0
        with hired(case.split, count=idle) as workers:
            case = dataclasses.replace(case, workers=workers)
            return _run(plan, case, target_metric, num_seeds=num_seeds, command=command)


def _run(
    plan: Plan, case: Case, target_metric: float | None, *, num_seeds: int | None, command: str
) -> Fitted:
    split = case.split
    for note in split.notes:
        case.journal.note(note)
    compared = compare_with_references(case, plan.loss)
    harness = check_harness(plan, split)
    case.journal.find(before.findings(harness))
    tell_unreached(plan, case)
    shortened, count = fit_into_budget(plan, case, num_seeds=num_seeds)
    is_shortened = shortened.epochs < plan.epochs
    if is_shortened:
        plan, gain = at_faster_precision(plan, split)
        if gain > 1:
            case.journal.note(f"steps are computed in bfloat16, {gain:.1f} times as fast; scores are float32")
            shortened, count = fit_into_budget(plan, case, num_seeds=num_seeds)
    control = train_as_it_is(shortened, case, num_seeds=count)
    rounds = Rounds(
        case=case,
        bar=set_bar(compared, target_metric),
        unsuited=unsuited_remedies(plan, split),
        arm=control,
        costs=Costs(case=case, in_heats=is_shortened and fills_the_machine(plan, split)),
        shortening=shortened.epochs / plan.epochs,
    )
    because = rounds.run()
    examine(case, harness, control=control, arm=rounds.arm, round=rounds.round)
    final = train_final(_unshortened(rounds.arm.plan, rounds.shortening), case, trial_arm=rounds.arm)
    case.journal.keep_arm(final, round=rounds.round, question="final")
    case.journal.doing("opening the sealed test", fraction=1.0, seconds_left=None)
    predictor = predictor_of(final.plan, final.members, split)
    untreated = predictor_of(shortened, control.members[:1], split)
    test = open_sealed_test(split, predictor, untreated=untreated, references=compared, loss=plan.loss)
    run = write_run(
        case,
        plan=shortened.describe(sizes_of(shortened, split)),
        treated_plan=final.plan.describe(sizes_of(final.plan, split)),
        references=tuple(reference.record for reference in compared),
        harness=harness,
        test=test,
        because=because,
        command=command,
        metric=plan.loss.metric,
    )
    return Fitted(run=run, predictor=predictor)


def _unshortened(plan: Plan, shortening: float) -> Plan:
    """Give the final training the epochs that the trials had no time for.

    How a longer training ends is not proven, so it keeps the weights of its best epoch, as early
    stopping does.
    """
    if shortening == 1:
        return plan
    longer = with_epochs(plan, round(plan.epochs / shortening))
    return dataclasses.replace(longer, patience=longer.patience or longer.epochs)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
