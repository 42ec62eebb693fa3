"""A trial: control and treated arms on the same seeds, batches and budget."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from goodfit.data.split import Split
from goodfit.engine.loop import Progress
from goodfit.engine.workers import Workers
from goodfit.evidence.arms import Question, TrainedArm, train_arms
from goodfit.evidence.heats import train_in_heats
from goodfit.evidence.statistics import holm, judge, paired_effect
from goodfit.evidence.verdict import Interval, Verdict
from goodfit.recipe.remedy import Treatment


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """What one round of trials produced.

    Attributes:
        control: The untreated arm.
        arms: The treated arms, in the order of ``treatments``.
        treatments: What was tried.
        verdicts: One per treatment, none of them kept yet.
    """

    control: TrainedArm
    arms: tuple[TrainedArm, ...]
    treatments: tuple[Treatment, ...]
    verdicts: tuple[Verdict, ...]


def try_out(
    treatments: Sequence[Treatment],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    round: int,
    tried: int = 0,
    in_heats: bool = False,
    deadline: float = math.inf,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Trial:
    """Train every treatment beside the control and judge each by the paired difference.

    The control was trained on the same seeds and batches, so it serves as it stands: training it again
    would give the same numbers. The p-values are corrected by Holm's method for all treatments tried on
    this control.

    Args:
        treatments: The arms to train.
        control: The untreated arm.
        split: The data.
        question: Decides the rows: training rows or validation rows.
        round: Number of the round, for the record.
        tried: Treatments tried on this control before, none of which helped.
        in_heats: Whether arms that can no longer win leave after one seed, see
            :func:`goodfit.evidence.heats.train_in_heats`. Those are never judged to help or to harm.
        deadline: As in :func:`goodfit.engine.loop.train`.
        progress: As in :func:`goodfit.engine.loop.train`.
        workers: As in :func:`goodfit.engine.loop.train`.
    """
    plans = [(t.name, t.plan) for t in treatments if t.remedy.trains]
    means: dict[str, Any] = {"deadline": deadline, "progress": progress, "workers": workers}
    if in_heats:
        trained = iter(train_in_heats(plans, control, split, question=question, **means))
    else:
        seeds = [member.candidate.seed for member in control.members]
        trained = iter(train_arms(plans, split, seeds=seeds, **means))
    arms = tuple(
        next(trained) if t.remedy.trains else dataclasses.replace(control, name=t.name, plan=t.plan)
        for t in treatments
    )
    compared = [
        _compare(treatment, arm, control, split, question)
        for treatment, arm in zip(treatments, arms, strict=True)
    ]
    adjusted = holm([*(found.p_value for found in compared), *[1.0] * tried])[: len(compared)]
    verdicts = tuple(
        Verdict(
            remedy=treatment.remedy.code,
            sentence=treatment.remedy.say(treatment.dose),
            question=question,
            outcome=judge(found.effect, p_adjusted),
            effect=found.effect,
            p_value=found.p_value,
            p_adjusted=p_adjusted,
            metric=f"{question if question == 'training' else 'validation'} {split.task.metric}",
            control=found.control,
            treated=found.treated,
            num_seeds=len(arm.members),
            num_rows=found.num_rows,
            epochs=treatment.plan.epochs,
            seconds=arm.seconds if treatment.remedy.trains else 0.0,
            kept=False,
            round=round,
            steps=treatment.steps,
        )
        for treatment, arm, found, p_adjusted in zip(treatments, arms, compared, adjusted, strict=True)
    )
    return Trial(control=control, arms=arms, treatments=tuple(treatments), verdicts=verdicts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Compared:
    """One treatment beside the control, before any correction."""

    effect: Interval
    p_value: float
    control: float
    treated: float
    num_rows: int


def _compare(
    treatment: Treatment, arm: TrainedArm, control: TrainedArm, split: Split, question: Question
) -> _Compared:
    before_SN = control.scores_SN(question)[: len(arm.members)]
    trains = treatment.remedy.trains
    after_SN = arm.scores_SN(question) if trains else arm.ensemble_scores_SN(question, split)
    effect, p_value = paired_effect(before_SN, after_SN)
    return _Compared(
        effect=effect,
        # who left after the first seed has not stood the whole trial
        p_value=p_value if len(arm.members) == len(control.members) else 1.0,
        control=float(before_SN.mean()),
        treated=float(after_SN.mean()),
        num_rows=before_SN.shape[1],
    )
