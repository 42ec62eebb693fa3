"""Heats: every arm runs with the first seed, and only those that may still win run with the others.

Where one network fills the machine, all seeds of an arm cost as many times one seed, and of a dozen remedies
one enters the plan. An arm that leaves is not judged, so leaving cannot make a remedy look proven.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from goodfit.data.split import Split
from goodfit.engine.loop import Progress
from goodfit.engine.plan import Plan
from goodfit.engine.workers import Workers
from goodfit.evidence.arms import Question, TrainedArm, train_arms
from goodfit.evidence.statistics import paired_effect

MOST_ON = 3
"""Arms that go on at most."""
BEATEN = 0.01
"""Chance, over rows, below which an arm is beaten by the best one or by the control."""


def train_in_heats(
    plans: Sequence[tuple[str, Plan]],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    deadline: float = math.inf,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> tuple[TrainedArm, ...]:
    """Train every arm with the control's first seed, and with its other seeds those that may still win.

    Args:
        plans: (name, plan) of every arm.
        control: The untreated arm; its seeds are those of the others.
        split: The data.
        question: Decides the rows on which arms are compared.
        deadline: As in :func:`goodfit.engine.loop.train`.
        progress: As in :func:`goodfit.engine.loop.train`.
        workers: As in :func:`goodfit.engine.loop.train`.

    Returns:
        The arms in the order given: one member for those that left, one a seed for the others.
    """
    if not plans:
        return ()
    seeds = [member.candidate.seed for member in control.members]
    heat = 1 / (len(seeds) * relative_cost(len(plans), num_seeds=len(seeds)))
    train = functools.partial(train_arms, split=split, deadline=deadline, workers=workers)
    arms = list(train(plans, seeds=seeds[:1], progress=_part(progress, 0.0, heat)))
    going_on = who_goes_on(arms, control, question)
    wanted = [plans[place] for place in going_on]
    others = train(wanted, seeds=seeds[1:], progress=_part(progress, heat, 1.0)) if wanted else ()
    for place, rest in zip(going_on, others, strict=True):
        arms[place] = dataclasses.replace(rest, members=(*arms[place].members, *rest.members))
    return tuple(arms)


def relative_cost(num_arms: int, *, num_seeds: int) -> float:
    """Tell what arms cost in heats at most, over what they cost on all seeds.

    Example:
        >>> relative_cost(3, num_seeds=4), relative_cost(12, num_seeds=4)
        (1.0, 0.4375)
    """
    return (num_arms + min(num_arms, MOST_ON) * (num_seeds - 1)) / (num_arms * num_seeds)


def who_goes_on(arms: Sequence[TrainedArm], control: TrainedArm, question: Question) -> list[int]:
    """Choose, from their first seed, the arms that may still win: places in the order given.

    An arm leaves if the best arm or the control is better beyond the chance of its rows, and the
    best few of the others stay.
    """
    first = [arm.scores_SN(question)[:1] for arm in arms]
    best_first = sorted(range(len(arms)), key=lambda place: -float(first[place].mean()))
    rivals = [control.scores_SN(question)[:1], first[best_first[0]]]
    staying = [place for place in best_first if not any(_beats(rival, first[place]) for rival in rivals)]
    return sorted(staying[:MOST_ON])


def _beats(rival_1N: np.ndarray, scores_1N: np.ndarray) -> bool:
    effect, p_value = paired_effect(scores_1N, rival_1N)
    return effect.value > 0 and p_value < BEATEN


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    return None if progress is None else lambda fraction: progress(start + (end - start) * fraction)
