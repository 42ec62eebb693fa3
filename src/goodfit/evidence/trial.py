"""A trial: control and treated arms on the same seeds, batches and budget."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from goodfit.data.split import Split
from goodfit.engine.training.loop import Progress
from goodfit.engine.training.workers import Workers
from goodfit.evidence.arms import Question, TrainedArm, train_arms
from goodfit.evidence.heats import train_in_heats
from goodfit.evidence.judging import holm, judge, smallest_effect
from goodfit.evidence.statistics import paired_effect, seed_share
from goodfit.evidence.verdict import Interval, Verdict
from goodfit.recipe.remedy import Treatment

FIRST_SHARE = 0.8
"""Share of the accepted chance of a false alarm that a first look may spend; the rest is for a second one.

By the union bound both looks together keep within that chance, whatever decides whether there is a second.
"""
MAY_HELP = 0.5
"""Corrected p-value below which another look is worth its trainings."""
SEEDS_MATTER = 0.5
"""Share of an effect's variance that comes from the seeds, above which more of them can decide."""


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

    @property
    def undecided(self) -> list[int]:
        """Places of the treatments that more seeds may show to help; none once any is shown to.

        More seeds cannot make up for few rows, so those whose interval is wide for its rows are not among
        them.
        """
        if any(verdict.outcome == "helped" for verdict in self.verdicts):
            return []
        return [
            place
            for place, (treatment, verdict) in enumerate(zip(self.treatments, self.verdicts, strict=True))
            if treatment.remedy.trains
            and verdict.outcome == "not shown"
            and verdict.num_seeds == len(self.control.members) > 1
            and verdict.effect.value > 0
            and verdict.p_adjusted < MAY_HELP
            and self._seed_share(place) > SEEDS_MATTER
        ]

    def _seed_share(self, place: int) -> float:
        question = self.verdicts[place].question
        return seed_share(self.control.usual_scores_SN(question), self.arms[place].scores_SN(question))


def try_out(
    treatments: Sequence[Treatment],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    round: int,
    tried: int = 0,
    share: float = 1.0,
    in_heats: bool = False,
    bar: float = math.inf,
    begun: Sequence[TrainedArm] = (),
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
        share: Share of the accepted chance of a false alarm that this look may spend: 1 if it is the only
            one, :data:`FIRST_SHARE` if :func:`look_again` may follow.
        in_heats: Whether arms that can no longer win leave after one seed, see
            :func:`goodfit.evidence.heats.train_in_heats`. Those are never judged to help or to harm.
        bar: Training score that is enough, for heats.
        begun: Arms of an earlier trial in heats on this control; what they trained is not trained again.
        deadline: As in :func:`goodfit.engine.training.loop.train`.
        progress: As in :func:`goodfit.engine.training.loop.train`.
        workers: As in :func:`goodfit.engine.training.loop.train`.
    """
    plans = [(t.name, t.plan) for t in treatments if t.remedy.trains]
    means: dict[str, Any] = {"deadline": deadline, "progress": progress, "workers": workers}
    if in_heats:
        trained = iter(
            train_in_heats(plans, control, split, question=question, bar=bar, begun=begun, **means)
        )
    else:
        seeds = [member.candidate.seed for member in control.members]
        trained = iter(train_arms(plans, split, seeds=seeds, **means))
    arms = tuple(
        next(trained) if t.remedy.trains else dataclasses.replace(control, name=t.name, plan=t.plan)
        for t in treatments
    )
    verdicts = _judge(
        treatments, arms, control, split, question=question, round=round, tried=tried, share=share
    )
    return Trial(control=control, arms=arms, treatments=tuple(treatments), verdicts=verdicts)


def look_again(
    trial: Trial,
    split: Split,
    *,
    places: Sequence[int] | None = None,
    tried: int = 0,
    deadline: float = math.inf,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Trial:
    """Give the undecided treatments of a trial, and its control, as many seeds again.

    Args:
        trial: Judged at :data:`FIRST_SHARE`.
        split: The data.
        places: Those of the undecided that are looked at; by default all.
        tried: As in :func:`try_out`.
        deadline: As in :func:`goodfit.engine.training.loop.train`.
        progress: As in :func:`goodfit.engine.training.loop.train`.
        workers: As in :func:`goodfit.engine.training.loop.train`.

    Returns:
        The trial with longer arms and new verdicts where it was undecided.
    """
    places, before = trial.undecided if places is None else places, trial.control
    first = 1 + max(member.candidate.seed for member in before.members)
    plans = [(before.name, before.plan), *((trial.arms[p].name, trial.arms[p].plan) for p in places)]
    control, *longer = (
        dataclasses.replace(arm, members=(*arm.members, *more.members))
        for arm, more in zip(
            (before, *(trial.arms[place] for place in places)),
            train_arms(
                plans,
                split,
                seeds=range(first, first + len(before.members)),
                deadline=deadline,
                progress=progress,
                workers=workers,
            ),
            strict=True,
        )
    )
    arms, verdicts = list(trial.arms), list(trial.verdicts)
    judged = _judge(
        [trial.treatments[place] for place in places],
        longer,
        control,
        split,
        question=verdicts[0].question,
        round=verdicts[0].round,
        tried=tried + len(arms) - len(places),
        share=1 - FIRST_SHARE,
    )
    for place, arm, verdict in zip(places, longer, judged, strict=True):
        arms[place], verdicts[place] = arm, verdict
    return dataclasses.replace(trial, control=control, arms=tuple(arms), verdicts=tuple(verdicts))


def _judge(
    treatments: Sequence[Treatment],
    arms: Sequence[TrainedArm],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    round: int,
    tried: int,
    share: float,
) -> tuple[Verdict, ...]:
    compared = [
        _compare(treatment, arm, control, split, question)
        for treatment, arm in zip(treatments, arms, strict=True)
    ]
    by_holm = holm([*(found.p_value for found in compared), *[1.0] * tried])[: len(compared)]
    adjusted = [min(1.0, p_value / share) for p_value in by_holm]
    return tuple(
        Verdict(
            remedy=treatment.remedy.code,
            sentence=treatment.remedy.say(treatment.dose),
            question=question,
            outcome=judge(found.effect, p_adjusted, smallest=smallest_effect(found.control)),
            effect=found.effect,
            p_value=found.p_value,
            p_adjusted=p_adjusted,
            metric=f"{question if question == 'training' else 'validation'} {arm.plan.loss.metric}",
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
    before_SN = control.usual_scores_SN(question)[: len(arm.members)]
    trains = treatment.remedy.trains
    after_SN = arm.scores_SN(question) if trains else arm.ensemble_scores_SN(question, split)
    if trains:
        # what happens to a seed with and without a treatment is not the treatment's doing
        both_S = control.few_diverged_S[: len(arm.members)] & arm.diverged_S
        after_SN[both_S] = before_SN[both_S]
    effect, p_value = paired_effect(before_SN, after_SN)
    return _Compared(
        effect=effect,
        # who left after the first seed has not stood the whole trial
        p_value=p_value if len(arm.members) == len(control.members) else 1.0,
        control=float(before_SN.mean()),
        treated=float(after_SN.mean()),
        num_rows=before_SN.shape[1],
    )
