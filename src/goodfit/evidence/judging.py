"""What a measured effect shows, among all that were asked for and beside what is a difference at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goodfit.evidence.verdict import Interval, Outcome

SMALLEST_SHARE = 1e-3
"""Of an error: a smaller change of it is none."""


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    r"""Correct p-values for the number of questions asked.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})

    Args:
        p_values: One per treatment, in any order.

    Returns:
        The corrected values in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)

    Reference:
        Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6, 1979.
    """
    p_M = np.asarray(p_values, dtype=float)
    order = np.argsort(p_M, kind="stable")
    steps = np.minimum(1.0, np.arange(len(p_M), 0, -1) * p_M[order])
    adjusted_M = np.empty_like(p_M)
    adjusted_M[order] = np.maximum.accumulate(steps)
    return tuple(adjusted_M.tolist())


def judge(interval: Interval, p_adjusted: float, *, smallest: float = 0.0, alpha: float = 0.05) -> Outcome:
    """Say what a trial has shown.

    Args:
        interval: The effect, higher is better.
        p_adjusted: Corrected p-value.
        smallest: Effect up to which a difference is none, however sure it is.
        alpha: Share of false alarms that is accepted over all treatments of a round.

    Example:
        >>> judge(Interval(value=0.2, low=0.1, high=0.3, level=0.95), 0.01)
        'helped'
    """
    if not p_adjusted <= alpha or abs(interval.value) <= smallest:
        return "not shown"
    return "helped" if interval.value > 0 else "harmed"


def smallest_effect(control: float) -> float:
    """Tell up to which effect a difference is none: a thousandth of the error, or of a score nearer to zero.

    Two trainings that come to the same standstill may differ in the seventh digit, and on all seeds alike.

    Example:
        >>> round(smallest_effect(0.98), 7), round(smallest_effect(-1.65), 7)
        (2e-05, 0.00165)
    """
    return SMALLEST_SHARE * min(abs(1 - control), abs(control))


def is_ahead(effect: Interval, control: float) -> bool:
    """Whether a whole interval lies above what is a difference at all.

    Example:
        >>> is_ahead(Interval(value=2e-7, low=1e-7, high=3e-7, level=0.95), control=0.5)
        False
    """
    return effect.low > smallest_effect(control)
