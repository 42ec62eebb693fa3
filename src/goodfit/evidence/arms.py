"""An arm: all seeds of one plan, trained on the same seeds and batches as the arms beside it.

Letters: S seeds, N rows, O outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.history import History
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import Progress, train
from goodfit.engine.training.workers import Workers

Question = Literal["training", "testing"]
CONTROL = "as it is"
FEW_DIVERGED = 0.25
"""Share of the seeds up to which their divergence alone could not be shown to come from a treatment."""
FELL_BACK = 0.25
"""Share of its best training score's gain whose loss at the end counts as divergence: a rate at the edge
throws weights far off for a few steps, and a training that ends there says nothing of its plan."""
LEAST_GAIN = 0.1
"""A gain below which nothing was learnt that could be lost."""


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

    def usual_scores_SN(self, question: Question) -> np.ndarray:
        """Scores without outliers: where few seeds diverged, they score as the worst of the others.

        One collapse among many seeds hides what all others show, of a plan and of its treatments. Counted as
        an ordinary bad seed of the control it never speaks more for a treatment than it does.
        """
        scores_SN, few_S = self.scores_SN(question), self.few_diverged_S
        if few_S.any():
            usual = np.flatnonzero(~few_S)
            scores_SN[few_S] = scores_SN[usual[scores_SN[usual].mean(1).argmin()]]
        return scores_SN

    @property
    def few_diverged_S(self) -> np.ndarray:
        """Which seeds diverged, if they are few; none if they are many."""
        diverged_S = self.diverged_S
        return diverged_S if diverged_S.mean() <= FEW_DIVERGED else np.zeros_like(diverged_S)

    @property
    def diverged_S(self) -> np.ndarray:
        """Which seeds diverged, to the end or so far that much of what they had learnt is lost."""
        return np.array([has_diverged(member) for member in self.members])

    def ensemble_scores_SN(self, question: Question, split: Split) -> np.ndarray:
        """Scores of votes: row s holds the vote of all seeds but s, so that it can be paired with seed s.

        Who diverged has no vote, unless many did.
        """
        predicted = [m.predicted_train_NO if question == "training" else m.predicted_NO for m in self.members]
        predicted_SNO, few_S = np.stack(predicted), self.few_diverged_S
        # not by subtracting one from the sum: a member that diverged would spoil the votes without it too
        without = [np.union1d(np.flatnonzero(few_S), [s]) for s in range(len(predicted))]
        others_SNO = np.stack([np.delete(predicted_SNO, places, axis=0).mean(0) for places in without])
        y_N, weight_N = self._targets(question, split)
        scores_SN = self.plan.loss.score(torch.from_numpy(others_SNO), y_N, by_row=True, weight=weight_N)
        return np.nan_to_num(scores_SN.numpy().astype(float), nan=0.0, posinf=0.0, neginf=-1e3)

    def _targets(self, question: Question, split: Split) -> tuple[Tensor, Tensor | None]:
        """Targets of the rows of a question, and their weights."""
        if question == "testing":
            rows = split.rows("validation")
            return rows.y_N, rows.weight_N
        first = self.members[0]
        weight_N = None if first.train_weight_N is None else torch.from_numpy(first.train_weight_N)
        return torch.from_numpy(first.train_y_N), weight_N


def has_diverged(member: Trained) -> bool:
    """Whether a training ended beyond all numbers, or far below what it had reached on the way."""
    if member.history.ending == "diverged":
        return True
    curve = [score for score in member.history.train_score if score is not None and math.isfinite(score)]
    gain = max(curve, default=0.0) - (curve[0] if curve else 0.0)
    return gain > LEAST_GAIN and max(curve) - float(member.train_scores_N.mean()) > FELL_BACK * gain


def train_arms(
    plans: Sequence[tuple[str, Plan]],
    split: Split,
    *,
    seeds: Sequence[int],
    deadline: float = math.inf,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> tuple[TrainedArm, ...]:
    """Train several plans on the same seeds, as one population.

    Args:
        plans: (name, plan) of every arm.
        split: The data.
        seeds: Shared by all arms: initial weights, batches and dropout draws are paired.
        deadline: As in :func:`goodfit.engine.training.loop.train`.
        progress: As in :func:`goodfit.engine.training.loop.train`.
        workers: As in :func:`goodfit.engine.training.loop.train`.
    """
    population = [Candidate(arm=name, seed=seed, plan=plan) for name, plan in plans for seed in seeds]
    trained = train(population, split, deadline=deadline, progress=progress, workers=workers)
    size = len(seeds)
    return tuple(
        TrainedArm(name=name, plan=plan, members=trained[i * size : (i + 1) * size])
        for i, (name, plan) in enumerate(plans)
    )


def beside(control: TrainedArm, arm: TrainedArm) -> tuple[History, ...]:
    """Histories of an arm that know how its scores of single validation rows differ from the control's.

    Two networks mostly err on the same rows, so their difference is known far better than either score.

    Args:
        control: Trained on the same seeds, in the same order.
        arm: What is set beside it.
    """
    variance_S = (arm.scores_SN("testing") - control.scores_SN("testing")).var(axis=1)
    return tuple(
        dataclasses.replace(history, variance_by_row=float(variance))
        for history, variance in zip(arm.histories, variance_S, strict=True)
    )
