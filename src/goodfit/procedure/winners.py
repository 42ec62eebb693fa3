"""Which treatment of a trial enters the plan, and which deserve another one."""

from __future__ import annotations

import math

from goodfit.evidence.heats import too_dear, worth_of
from goodfit.evidence.judging import is_ahead
from goodfit.evidence.trial import Trial
from goodfit.recipe.remedy import Treatment


def best_of(trial: Trial, *, are_dear: bool = False, bar: float = math.inf) -> int | None:
    """Choose the place of the proven treatment with the best result; ``None`` if nothing is proven.

    Args:
        trial: The trial.
        are_dear: Whether trainings are dear: a remedy then loses against one that has nearly its effect in
            a fraction of its time, and of those that reach the bar on training data the one that is best on
            validation rows wins, since few rounds are left.
        bar: Training score that is enough.
    """
    helped = {place: v for place, v in enumerate(trial.verdicts) if v.outcome == "helped"}
    if not helped:
        return None
    if are_dear:
        effects = [verdict.effect.value for verdict in helped.values()]
        dear = too_dear(effects, [verdict.seconds for verdict in helped.values()])
        helped = {place: v for i, (place, v) in enumerate(helped.items()) if i not in dear}
    if not are_dear:
        # of equals the one of fewer parts: what one remedy repairs should be said so
        return max(
            helped,
            key=lambda place: (round(helped[place].treated, 3), -len(helped[place].steps), -place),
        )
    worth = {place: _worth(trial, place, bar) for place in helped}
    return max(helped, key=lambda place: (round(worth[place][0], 3), worth[place][1], -place))


def _worth(trial: Trial, place: int, bar: float) -> tuple[float, float]:
    verdict = trial.verdicts[place]
    if not trial.treatments[
        place
    ].remedy.trains:  # its arm is the control's, and only the verdict knows its score
        return verdict.treated, 0.0
    return worth_of(trial.arms[place], verdict.question, bar)


def ahead_on_leaving(trial: Trial, *, num_seeds: int) -> list[Treatment]:
    """List who left a trial in heats ahead of the control, if none of those that went on is shown to help.

    Who leads with one seed may fail with the others, and then another of those would have won.

    Args:
        trial: The trial.
        num_seeds: Seeds of those that went on; a second look may have given some of them more.
    """
    if any(verdict.outcome == "helped" for verdict in trial.verdicts):
        return []
    return [
        treatment
        for treatment, verdict in zip(trial.treatments, trial.verdicts, strict=True)
        if treatment.remedy.trains
        and verdict.num_seeds < num_seeds
        and is_ahead(verdict.effect, verdict.control)
    ]
