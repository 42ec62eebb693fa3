"""Where training stands: beside a guess, and beside references. Other modules turn this into findings."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from goodfit.watch.observation import Comparison, Observation
from goodfit.watch.uses import LossUse

KEPT_BY_GUESSING = 0.97
KEPT_WITHOUT_HOPE = 0.995
"""Where references fail too, a small gain may be all there is."""
MOST_ERROR = 0.03
"""Standard error of the last loss, over a guess's, that may speak for guessing at most."""
WELL_LEARNT = 0.1
FEWEST_STEPS = 20
NUM_ERRORS = 3.0
TINY = 1e-9
"""A guess that is never wrong leaves nothing to be learnt."""
STILL_FALLING = 0.03
LEAST_LEAD = 0.1
WAY_LEFT = 1 / 3
"""Of the way from a guess to the best reference, in accuracy: a network that has gone the rest learns."""


def main_loss(observation: Observation) -> LossUse | None:
    """Return the loss, if there is one loss and one optimizer; several play a game of their own."""
    if len(observation.losses) != 1 or len(observation.optimizers) != 1:
        return None
    return observation.losses[0]


def ending(use: LossUse) -> float:
    """Mean of the last tenth of a loss, at least of its last three values."""
    last = _last(use)
    return math.fsum(last) / len(last) if last else math.nan


def ending_error(use: LossUse) -> float:
    """Standard error of that mean; infinite with a single value."""
    last = _last(use)
    return statistics.stdev(last) / math.sqrt(len(last)) if len(last) > 1 else math.inf


def _last(use: LossUse) -> Sequence[float]:
    return use.curve[-max(3, len(use.curve) // 10) :]


def kept(observation: Observation) -> float:
    """Loss at the end over that of an answer that ignores the inputs; NaN if either is unknown."""
    use = main_loss(observation)
    if use is None or use.guess is None or use.guess < TINY:
        return math.nan
    return ending(use) / use.guess


def lead(found: Comparison) -> float:
    """Score by which the best reference is ahead of the network, on training rows and on others."""
    return max(found.linear, found.neighbours) - best_score(found)


def best_score(found: Comparison) -> float:
    """The network's better score: dropout and the like hold down the one in training."""
    return found.network if found.validation is None else max(found.network, found.validation)


def is_hopeless(observation: Observation) -> bool:
    """Whether references do no better than a guess either."""
    found = observation.comparison
    return found is not None and max(found.linear, found.neighbours) < found.guess + margin(found)


def margin(found: Comparison) -> float:
    """Lead that is beyond chance, by the finite rows of both scores."""
    if found.task == "numbers":
        return LEAST_LEAD
    best = max(found.linear, found.neighbours)
    variances = [
        score * (1 - score) / rows
        for score, rows in ((best, found.num_rows), (best_score(found), found.num_answers))
    ]
    return max(LEAST_LEAD, NUM_ERRORS * math.sqrt(max(0.0, math.fsum(variances))))


def least_lead(found: Comparison) -> float:
    """Lead from which a network is behind; R squared is a share of the way by itself, accuracy is not."""
    if found.task == "numbers":
        return margin(found)
    best = max(found.linear, found.neighbours)
    return max(margin(found), WAY_LEFT * (best - found.guess))


def is_guessing(observation: Observation) -> bool:
    """Whether the loss ended within a standard error of what an answer that ignores the inputs has.

    A script that was cut off is not judged: healthy networks stay long on a plateau, too.
    """
    use = main_loss(observation)
    if use is None or not use.guess or use.num_calls < FEWEST_STEPS or not observation.is_whole:
        return False
    limit = KEPT_WITHOUT_HOPE if is_hopeless(observation) else KEPT_BY_GUESSING
    return kept(observation) + min(MOST_ERROR, ending_error(use) / use.guess) >= limit


def is_behind(observation: Observation) -> bool:
    """Whether references are ahead beyond chance, on rows of the training."""
    found = observation.comparison
    if found is None or not observation.is_whole:
        return False
    best = max(found.linear, found.neighbours)
    return lead(found) > least_lead(found) and best > found.guess + margin(found)


def fall(use: LossUse) -> float:
    """Fall of a loss from the first half of its calls to the second, as a share of the first."""
    half = len(use.curve) // 2
    if not half:
        return 0.0
    before, after = (math.fsum(part) / len(part) for part in (use.curve[:half], use.curve[half:]))
    return (before - after) / abs(before) if before else 0.0


def is_stuck(observation: Observation) -> bool:
    """Whether a loss written by hand ended no lower than it began; of such a loss no more is known."""
    curve = observation.objective
    if observation.losses or len(observation.optimizers) != 1 or not observation.is_whole:
        return False
    if len(curve) < FEWEST_STEPS:
        return False
    size = max(3, len(curve) // 10)
    return math.fsum(curve[-size:]) >= math.fsum(curve[:size])


def is_poor(observation: Observation) -> bool:
    """Whether training was not good."""
    is_bad = is_guessing(observation) or is_behind(observation) or is_stuck(observation)
    return is_bad or observation.nonfinite is not None


def is_unfinished(observation: Observation) -> bool:
    """Whether training was poor, or left a fair part of a guess's loss while references do better."""
    found = observation.comparison
    is_half_behind = found is not None and lead(found) > least_lead(found) / 2
    return is_poor(observation) or (is_half_behind and is_second(observation))


def is_second(observation: Observation) -> bool:
    """Whether references do better at all, and a fair part of a guess's loss is left."""
    found = observation.comparison
    is_left = kept(observation) > WELL_LEARNT and observation.is_whole
    return found is not None and lead(found) > 0 and is_left
