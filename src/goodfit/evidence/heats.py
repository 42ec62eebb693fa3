"""Heats: every arm runs with the first seed, and only those that may still win run with the others.

Where one network fills the machine, all seeds of an arm cost as many times one seed, and of a dozen remedies
one enters the plan. An arm that leaves is not judged, so leaving cannot make a remedy look proven.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from goodfit.data.split import Split
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import Progress
from goodfit.engine.training.workers import Workers
from goodfit.evidence.arms import Question, TrainedArm, train_arms
from goodfit.evidence.statistics import paired_effect

MOST_ON = (4, 2)
"""Arms that go on at most: to the second seed, and to all others (Jamieson & Talwalkar, "Non-stochastic best
arm identification and hyperparameter optimization", AISTATS 2016, halve them likewise)."""
BEATEN = 0.01
"""Chance, over seeds and rows, below which an arm is beaten by the best one or by the control."""
NEARLY_ALL = 0.95
DEAR = 2.0
"""Share of the best effect that is enough for an arm to be preferred to those this many times as slow."""


def train_in_heats(
    plans: Sequence[tuple[str, Plan]],
    control: TrainedArm,
    split: Split,
    *,
    question: Question,
    bar: float = math.inf,
    begun: Sequence[TrainedArm] = (),
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
        bar: Training score that is enough, see :func:`who_goes_on`.
        begun: Arms that left earlier heats; the seeds they have are not trained again.
        deadline: As in :func:`goodfit.engine.training.loop.train`.
        progress: As in :func:`goodfit.engine.training.loop.train`.
        workers: As in :func:`goodfit.engine.training.loop.train`.

    Returns:
        The arms in the order given: one or two members for those that left, one a seed for the others.
    """
    seeds = [member.candidate.seed for member in control.members]
    known = {arm.name: arm.members for arm in begun}
    train = functools.partial(train_arms, split=split, deadline=deadline, workers=workers)
    arms = [TrainedArm(name=name, plan=plan, members=()) for name, plan in plans]
    going_on = list(range(len(plans)))
    for heat, (start, end) in zip(_heats(len(seeds)), _parts(len(plans), len(seeds)), strict=True):
        if heat.start:
            going_on = who_goes_on(arms, control, question, most=_most(heat), among=going_on, bar=bar)
        if not going_on:
            break
        lacking = [place for place in going_on if len(known.get(arms[place].name, ())) < heat.stop]
        wanted = [plans[place] for place in lacking]
        trained = train(wanted, seeds=seeds[heat], progress=_part(progress, start, end))
        rest = {place: known[arms[place].name][heat] for place in going_on if place not in lacking}
        rest |= {place: arm.members for place, arm in zip(lacking, trained, strict=True)}
        for place in going_on:
            arms[place] = dataclasses.replace(arms[place], members=(*arms[place].members, *rest[place]))
    return tuple(arms)


def relative_cost(num_arms: int, *, num_seeds: int) -> float:
    """Tell what arms cost in heats at most, over what they cost on all seeds.

    Example:
        >>> relative_cost(2, num_seeds=4), relative_cost(12, num_seeds=4)
        (1.0, 0.4166666666666667)
    """
    return sum(_trainings(num_arms, num_seeds)) / (num_arms * num_seeds)


def who_goes_on(
    arms: Sequence[TrainedArm],
    control: TrainedArm,
    question: Question,
    *,
    most: int,
    among: Sequence[int] | None = None,
    bar: float = math.inf,
) -> list[int]:
    """Choose, from the seeds they have so far, the arms that may still win: places in the order given.

    An arm leaves if the best arm or the control is better beyond the chance of seeds and rows, or if an
    arm has nearly the same effect in a fraction of the time. The best few of the others stay. Training scores
    that reach the bar are all as good: of such arms none beats another, and the best is the one that is best
    on validation rows.

    Args:
        arms: All arms of the trial.
        control: The untreated arm.
        question: Decides the rows.
        most: How many may stay.
        among: Places of those that are still there, all with the same seeds; all arms by default.
        bar: Training score that is enough.
    """
    places = list(range(len(arms)) if among is None else among)
    scores = {place: arms[place].scores_SN(question) for place in places}
    before_SN = control.scores_SN(question)[: len(scores[places[0]])]
    effects = [float(scores[place].mean() - before_SN.mean()) for place in places]
    dear = [places[i] for i in too_dear(effects, [arms[place].seconds for place in places])]
    # who is too dear leaves first: the best of the others must not lose against it, or none would be left
    worth = {place: worth_of(arms[place], question, bar) for place in {*places} - {*dear}}
    best_first = sorted(worth, key=lambda place: (-worth[place][0], -worth[place][1], place))
    rivals = (before_SN, scores[best_first[0]])
    beaten = {
        place
        for place in best_first
        if worth[place][0] < bar and any(_beats(rival, scores[place]) for rival in rivals)
    }
    return sorted([place for place in best_first if place not in beaten][:most])


def worth_of(arm: TrainedArm, question: Question, bar: float) -> tuple[float, float]:
    """Tell how good an arm is: its score, on training data the bar at most, and then its validation score."""
    score = float(arm.scores_SN(question).mean())
    if question == "testing":
        return score, 0.0
    return min(score, bar), float(arm.scores_SN("testing").mean())


def too_dear(effects: Sequence[float], seconds: Sequence[float]) -> list[int]:
    """Find the arms for which another has nearly the effect of the best one in a fraction of their time.

    Example:
        >>> too_dear([0.80, 0.78, 0.10], [24.0, 8.0, 1.0])
        [0]
    """
    enough = NEARLY_ALL * max(effects, default=0.0)
    cheapest = min((s for e, s in zip(effects, seconds, strict=True) if e >= enough > 0), default=math.inf)
    return [place for place, s in enumerate(seconds) if s > DEAR * cheapest]


def _heats(num_seeds: int) -> list[slice]:
    ends = sorted({*range(min(len(MOST_ON), num_seeds) + 1), num_seeds})
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def _most(heat: slice) -> int:
    return MOST_ON[heat.start - 1]


def _trainings(num_arms: int, num_seeds: int) -> list[int]:
    """Trainings of every heat, if as many arms as may go on do."""
    return [
        min(num_arms, _most(heat) if heat.start else num_arms) * (heat.stop - heat.start)
        for heat in _heats(num_seeds)
    ]


def _parts(num_arms: int, num_seeds: int) -> list[tuple[float, float]]:
    """Where every heat begins and ends, as shares of the whole."""
    ends = [0.0, *itertools.accumulate(_trainings(num_arms, num_seeds))]
    return [(start / max(1, ends[-1]), end / max(1, ends[-1])) for start, end in itertools.pairwise(ends)]


def _beats(rival_SN: np.ndarray, scores_SN: np.ndarray) -> bool:
    effect, p_value = paired_effect(scores_SN, rival_SN)
    return effect.value > 0 and p_value < BEATEN


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    return None if progress is None else lambda fraction: progress(start + (end - start) * fraction)
