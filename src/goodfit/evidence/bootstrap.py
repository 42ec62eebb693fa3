"""The bootstrap interval of one network's score on rows it never saw.

Letters: N rows, B resamples, C columns that are averaged.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from goodfit.evidence.verdict import Interval

MOST_BLOCKS = 20_000
"""Rows that are resampled one by one; more rows are averaged in this many random blocks first."""
CHUNK = 4_000_000
"""Resampled entries held in memory at once."""


def bootstrap_interval(
    scores_N: np.ndarray,
    *,
    targets_N: np.ndarray | None = None,
    weight_N: np.ndarray | None = None,
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    r"""Measure the score of one network with a bootstrap interval over rows (bias-corrected, accelerated).

    Args:
        scores_N: Score of every row: right or wrong, or :math:`1 - (y - \hat y)^2 / \mathrm{Var}(y)`.
        targets_N: The numbers to be predicted, in any unit. With them R squared is resampled as the ratio it
            is; without, their spread is taken as known, and 95 % intervals of R squared hold it only in 70
            to 80 % of cases.
        weight_N: How often each row counts, where the scores are linearised by it. A score that is the same
            on every row is then bounded by as many rows as would tell as much if they all counted alike,
            :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.
        level: Coverage.
        num_resamples: How often the rows are drawn again.
        seed: Of the draws.

    Returns:
        The mean score with its interval. Where every answer is right (or wrong) there is nothing to resample
        and the end away from it is the exact binomial bound.

    Example:
        >>> low_end = bootstrap_interval(np.ones(100)).low
        >>> round(low_end, 3)
        0.964

    Reference:
        Efron, "Better bootstrap confidence intervals", JASA 82, 1987; Kish, "Survey Sampling", 1965, section
        11.7 (rows that tell as much).
    """
    scores_N = np.asarray(scores_N, dtype=float)
    value = float(scores_N.mean())
    if np.ptp(scores_N) == 0:
        num_rows: float = len(scores_N)
        if weight_N is not None:
            num_rows = float(weight_N.sum() ** 2 / (weight_N**2).sum())
        return unanimous_interval(value, num_rows, level=level)
    columns_NC = _columns(scores_N, targets_N)
    blocks_NC = _blocks(columns_NC, seed)
    drawn_B = np.sort(_ratio(_resampled(blocks_NC, num_resamples, seed)))
    centre = float(_ratio(blocks_NC.mean(0)))
    tails = _adjusted_tails(drawn_B, centre, _influence(blocks_NC, centre), level)
    # blocks may leave out a few rows, so the ends are moved to the mean of all
    low, high = (float(end) + value - centre for end in np.quantile(drawn_B, tails))
    return Interval(value=value, low=min(low, value), high=max(high, value), level=level)


def unanimous_interval(value: float, num_rows: float, *, level: float = 0.95) -> Interval:
    """Bound a score that is the same on every row.

    Args:
        value: The score. Where it is 1 (every answer right) or 0 the other end is the exact binomial bound;
            any other value has no spread to learn from and stays a point.
        num_rows: Rows it was measured on.
        level: Coverage.

    Example:
        >>> round(unanimous_interval(1.0, 100).low, 3)
        0.964

    Reference:
        Clopper & Pearson, "The use of confidence or fiducial limits", Biometrika 26, 1934.
    """
    bound = ((1 - level) / 2) ** (1 / num_rows)
    low, high = {1.0: (bound, 1.0), 0.0: (0.0, 1 - bound)}.get(value, (value, value))
    return Interval(value=value, low=low, high=high, level=level)


def _columns(scores_N: np.ndarray, targets_N: np.ndarray | None) -> np.ndarray:
    """What is averaged for the score: the score itself, or loss, target and its square for R squared."""
    if targets_N is None:
        return scores_N[:, None]
    y_N = np.asarray(targets_N, dtype=float)
    y_N = (y_N - y_N.mean()) / y_N.std()
    return np.stack([1 - scores_N, y_N, y_N**2], axis=1)


def _ratio(means_BC: np.ndarray) -> np.ndarray:
    if means_BC.shape[-1] == 1:
        return means_BC[..., 0]
    spread_B = np.maximum(means_BC[..., 2] - means_BC[..., 1] ** 2, 1e-12)
    return 1 - means_BC[..., 0] / spread_B


def _influence(rows_NC: np.ndarray, centre: float) -> np.ndarray:
    """First-order change of the score when a row's weight grows."""
    if rows_NC.shape[1] == 1:
        return rows_NC[:, 0] - centre
    mean, square = rows_NC[:, 1:].mean(0)
    away_N = (rows_NC[:, 1] - mean) ** 2
    return -(rows_NC[:, 0] - (1 - centre) * away_N) / (square - mean**2)


def _blocks(rows_NC: np.ndarray, seed: int) -> np.ndarray:
    size = -(-len(rows_NC) // MOST_BLOCKS)
    if size == 1:
        return rows_NC
    order = np.random.default_rng(seed).permutation(len(rows_NC))[: len(rows_NC) // size * size]
    return rows_NC[order].reshape(-1, size, rows_NC.shape[1]).mean(1)


def _resampled(rows_NC: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    stream = np.random.default_rng(seed)
    step = max(1, CHUNK // len(rows_NC))
    sizes = [min(step, num_resamples - start) for start in range(0, num_resamples, step)]
    return np.concatenate(
        [rows_NC[stream.integers(len(rows_NC), size=(size, len(rows_NC)))].mean(1) for size in sizes]
    )


def _adjusted_tails(
    drawn_B: np.ndarray, centre: float, influence_N: np.ndarray, level: float
) -> tuple[float, float]:
    below = (np.searchsorted(drawn_B, centre, "left") + np.searchsorted(drawn_B, centre, "right")) / 2
    bias = float(ndtri(np.clip(below / len(drawn_B), 1e-3, 1 - 1e-3)))
    acceleration = float((influence_N**3).sum() / (6 * (influence_N**2).sum() ** 1.5))
    ends = (bias + float(ndtri(tail)) for tail in ((1 - level) / 2, (1 + level) / 2))
    low, high = (float(ndtr(bias + end / max(1e-3, 1 - acceleration * end))) for end in ends)
    return low, high
