"""The final training by the prescription.

Letters: N rows, S seeds.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from goodfit.data.splits import num_folds
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import measure_pace, train
from goodfit.evidence.arms import TrainedArm
from goodfit.evidence.statistics import mean_interval
from goodfit.procedure.case import Case
from goodfit.procedure.costs import MOST_OF_TIME
from goodfit.procedure.lengths import with_epochs
from goodfit.rules.schedules import Constant

MOST_MEMBERS = 16
"""Of a vote, where there is time; each member then misses a smaller fold, too."""
PACE_SECONDS = 0.2
TO_THE_END = 1.3
"""The same at a constant rate where weights may go back: the deadline may end the training anywhere."""
TELLING_ROWS = 1000
"""Rows that a network has to watch for its loss to tell overtraining from chance."""
SHORTEST = 0.7
"""Share of the trials' epochs below which a final training would be worse than what the trials made."""


def train_final(plan: Plan, case: Case, *, trial_arm: TrainedArm) -> TrainedArm:
    """Train what is handed back: one network, or as many as vote.

    Each member learns from training and validation rows but for one fold of its own, on which it is
    watched, so that together they use every row that is not sealed. Where rows must not be mixed
    (groups, time, the user's own validation rows), members learn from the training rows alone.

    Args:
        plan: The plan by the prescription.
        case: The data, and what is left of the budget.
        trial_arm: The prescription as it was last trained; it decides the number of members, and is
            handed back itself where there is no time to train anew.
    """
    budget = case.budget
    # where time is short one unlucky start cannot be made good later, and a few in a stack cost little more
    count = len(trial_arm.members) if plan.ensemble or budget.is_short else 1
    count = int(min(count, max(1, budget.trainings_left(keep=0))))
    falls_back = False
    if plan.patience is None and plan.epochs > trial_arm.plan.epochs:
        # how a longer training ends is not proven
        falls_back = _num_watched(case, count) >= TELLING_ROWS
        plan = plan if falls_back else dataclasses.replace(plan, patience=plan.epochs)
    plan, count = _in_time(plan, case, count, falls_back=falls_back)
    if plan.epochs < SHORTEST * trial_arm.plan.epochs:
        case.journal.note("no time for a final training: the networks of the last trial are handed back")
        return _told(_chosen(_of_trial(trial_arm, plan), case), plan, case)
    trained = train(
        _population(plan, count, case, falls_back=falls_back),
        case.split,
        deadline=budget.final_deadline,
        progress=lambda fraction: case.journal.doing(
            "training the final model", fraction=0.9 + 0.1 * fraction, seconds_left=None
        ),
        workers=case.workers,
    )
    budget.used += count
    fit = tuple(member for member in trained if member.history.ending != "diverged") or trained
    final = TrainedArm(name="final", plan=plan, members=fit)
    if _fell_behind(_chosen(final, case), trial_arm):
        case.journal.note("the final training ended worse than the trials: their networks are handed back")
        final = _of_trial(trial_arm, plan)
    return _told(_chosen(final, case), plan, case)


def _fell_behind(final: TrainedArm, trial_arm: TrainedArm) -> bool:
    """Whether networks do worse on the rows they watched, beyond chance, than those of the trials.

    Where a rate shakes the weights, one seed more may end anywhere.
    """
    highest = np.mean([mean_interval(_watched_N(member)[None]).high for member in final.members])
    return bool(highest < trial_arm.scores_SN("testing").mean())


def _is_worse(member: Trained, best: Trained) -> bool:
    """Whether a network is worse than another, which watched other rows, beyond the chance of both."""
    below, above = (mean_interval(_watched_N(one)[None]) for one in (member, best))
    return above.value - below.value > math.hypot(above.value - above.low, below.high - below.value)


def _watched_N(member: Trained) -> np.ndarray:
    return np.nan_to_num(member.validation_scores_N.astype(float), neginf=-1e3)


def _watched_score(member: Trained) -> float:
    return float(_watched_N(member).mean())


def _of_trial(trial_arm: TrainedArm, plan: Plan) -> TrainedArm:
    """Take what the trials made; whether it votes is for the plan by the prescription to say."""
    plan = dataclasses.replace(trial_arm.plan, ensemble=plan.ensemble)
    return dataclasses.replace(trial_arm, name="final", plan=plan)


def _chosen(arm: TrainedArm, case: Case) -> TrainedArm:
    """Choose what is handed back: all that vote, or the network that is best on the rows it watched.

    Where time is short several are trained in any case, and vote: the loss of their mean prediction is at
    most the mean of their losses, as losses are convex (Jensen's inequality), which of a loss of the user's
    own is not known. Who is worse than the best one, beyond the chance of the rows that both watched, has no
    vote.
    """
    if arm.plan.ensemble:
        return arm
    best = max(arm.members, key=_watched_score)
    voters: tuple[Trained, ...] = (best,)
    if case.budget.is_short and not arm.plan.loss.is_own:
        voters = tuple(member for member in arm.members if not _is_worse(member, best))
    plan = dataclasses.replace(arm.plan, ensemble=len(voters) > 1)
    return dataclasses.replace(arm, plan=plan, members=voters)


def _told(final: TrainedArm, wanted: Plan, case: Case) -> TrainedArm:
    if final.plan.ensemble and not wanted.ensemble:
        case.journal.note(f"the {len(final.members)} networks that were trained at the end vote")
    return final


def _population(plan: Plan, count: int, case: Case, *, falls_back: bool) -> list[Candidate]:
    folds = [(i, _num_folds(case, count)) if case.may_mix else None for i in range(count)]
    return [
        Candidate(arm="final", seed=i, plan=plan, fold=fold, falls_back=falls_back)
        for i, fold in enumerate(folds)
    ]


def _num_folds(case: Case, count: int) -> int:
    return num_folds(len(case.split.train_index) + len(case.split.validation_index), members=count)


def _num_watched(case: Case, count: int) -> int:
    """Rows that each of so many members watches."""
    num_validation = len(case.split.validation_index)
    if not case.may_mix:
        return num_validation
    return (len(case.split.train_index) + num_validation) // _num_folds(case, count)


def _in_time(plan: Plan, case: Case, count: int, *, falls_back: bool) -> tuple[Plan, int]:
    """Fit the epochs into the time left; what is still left then goes to further members of a vote."""
    if not case.budget.is_timed:
        return plan, count
    population = _population(plan, count, case, falls_back=falls_back)
    seconds = case.budget.glance(PACE_SECONDS)
    pace = measure_pace(population, case.split, seconds=seconds, hands=case.hands)
    possible = case.budget.left_for_final() / pace
    goes_back = falls_back or plan.patience is not None
    # then a training is as good as it was at its best, whenever it is ended
    may_end_anywhere = goes_back and plan.schedule == Constant() and not plan.tail_averaging
    epochs = int((TO_THE_END if may_end_anywhere else MOST_OF_TIME) * possible)
    if plan.ensemble:
        count = max(count, min(MOST_MEMBERS, int(count * epochs / plan.epochs)))
    return with_epochs(plan, max(1, min(plan.epochs, epochs))), count
