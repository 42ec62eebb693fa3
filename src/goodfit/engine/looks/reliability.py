"""How often a network is right when it claims to be sure.

Letters: N rows, O outputs.
"""

from __future__ import annotations

import numpy as np

from goodfit.engine.history import Confidence

MOST_GROUPS = 10
FEWEST_ROWS = 20
"""Of a group; a share of fewer rows is mostly noise."""


def reliability(predicted_NO: np.ndarray, scores_N: np.ndarray) -> tuple[Confidence, ...]:
    """Group rows by the probability of the chosen class, groups of equal size, the least sure first.

    Groups of equal size rather than of equal width: nearly all rows of a good network are in the last tenth
    of the width.

    Args:
        predicted_NO: Probabilities.
        scores_N: 1 where the chosen class is the right one, else 0.

    Returns:
        Nothing where probabilities are no numbers, or there are fewer than 20 rows.

    Example:
        >>> sure = np.tile([0.75, 0.25], (40, 1))
        >>> [group.claimed for group in reliability(sure, np.ones(40))]
        [0.75, 0.75]
    """
    claimed_N = predicted_NO.max(1).astype(float)
    count = min(MOST_GROUPS, len(claimed_N) // FEWEST_ROWS)
    if not count or not np.isfinite(claimed_N).all():
        return ()
    order_N = np.argsort(claimed_N, kind="stable")
    return tuple(
        Confidence(
            num_rows=len(rows),
            claimed=float(claimed_N[rows].mean()),
            right=float(scores_N[rows].mean()),
        )
        for rows in np.array_split(order_N, count)
    )
