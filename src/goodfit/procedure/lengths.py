"""How long trials last: short at first, and longer once their shortness alone may be to blame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from goodfit.engine.history import History
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import Question, TrainedArm
from goodfit.procedure.costs import Costs

SEEDS_OF_HEATS = 6
"""Where most arms of a trial leave after a seed or two, those that stay may have more. Trials have them once
they are lengthened: the large effects of the first rounds need neither the epochs nor the seeds."""
WORTH_LENGTHENING = 1.3
LONG_TRAININGS = 60
"""Trainings that the time left must hold once trials are longer: two rounds in heats, and a half."""
STEEPEST = 2.0
"""Power of the epochs by which an error may be expected to fall; what falls faster is about to arrive."""


def longer_epochs(arm: TrainedArm, costs: Costs, *, shortening: float) -> int:
    """Tell how many epochs longer trials may have; 0 if none were short or no time is left for longer ones.

    Args:
        arm: The plan so far, trained.
        costs: What trials cost.
        shortening: Epochs of a trial over the epochs that the plan asks for.
    """
    if not costs.in_heats or shortening == 1:
        return 0
    arms = LONG_TRAININGS / len(arm.members)
    possible = int(costs.case.budget.left_for_trials() / arms / costs.of_epoch(arm.plan, arm))
    epochs = min(possible, unshortened(arm.plan.epochs, shortening))
    return epochs if epochs >= WORTH_LENGTHENING * arm.plan.epochs else 0


def with_epochs(plan: Plan, epochs: int) -> Plan:
    """Train a plan for another number of epochs, its patience in proportion."""
    patience = plan.patience
    if patience is not None:
        patience = max(3, round(patience * epochs / plan.epochs))
    return dataclasses.replace(plan, epochs=epochs, patience=patience)


def unshortened(epochs: float, shortening: float) -> int:
    """Tell the epochs of a whole training that a trial stands for."""
    return round(epochs / shortening)


def of_any_length(plan: Plan) -> Plan:
    """Take from a plan what may change while it is on its way: its epochs, its patience, and the vote."""
    return dataclasses.replace(plan, epochs=1, patience=None, ensemble=False)


def projected_score(histories: Sequence[History], *, epochs: int, question: Question = "training") -> float:
    r"""Project a score to a longer training, by the power law that its last half followed.

    .. math:: 1 - s(T) = (1 - s(t)) \left(\frac{t}{T}\right)^a,
        \quad a = \frac{\log (1 - s(t/2)) - \log (1 - s(t))}{\log 2}

    Args:
        histories: Of all seeds of an arm; their scores are at most 1.
        epochs: The longer training's.
        question: Which score: ``"training"`` or ``"testing"``, the latter on validation rows.

    Returns:
        The mean over seeds; a score that did not rise is projected to stay.

    Reference:
        Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017, arXiv:1712.00409.
    """
    curves = [
        (history.epochs, history.train_score if question == "training" else history.validation_score)
        for history in histories
    ]
    return sum(_projected(*curve, longer=epochs) for curve in curves) / len(curves)


def _projected(epochs: Sequence[int], scores: Sequence[float | None], *, longer: int) -> float:
    last, end = epochs[-1], scores[-1]
    if last < 2 or end is None or not math.isfinite(end) or end >= 1:
        return float(end) if end is not None and math.isfinite(end) else -math.inf
    place = min(range(len(epochs)), key=lambda i: abs(epochs[i] - last / 2))
    middle, half = scores[place], epochs[place]
    if not half or half == last or middle is None or not middle < end:
        return end
    power = min(STEEPEST, math.log((1 - middle) / (1 - end)) / math.log(last / half))
    return float(1 - (1 - end) * (last / longer) ** power)
