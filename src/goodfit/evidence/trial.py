"""A trial: control and treated arms on the same seeds, batches and budget.

Letters: S seeds, N rows, O outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.history import History
from goodfit.engine.loop import train
from goodfit.engine.losses import row_scores
from goodfit.engine.plan import Plan
from goodfit.engine.workers import Workers
from goodfit.evidence.statistics import holm, judge, paired_effect
from goodfit.evidence.verdict import Verdict
from goodfit.recipe.remedy import Treatment

Question = Literal["training", "testing"]
CONTROL = "as it is"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainedArm:
    """All seeds of one plan.

    Attributes:
        name: ``"as it is"``, or the treatment's name.
        plan: What was trained.
        members: One per seed, in seed order.
    """

    name: str
    plan: Plan
    members: tuple[Trained, ...]

    @property
    def histories(self) -> tuple[History, ...]:
        """One history per seed."""
        return tuple(member.history for member in self.members)

    @property
    def seconds(self) -> float:
        """What the arm cost."""
        return sum(history.seconds for history in self.histories)

    def scores_SN(self, question: Question) -> np.ndarray:
        """Scores of every seed on every row of the question; what diverged scores as a blind guess."""
        rows = [m.train_scores_N if question == "training" else m.validation_scores_N for m in self.members]
        return np.nan_to_num(np.stack(rows).astype(float), nan=0.0, posinf=0.0, neginf=-1e3)

    def ensemble_scores_SN(self, question: Question, split: Split) -> np.ndarray:
        """Scores of votes: row s holds the vote of all seeds but s, so that it can be paired with seed s."""
        predicted = [m.predicted_train_NO if question == "training" else m.predicted_NO for m in self.members]
        predicted_SNO = np.stack(predicted)
        # not by subtracting one from the sum: a member that diverged would spoil the votes without it too
        others_SNO = np.stack([np.delete(predicted_SNO, s, axis=0).mean(0) for s in range(len(predicted))])
        y_N = self.members[0].train_y_N if question == "training" else _validation_targets(split)
        scores_SN = row_scores(torch.from_numpy(others_SNO), torch.from_numpy(y_N), kind=split.task.kind)
        return np.nan_to_num(scores_SN.numpy().astype(float), nan=0.0, posinf=0.0, neginf=-1e3)


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


def train_arms(
    plans: Sequence[tuple[str, Plan]],
    split: Split,
    *,
    seeds: Sequence[int],
    deadline: float = math.inf,
    progress: Callable[[float], None] | None = None,
    workers: Workers | None = None,
) -> tuple[TrainedArm, ...]:
    """Train several plans on the same seeds, as one population.

    Args:
        plans: (name, plan) of every arm.
        split: The data.
        seeds: Shared by all arms: initial weights, batches and dropout draws are paired.
        deadline: As in :func:`goodfit.engine.loop.train`.
        progress: As in :func:`goodfit.engine.loop.train`.
        workers: As in :func:`goodfit.engine.loop.train`.
    """
    population = [Candidate(arm=name, seed=seed, plan=plan) for name, plan in plans for seed in seeds]
    trained = train(population, split, deadline=deadline, progress=progress, workers=workers)
    size = len(seeds)
    return tuple(
        TrainedArm(name=name, plan=plan, members=trained[i * size : (i + 1) * size])
        for i, (name, plan) in enumerate(plans)
    )


def try_out(
    treatments: Sequence[Treatment],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    round: int,
    tried: int = 0,
    deadline: float = math.inf,
    progress: Callable[[float], None] | None = None,
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
        deadline: As in :func:`goodfit.engine.loop.train`.
        progress: As in :func:`goodfit.engine.loop.train`.
        workers: As in :func:`goodfit.engine.loop.train`.
    """
    seeds = [member.candidate.seed for member in control.members]
    to_train = [(t.name, t.plan) for t in treatments if t.remedy.trains]
    trained = iter(
        train_arms(to_train, split, seeds=seeds, deadline=deadline, progress=progress, workers=workers)
    )
    arms = tuple(
        next(trained)
        if treatment.remedy.trains
        else dataclasses.replace(control, name=treatment.name, plan=treatment.plan)
        for treatment in treatments
    )
    before_SN = control.scores_SN(question)
    after = [
        arm.scores_SN(question) if t.remedy.trains else arm.ensemble_scores_SN(question, split)
        for t, arm in zip(treatments, arms, strict=True)
    ]
    effects = [paired_effect(before_SN, after_SN) for after_SN in after]
    adjusted = holm([*(p_value for _, p_value in effects), *[1.0] * tried])[: len(effects)]
    metric = f"{question if question == 'training' else 'validation'} {split.task.metric}"
    verdicts = tuple(
        Verdict(
            remedy=treatment.remedy.code,
            sentence=treatment.remedy.say(treatment.dose),
            question=question,
            outcome=judge(effect, p_adjusted),
            effect=effect,
            p_value=p_value,
            p_adjusted=p_adjusted,
            metric=metric,
            control=float(before_SN.mean()),
            treated=float(after_SN.mean()),
            num_seeds=len(seeds),
            num_rows=before_SN.shape[1],
            epochs=treatment.plan.epochs,
            seconds=arm.seconds if treatment.remedy.trains else 0.0,
            kept=False,
            round=round,
            steps=treatment.steps,
        )
        for treatment, arm, after_SN, (effect, p_value), p_adjusted in zip(
            treatments, arms, after, effects, adjusted, strict=True
        )
    )
    return Trial(control=control, arms=arms, treatments=tuple(treatments), verdicts=verdicts)


def _validation_targets(split: Split) -> np.ndarray:
    return split.rows("validation").y_N.numpy()
