"""What only a comparison of trainings can tell: too high or too low a rate, depth, noise, too few rows.

Arms are trained on the same seeds, so that differences are paired. A curve alone does not tell these apart.

Letters: S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from goodfit.diagnosis import measures
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.diagnosis.testing import MOST_ROWS, row_variance
from goodfit.engine.history import History

FEWEST_SEEDS = 3
LEVEL = 0.99
NORMAL = 2.576
LEAST_GAIN = 0.03
"""Smaller differences of a score are no reason to call one arm ill."""
LEAST_FALL = 0.3
"""Share of the final training loss that must go before noise is blamed for it."""
LEAST_FROM_ROWS = 0.02

HALF_THE_ROWS = "half the rows"
LARGER_BATCHES = "larger batches"
NO_REGULARISATION = "no regularisation"

Arms = Mapping[str, Sequence[History]]


def rate_too_low(control: Sequence[History], arms: Arms) -> Finding | None:
    """A higher rate alone trains better."""
    return _by_rate("GF123", "higher", control, _of(arms, "lr-up"))


def rate_too_high(control: Sequence[History], arms: Arms) -> Finding | None:
    """A lower rate alone trains better."""
    return _by_rate("GF122", "lower", control, _of(arms, "lr-down"))


def depth_trouble(control: Sequence[History], arms: Arms) -> Finding | None:
    """A net with fewer layers does better on TRAINING data, so capacity is not what is missing."""
    for name, histories in _of(arms, "shallower").items():
        gain, reach = _gain(control, histories, "train_score")
        if gain - reach > 0 and gain > LEAST_GAIN:
            return CATALOGUE["GF120"].finding(
                f"with fewer layers ({name}) the training score is {gain:.3f} higher "
                f"(99 % interval {gain - reach:.3f} to {gain + reach:.3f}): the deeper net holds the "
                "shallower one, but the rule does not find it",
                Evidence(what="training score, shallower minus as it is", value=gain, limit=LEAST_GAIN),
            )
    return None


def noisy_gradients(control: Sequence[History], arms: Arms) -> Finding | None:
    """Larger batches in as many steps reach a far lower training loss."""
    larger = arms.get(LARGER_BATCHES)
    if not larger or not control:
        return None
    pairs_S2 = np.array([(_last_loss(a), _last_loss(b)) for a, b in _pairs(control, larger)])
    if len(pairs_S2) < FEWEST_SEEDS or not (np.isfinite(pairs_S2).all() and (pairs_S2 > 0).all()):
        return None
    fall, reach = _mean(np.log(pairs_S2[:, 0] / pairs_S2[:, 1]))
    share = 1 - math.exp(-fall)
    if not (fall - reach > 0 and share > LEAST_FALL):
        return None
    return CATALOGUE["GF121"].finding(
        f"batches of {larger[0].batch_size} rows instead of {control[0].batch_size}, in as many steps, take "
        f"{share:.0%} of the final training loss away; limit {LEAST_FALL:.0%}",
        Evidence(what="share of the training loss that larger batches take", value=share, limit=LEAST_FALL),
    )


def too_few_rows(control: Sequence[History], arms: Arms) -> Finding | None:
    r"""Validation scores still grow with the number of rows, and as many again would let them grow further.

    What is missing to the training score falls by a power of the number of rows, so every doubling leaves
    the same share of it, :math:`q = g / (g + d)` with :math:`g` missing now and :math:`d` gained by the last
    doubling. The next one gains :math:`(1 - q) g = g d / (g + d)`.
    """
    half = arms.get(HALF_THE_ROWS)
    if not half or not control:
        return None
    gain, reach = _gain(half, control, "validation_score")
    gap = measures.over_seeds(control, lambda history: _kept(history, "train_score")) - measures.over_seeds(
        control, lambda history: _kept(history, "validation_score")
    )
    if not (gain - reach > 0 and gap > 0):
        return None
    further = gap * gain / (gap + gain)
    if not further > LEAST_FROM_ROWS:
        return None
    return CATALOGUE["GF205"].finding(
        f"from {half[0].num_rows} to {control[0].num_rows} training rows the validation score grew by "
        f"{gain:.3f} (99 % interval {gain - reach:.3f} to {gain + reach:.3f}), and {gap:.3f} is missing "
        f"to the training score: as many rows again would give about {further:.3f}",
        Evidence(what="gain from doubling the rows once more", value=further, limit=LEAST_FROM_ROWS),
        Evidence(what="lower end of the gain from the last doubling", value=gain - reach, limit=0.0),
    )


def over_regularised(control: Sequence[History], arms: Arms) -> Finding | None:
    """Without any regularisation both scores are higher."""
    free = arms.get(NO_REGULARISATION)
    if not free or not control:
        return None
    gains = [_gain(control, free, part) for part in ("train_score", "validation_score")]
    if not all(gain - reach > 0 and gain > LEAST_GAIN for gain, reach in gains):
        return None
    return CATALOGUE["GF207"].finding(
        f"without regularisation the training score is {gains[0][0]:.3f} higher and the validation score "
        f"{gains[1][0]:.3f}",
        *(
            Evidence(what=f"{part} score, without minus with regularisation", value=gain, limit=LEAST_GAIN)
            for part, (gain, _) in zip(("training", "validation"), gains, strict=True)
        ),
    )


def findings(control: Sequence[History], arms: Arms, *, question: str) -> tuple[Finding, ...]:
    """Find what the arms of a run tell about its control.

    Args:
        control: The seeds of the plan that the arms differ from.
        arms: Histories by name of arm, such as ``"lr-up 3"``, ``"shallower"`` or :data:`HALF_THE_ROWS`.
        question: ``"training"`` or ``"testing"``.

    Returns:
        Findings in the order of the catalogue.

    Example:
        >>> findings([], {}, question="training")
        ()
    """
    detectors = {
        "training": (depth_trouble, noisy_gradients, rate_too_high, rate_too_low),
        "testing": (too_few_rows, over_regularised),
    }
    return tuple(found for detect in detectors[question] if (found := detect(control, arms)))


def _by_rate(code: str, word: str, control: Sequence[History], arms: Arms) -> Finding | None:
    for histories in arms.values():
        gain, reach = _gain(control, histories, "train_score")
        if gain - reach > 0 and gain > LEAST_GAIN:
            return CATALOGUE[code].finding(
                f"at lr {histories[0].lr:g} instead of {control[0].lr:g}, nothing else changed, the training "
                f"score is {gain:.3f} higher (99 % interval {gain - reach:.3f} to {gain + reach:.3f})",
                Evidence(what=f"training score, {word} rate minus as it is", value=gain, limit=LEAST_GAIN),
            )
    return None


def _of(arms: Arms, remedy: str) -> dict[str, Sequence[History]]:
    return {name: seeds for name, seeds in arms.items() if seeds and name.split(" ")[0] == remedy}


def _pairs(control: Sequence[History], treated: Sequence[History]) -> list[tuple[History, History]]:
    by_seed = {history.seed: history for history in treated}
    return [(history, by_seed[history.seed]) for history in control if history.seed in by_seed]


def _gain(control: Sequence[History], treated: Sequence[History], part: str) -> tuple[float, float]:
    """Mean paired difference of a score and half of its interval; what diverged scores nothing.

    Training rows are all there are; validation rows stand for others, so there their number counts too.
    """
    pairs_S2 = np.array([(_score(a, part), _score(b, part)) for a, b in _pairs(control, treated)])
    if len(pairs_S2) < FEWEST_SEEDS:
        return float("nan"), float("inf")
    gain, by_seed = _mean(pairs_S2[:, 1] - pairs_S2[:, 0])
    if part == "train_score":
        return gain, by_seed
    return gain, math.hypot(by_seed, NORMAL * math.sqrt(_by_row(control, treated, pairs_S2.mean(0))))


def _by_row(control: Sequence[History], treated: Sequence[History], scores: np.ndarray) -> float:
    """Variance of a mean difference that comes from having few validation rows.

    The mean of the seeds' variances is never below that of their mean. Where arms were not set beside each
    other row by row, they count as if they had rows of their own, which is more.
    """
    first = control[0]
    known = [
        history.variance_by_row
        for pair in _pairs(control, treated)
        for history in pair
        if history.variance_by_row is not None
    ]
    if len(known) >= len(_pairs(control, treated)):
        return float(np.mean(known)) / max(1, min(first.num_validation_rows, MOST_ROWS))
    return sum(row_variance(float(score), first.num_validation_rows, first.metric) for score in scores)


def _mean(gain_S: np.ndarray) -> tuple[float, float]:
    t = float(stdtrit(len(gain_S) - 1, (1 + LEVEL) / 2))
    return float(gain_S.mean()), t * float(gain_S.std(ddof=1)) / math.sqrt(len(gain_S))


def _score(history: History, part: str) -> float:
    value = _kept(history, part)
    return value if math.isfinite(value) and history.ending != "diverged" else 0.0


def _kept(history: History, part: str) -> float:
    """Score of the weights that were kept."""
    curve = getattr(history, part)
    if history.ending == "stopped early" and history.best_epoch in history.epochs:
        value = curve[history.epochs.index(history.best_epoch)]
        return float("nan") if value is None else value
    return measures.final(curve)


def _last_loss(history: History) -> float:
    return measures.typical(measures.array(history.train_loss)[-3:])
