"""The two questions of the recipe, and the bar that makes "good" more than a guess."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from goodfit.data.split import Split
from goodfit.evidence.arms import Question, TrainedArm
from goodfit.evidence.references import FittedReference
from goodfit.evidence.statistics import mean_interval, paired_effect
from goodfit.procedure.run import Answer


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bar:
    """What a score has to reach.

    It is the user's target if there is one. Otherwise it is the score of the best reference model on
    validation rows, for both questions: a network that does not even reach on its training rows what
    another method reaches on rows it has never seen has not learnt what is there to learn.

    Attributes:
        score: The height.
        source: ``"target"``, or the reference's name.
        rows_N: The reference's score on each validation row; ``None`` for a target.
    """

    score: float
    source: str
    rows_N: np.ndarray | None = None


def set_bar(references: Sequence[FittedReference], target: float | None) -> Bar:
    """Set the bar from the user's target, or from the best reference."""
    if target is not None:
        return Bar(score=target, source="target")
    best = max(references, key=lambda reference: reference.record.validation_score)
    return Bar(score=best.record.validation_score, source=best.record.name, rows_N=best.validation_scores_N)


def scores_of(arm: TrainedArm, question: Question, split: Split) -> np.ndarray:
    """Scores of an arm as it would be handed back: of single networks, or of their vote."""
    if arm.plan.ensemble and len(arm.members) > 1:
        return arm.ensemble_scores_SN(question, split)
    return arm.usual_scores_SN(question)


def ask(
    question: Question,
    arm: TrainedArm,
    bar: Bar,
    split: Split,
    *,
    round: int,
    nothing_left: bool = False,
    projected: float | None = None,
) -> Answer:
    """Ask one of the two questions.

    Where few seeds diverged, or fell far back, they count as the worst of the others, and the reason says so:
    the final training hands back weights from before, and gives those who diverged no vote.

    The answer is yes when the mean score reaches the bar, or leads there. Training rows are scored on a
    sample, which cannot tell less than one of its rows: there a shortfall of less than one row is none. Once
    nothing is left to try, the answer is also yes when the score is not shown to be below the bar: its
    interval, paired with the reference's rows where there are any, reaches it.

    Args:
        question: ``"training"`` or ``"testing"``.
        arm: The plan so far.
        bar: What it has to reach.
        split: The data.
        round: How often the loop has come back, from 1.
        nothing_left: Whether every remedy of this question has been tried.
        projected: Score after as many epochs as the plan asks for, where trials are shorter and are to be
            judged by where they lead.
    """
    scores_SN = scores_of(arm, question, split)
    score = mean_interval(scores_SN)
    resolution = 1 / scores_SN.shape[1] if question == "training" else 0.0
    reaches = score.value > bar.score - resolution or score.value >= bar.score
    leads_there = projected is not None and projected >= bar.score
    is_near = nothing_left and _highest_gain(scores_SN, bar, question, score.high) >= 0
    good = reaches or leads_there or is_near
    rows = "training rows" if question == "training" else "validation rows"
    comparison = "reaches" if reaches else "is not shown to be below" if good else "is below"
    if leads_there and not reaches:
        comparison = f"leads to {projected:.3f} by the epochs that the plan asks for, which reaches"
    whose = "your target" if bar.source == "target" else f"what {bar.source} reaches on validation rows"
    return Answer(
        question=question,
        round=round,
        good=bool(good),
        score=score,
        bar=bar.score,
        bar_from=bar.source,
        reason=f"{score.value:.3f} on {rows} {comparison} {whose}, {bar.score:.3f}{_told(arm)}",
    )


def _told(arm: TrainedArm) -> str:
    """Say of an answer which seeds it does not count."""
    gone_S = arm.few_diverged_S
    return f"; {gone_S.sum()} of {len(gone_S)} seeds diverged or fell back" if gone_S.any() else ""


def _highest_gain(scores_SN: np.ndarray, bar: Bar, question: Question, high: float) -> float:
    """Upper end of the interval of score minus bar."""
    if question == "testing" and bar.rows_N is not None:
        reference_SN = np.broadcast_to(bar.rows_N, scores_SN.shape)
        return paired_effect(reference_SN, scores_SN)[0].high
    return high - bar.score
