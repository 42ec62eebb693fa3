"""The final training by the prescription, and the one look at the sealed test rows.

Letters: N rows, O outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn import metrics

from goodfit.data.split import Rows, Split
from goodfit.data.splits import num_folds
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.construction import sizes_of
from goodfit.engine.loop import measure_pace, train
from goodfit.engine.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import TrainedArm
from goodfit.evidence.bootstrap import bootstrap_interval
from goodfit.evidence.references import FittedReference
from goodfit.evidence.statistics import mean_interval
from goodfit.procedure.case import Case
from goodfit.procedure.fitted import Predictor
from goodfit.procedure.loss_source import loss_source
from goodfit.procedure.run import TestResult
from goodfit.rules.schedules import Constant

MOST_MEMBERS = 16
"""Of a vote, where there is time; each member then misses a smaller fold, too."""
PACE_SECONDS = 0.2
MOST_OF_TIME = 0.85
"""Share of the time left that the final training plans to use; a measured pace is not a promise."""
TO_THE_END = 1.3
"""The same at a constant rate where the best weights are kept: the deadline may end the training anywhere."""
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
    plan, count = _in_time(plan, case, count)
    if plan.epochs < SHORTEST * trial_arm.plan.epochs:
        case.journal.note("no time for a final training: the networks of the last trial are handed back")
        return _told(_chosen(_of_trial(trial_arm, plan), case), plan, case)
    trained = train(
        _population(plan, count, case),
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


def _population(plan: Plan, count: int, case: Case) -> list[Candidate]:
    num_rows = len(case.split.train_index) + len(case.split.validation_index)
    size = num_folds(num_rows, members=count)
    folds = [(i, size) if case.may_mix else None for i in range(count)]
    return [Candidate(arm="final", seed=i, plan=plan, fold=fold) for i, fold in enumerate(folds)]


def _in_time(plan: Plan, case: Case, count: int) -> tuple[Plan, int]:
    """Fit the epochs into the time left; what is still left then goes to further members of a vote."""
    if not case.budget.is_timed:
        return plan, count
    population = _population(plan, count, case)
    seconds = case.budget.glance(PACE_SECONDS)
    pace = measure_pace(population, case.split, seconds=seconds, hands=case.hands)
    possible = case.budget.left_for_final() / pace
    if plan.ensemble:
        count = max(count, min(MOST_MEMBERS, int(count * int(MOST_OF_TIME * possible) / plan.epochs)))
    epochs = int((TO_THE_END if _may_end_anywhere(plan) else MOST_OF_TIME) * possible)
    return with_epochs(plan, max(1, min(plan.epochs, epochs))), count


def _may_end_anywhere(plan: Plan) -> bool:
    """Whether a training is as good as it was at its best, whenever it is ended."""
    return plan.patience is not None and plan.schedule == Constant() and not plan.tail_averaging


def with_epochs(plan: Plan, epochs: int) -> Plan:
    """Train a plan for another number of epochs, its patience in proportion."""
    patience = plan.patience
    if patience is not None:
        patience = max(3, round(patience * epochs / plan.epochs))
    return dataclasses.replace(plan, epochs=epochs, patience=patience)


def predictor_of(plan: Plan, members: Sequence[Trained], split: Split) -> Predictor:
    """Make a predictor of trained members."""
    return Predictor(
        network=plan.network,
        sizes=sizes_of(plan, split),
        inputs=plan.inputs,
        link=plan.loss.link,
        weights=tuple(member.weights for member in members),
        preparation=split.preparation,
        task=split.task,
        loss=loss_source(plan.loss),
    )


def open_sealed_test(
    split: Split,
    final: Predictor,
    *,
    untreated: Predictor,
    references: Sequence[FittedReference],
    loss: Loss,
) -> TestResult:
    """Open the sealed test rows once, and score everything on them.

    Args:
        split: The data.
        final: What is handed back.
        untreated: The plan as it came, trained.
        references: Reference models; they saw the scaled view.
        loss: That of the plan; it knows the metric.
    """
    opened = split.open_test(*{final.inputs, untreated.inputs, "scaled"})
    rows, plain = opened[final.inputs], opened["scaled"]
    scores_N = _scores(final, rows, split, loss)
    weight_N = None if rows.weight_N is None else rows.weight_N.numpy()
    return TestResult(
        metric=loss.metric,
        score=bootstrap_interval(
            scores_N, targets_N=_targets(rows, loss), weight_N=weight_N, seed=split.seed
        ),
        others=_in_users_units(final, rows, split),
        num_rows=len(scores_N),
        openings=split.openings,
        references=tuple((r.record.name, r.score(plain)) for r in references),
        plan_as_it_was=float(_scores(untreated, opened[untreated.inputs], split, loss).mean()),
    )


def _scores(predictor: Predictor, rows: Rows, split: Split, loss: Loss) -> np.ndarray:
    outputs_NO = predictor.outputs(rows.x, rows.codes_NC)
    if split.task.kind == "numbers" and not split.task.shape:
        # what a network that diverged says of a row is worth as much as the mean
        outputs_NO = np.nan_to_num(outputs_NO, nan=0.0)
        outputs_NO = split.task.encode(predictor.decoded(outputs_NO))[:, None]
    scores_N = loss.score(torch.from_numpy(outputs_NO), rows.y_N, by_row=True, weight=rows.weight_N)
    return scores_N.numpy().astype(float)


def _targets(rows: Rows, loss: Loss) -> np.ndarray | None:
    """Numbers to be predicted: with them R squared is resampled as the ratio it is.

    Weighted scores are linearised already.
    """
    is_ratio = loss.metric == "r2" and rows.y_N.dim() == 1 and rows.weight_N is None
    return rows.y_N.numpy().astype(float) if is_ratio else None


def _in_users_units(predictor: Predictor, rows: Rows, split: Split) -> tuple[tuple[str, float], ...]:
    """Further metrics that people of the field ask for, by scikit-learn."""
    if split.task.shape:
        return ()
    outputs_NO = predictor.outputs(rows.x, rows.codes_NC)
    if not np.isfinite(outputs_NO).all():
        return ()
    counted: dict[str, Any] = {"sample_weight": None if rows.weight_N is None else rows.weight_N.numpy()}
    if split.task.kind == "numbers":
        truth_N = split.task.decode(rows.y_N.numpy())
        value_N = predictor.decoded(outputs_NO)
        return (
            ("root mean squared error", float(metrics.root_mean_squared_error(truth_N, value_N, **counted))),
            ("mean absolute error", float(metrics.mean_absolute_error(truth_N, value_N, **counted))),
        )
    truth_N, chosen_N = rows.y_N.numpy(), outputs_NO.argmax(1)
    labels = list(range(outputs_NO.shape[1]))
    return (
        ("balanced accuracy", float(metrics.balanced_accuracy_score(truth_N, chosen_N, **counted))),
        ("log loss", float(metrics.log_loss(truth_N, outputs_NO, labels=labels, **counted))),
    )
