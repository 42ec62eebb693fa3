r"""What numbers of a few trainings on a few rows can show.

A score comes from a network (its seed) and a row; both are drawn by chance, and an honest interval counts
both.
Letters: S seeds, N rows, M rows of a second part.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.special import stdtr, stdtrit

from goodfit.evidence.bootstrap import bootstrap_interval, unanimous_interval
from goodfit.evidence.verdict import Interval

__all__ = ["bootstrap_interval", "gap_interval", "mean_interval", "paired_effect", "seed_share"]

FEWEST_RELATED = 3
"""Seeds from which errors are compared by their ratios; fewer tell nothing of how they spread."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Estimate:
    """A mean with its variance and the degrees of freedom behind that variance."""

    value: float
    variance: float
    freedom: float

    def interval(self, level: float) -> Interval:
        reach = 0.0
        if self.variance > 0:
            reach = -float(stdtrit(self.freedom, (1 - level) / 2)) * math.sqrt(self.variance)
        return Interval(value=self.value, low=self.value - reach, high=self.value + reach, level=level)


def paired_effect(
    control_SN: np.ndarray, treated_SN: np.ndarray, *, level: float = 0.95
) -> tuple[Interval, float]:
    r"""Measure what a treatment changed, with its interval and two-sided p-value.

    .. math:: \mathrm{Var}(\bar d) = \frac{M_S + M_N - M_{SN}}{SN}

    where :math:`M_S, M_N, M_{SN}` are the mean squares of the differences over seeds, over rows and of what
    is left, as in a two-way analysis of variance with both ways random. Degrees of freedom are by
    Satterthwaite, at most :math:`(\min(S, N) - 1)^2`: with two or three seeds a seed variance that looks
    small is mostly luck.
    With one seed the rows alone speak, with one row the seeds alone.

    From three seeds on the p-value is that of the relative effect: of :math:`\log (1 - \bar s)` of every
    seed, linearised row by row, with the same variance. Remedies divide errors: one seed that began with ten
    times the error of the others gains ten times as much, and on the scale of differences hides that all
    gained. Where an error is not above zero (scores beyond 1) differences decide.

    Args:
        control_SN: Score of every seed on every row, untreated.
        treated_SN: The same seeds and rows, treated.
        level: Coverage of the interval.

    Returns:
        The interval of treated minus control, and the p-value. Arms that agree everywhere give 1. Arms that
        differ by the same amount everywhere leave no variance; their p-value is that of the sign test.

    Example:
        >>> control = np.array([[0, 0, 1, 0, 1, 0], [0, 1, 1, 0, 0, 0]])
        >>> effect, p_value = paired_effect(control, np.ones((2, 6)))
        >>> round(effect.value, 3), p_value < 0.05
        (0.667, False)

    Reference:
        Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics 2, 1946.
    """
    difference_SN = np.asarray(treated_SN, dtype=float) - np.asarray(control_SN, dtype=float)
    effect = _mean(difference_SN)
    relative_SN = _relative_gains(control_SN, treated_SN)
    judged = effect if relative_SN is None else _mean(relative_SN)
    return effect.interval(level), _p_value(judged, count=max(difference_SN.shape))


def seed_share(control_SN: np.ndarray, treated_SN: np.ndarray) -> float:
    """Tell what share of the variance of an effect comes from the seeds, and so falls with more of them.

    Example:
        >>> rows_agree = np.array([[0.0, 0.0], [1.0, 1.0]])
        >>> seed_share(np.zeros((2, 2)), rows_agree), seed_share(np.zeros((2, 2)), rows_agree.T)
        (1.0, 0.0)
    """
    by_seed, by_row, rest = _mean_squares(np.asarray(treated_SN, float) - np.asarray(control_SN, float))
    seeds, rows = max(0.0, by_seed - rest), max(0.0, by_row - rest)
    return float(seeds / (seeds + rows)) if seeds + rows > 0 else 0.0


def mean_interval(score_SN: np.ndarray, level: float = 0.95) -> Interval:
    """Measure the mean score of one arm, its interval counting seeds and rows as in :func:`paired_effect`.

    Example:
        >>> mean_interval(np.array([[1.0, 0.0, 1.0, 1.0]])).value
        0.75
    """
    score_SN = np.asarray(score_SN, dtype=float)
    estimate = _mean(score_SN)
    if estimate.variance == 0:
        return unanimous_interval(estimate.value, score_SN.shape[1], level=level)
    return estimate.interval(level)


def gap_interval(train_SN: np.ndarray, validation_SM: np.ndarray, *, level: float = 0.95) -> Interval:
    """Measure how far validation scores lie below training scores of the same seeds.

    The rows of the two parts are different rows, so only the seeds are paired.

    Args:
        train_SN: Score of every seed on training rows.
        validation_SM: Score of the same seeds on validation rows.
        level: Coverage.

    Returns:
        The interval of training minus validation.

    Example:
        >>> train, validation = np.ones((3, 50)), np.tile([1.0, 0.0], (3, 25))
        >>> gap = gap_interval(train, validation)
        >>> gap.value, gap.low > 0.3
        (0.5, True)
    """
    train_SN, validation_SM = np.asarray(train_SN, dtype=float), np.asarray(validation_SM, dtype=float)
    gap_S = train_SN.mean(1) - validation_SM.mean(1)
    parts = [_row_share(train_SN), _row_share(validation_SM)]
    if len(gap_S) > 1:
        parts.append((float(gap_S.var(ddof=1)) / len(gap_S), len(gap_S) - 1))
    variance = sum(part for part, _ in parts)
    squares = sum(part**2 / freedom for part, freedom in parts if part > 0)
    freedom = variance**2 / squares if squares else 1.0
    return _Estimate(value=float(gap_S.mean()), variance=variance, freedom=freedom).interval(level)


def _mean(d_SN: np.ndarray) -> _Estimate:
    num_seeds, num_rows = d_SN.shape
    value = float(d_SN.mean())
    seed_S, row_N = d_SN.mean(1) - value, d_SN.mean(0) - value
    if min(num_seeds, num_rows) == 1:
        deviation = row_N if num_seeds == 1 else seed_S
        count = len(deviation)
        spread = float(deviation @ deviation) / max(1, count - 1)
        return _Estimate(value=value, variance=_settled(spread, d_SN) / count, freedom=max(1, count - 1))
    freedoms = _freedoms(d_SN)
    by_seed, by_row, rest = means = _mean_squares(d_SN)
    total = max(by_seed + by_row - rest, by_seed, by_row)
    if _settled(total, d_SN) == 0:
        return _Estimate(value=value, variance=0.0, freedom=1.0)
    satterthwaite = total**2 / float((means**2 / freedoms).sum())
    cap = (min(num_seeds, num_rows) - 1) ** 2
    return _Estimate(value=value, variance=total / d_SN.size, freedom=max(1.0, min(satterthwaite, cap)))


def _relative_gains(control_SN: np.ndarray, treated_SN: np.ndarray) -> np.ndarray | None:
    """Share the log ratio of each seed's errors out among its rows; ``None`` where there is none to share."""
    if len(control_SN) < FEWEST_RELATED or control_SN.shape[1] == 1:
        return None
    shares = []
    for score_SN in (control_SN, treated_SN):
        error_SN = 1 - np.asarray(score_SN, dtype=float)
        # half an error in one row more, so that none is not infinitely better than one
        error_S1 = (error_SN.sum(1, keepdims=True) + 0.5) / (error_SN.shape[1] + 1)
        if not (error_S1 > 0).all():
            return None
        shares.append(np.log(error_S1) + (error_SN - error_SN.mean(1, keepdims=True)) / error_S1)
    return shares[0] - shares[1]


def _freedoms(d_SN: np.ndarray) -> np.ndarray:
    seeds, rows = (size - 1 for size in d_SN.shape)
    return np.array([seeds, rows, seeds * rows])


def _mean_squares(d_SN: np.ndarray) -> np.ndarray:
    """Mean squares over seeds, over rows, and of what is left."""
    num_seeds, num_rows = d_SN.shape
    value = d_SN.mean()
    seed_S, row_N = d_SN.mean(1) - value, d_SN.mean(0) - value
    rest_SN = d_SN - value - seed_S[:, None] - row_N
    squares = np.array([num_rows * (seed_S @ seed_S), num_seeds * (row_N @ row_N), (rest_SN**2).sum()])
    return squares / _freedoms(d_SN)


def _settled(variance: float, d_SN: np.ndarray) -> float:
    """Variance that is only rounding is none."""
    return 0.0 if variance <= (1e-12 * np.abs(d_SN).max()) ** 2 else variance


def _p_value(effect: _Estimate, *, count: int) -> float:
    if effect.variance > 0:
        return float(2 * stdtr(effect.freedom, -abs(effect.value) / math.sqrt(effect.variance)))
    return 1.0 if effect.value == 0 else 2.0 ** (1 - count)


def _row_share(score_SN: np.ndarray) -> tuple[float, int]:
    """Variance of the mean that comes from the rows, with its degrees of freedom."""
    num_rows = score_SN.shape[1]
    if num_rows == 1:
        return 0.0, 1
    return float(score_SN.mean(0).var(ddof=1)) / num_rows, num_rows - 1
