"""The course of a run: opening, rounds of trials, final training, sealed test, record."""

from __future__ import annotations

import dataclasses
import os

from goodfit.diagnosis import before
from goodfit.engine.candidate import Candidate
from goodfit.engine.checks.harness import check_harness
from goodfit.engine.machine.device import Placement, describe
from goodfit.engine.plan import Plan
from goodfit.engine.training.choice import hurried
from goodfit.engine.training.loop import fills_the_machine
from goodfit.engine.training.placing import suitable_device
from goodfit.engine.training.precision import at_faster_precision
from goodfit.engine.training.threads import suitable_threads
from goodfit.engine.training.workers import hired
from goodfit.engine.ways.construction import forget_networks, sizes_of
from goodfit.evidence.arms import CONTROL
from goodfit.nets.mlp import MLP
from goodfit.procedure.case import Case
from goodfit.procedure.costs import Costs
from goodfit.procedure.examination import examine
from goodfit.procedure.final import train_final
from goodfit.procedure.fitted import Fitted, predictor_of
from goodfit.procedure.lengths import SEEDS_OF_HEATS, unshortened, with_epochs
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
from goodfit.procedure.sealed import open_sealed_test
from goodfit.procedure.writing import write_run

LONGEST = 3.0
"""Times the epochs that a plan asks for which a final training may last, while an answer is no and time is
left: as many as the remedy of longer training gives, which is not tried where trials are short."""
ONE_BATCH_SHARE = 0.05
"""Share of the time that learning one batch by heart may take."""
LARGE_FINAL_SHARE = 0.40
"""Share of the time for the final training where one network fills the machine: trials there are a fraction
of it long, and what is handed back has most to gain from epochs."""


def run_recipe(
    plan: Plan,
    case: Case,
    *,
    target_metric: float | None = None,
    num_seeds: int | None = None,
    device: str = "auto",
    command: str = "",
) -> Fitted:
    """Run the recipe on a plan, on the device and with the threads and processes that suit it.

    Args:
        plan: The plan as it came.
        case: The data and what may be used.
        target_metric: Score that counts as good, in place of the references' bar.
        num_seeds: Seeds of every arm; by default eight, fewer if time is short.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        command: What the user typed, for the record.
    """
    forget_networks()
    population = [Candidate(arm=CONTROL, seed=seed, plan=plan) for seed in range(num_seeds or NUM_SEEDS)]
    is_long, timed = not case.budget.is_short, case.budget.is_timed
    with (
        hurried(case.budget.is_short),
        suitable_device(population, case.split, asked=device, measure=timed) as where,
    ):
        if where.is_gpu:  # one process keeps it busy
            case.journal.note(_told(where))
            return _run(plan, case, target_metric, num_seeds=num_seeds, command=command)
        if where.reason:
            case.journal.note(f"networks are trained on the processor: {where.reason}")
        with suitable_threads(population, case.split, measure=timed and is_long) as threads:
            # cores that threads leave idle are given to other processes
            idle = _num_cores() - 1 if threads == 1 and is_long else 0
            with hired(case.split, count=idle) as workers:
                case = dataclasses.replace(case, workers=workers)
                return _run(plan, case, target_metric, num_seeds=num_seeds, command=command)


def _told(where: Placement) -> str:
    measured = ", ".join(f"{seconds:.3g} s on {device}" for device, seconds in where.epoch_s)
    return f"networks are trained on {describe(where.device)}" + (
        f": an epoch of a trial takes {measured}" if measured else ""
    )


def _run(
    plan: Plan, case: Case, target_metric: float | None, *, num_seeds: int | None, command: str
) -> Fitted:
    split = case.split
    for note in split.notes:
        case.journal.note(note)
    compared = compare_with_references(case, plan.loss)
    may_take = ONE_BATCH_SHARE * case.budget.seconds
    harness = check_harness(plan, split, is_short=case.budget.is_short, seconds=may_take)
    case.journal.find(before.findings(harness))
    tell_unreached(plan, case)
    shortened, count = fit_into_budget(plan, case, num_seeds=num_seeds)
    is_shortened = shortened.epochs < plan.epochs
    if is_shortened:
        plan, gain = at_faster_precision(plan, split)
        if gain > 1:
            case.journal.note(f"steps are computed in bfloat16, {gain:.1f} times as fast; scores are float32")
            shortened, count = fit_into_budget(plan, case, num_seeds=num_seeds)
    # a short time holds a few batched networks of any module, and no second heat
    is_dear = fills_the_machine(plan, split) and (isinstance(plan.network, MLP) or not case.budget.is_short)
    costs = Costs(case=case, in_heats=is_shortened and is_dear)
    if costs.in_heats:
        case.budget.final_share = LARGE_FINAL_SHARE
    begun = case.budget.spent
    control = train_as_it_is(shortened, case, num_seeds=count)
    if case.budget.is_short:
        costs.know_first(control, took=case.budget.spent - begun)
    costs.know_time(control)
    rounds = Rounds(
        case=case,
        bar=set_bar(compared, target_metric),
        unsuited=unsuited_remedies(plan, split, is_short=case.budget.is_short),
        arm=control,
        costs=costs,
        shortening=shortened.epochs / plan.epochs,
        most_seeds=num_seeds or SEEDS_OF_HEATS,
    )
    because = rounds.run()
    examine(case, harness, control=control, arm=rounds.arm, round=rounds.round)
    wanted = _unshortened(rounds.arm.plan, rounds.shortening, is_good=rounds.is_good)
    final = train_final(wanted, case, trial_arm=rounds.arm)
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


def _unshortened(plan: Plan, shortening: float, *, is_good: bool) -> Plan:
    """Give the final training the epochs that trials had no time for, and more where that is not enough."""
    if shortening == 1:
        return plan
    times = 1.0 if is_good else LONGEST
    return with_epochs(plan, unshortened(times * plan.epochs, shortening))


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
