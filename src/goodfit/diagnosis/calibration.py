"""Whether a network is right as often as it claims.

Letters: G groups of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import Confidence, History

MOST_ERROR = 0.05
NORMAL_95 = 1.96


def poor_calibration(histories: Sequence[History]) -> Finding | None:
    """Probabilities that differ from the share of right answers, beyond what few rows explain."""
    found = [calibration_error(history.reliability) for history in histories if history.reliability]
    if not found:
        return None
    error, reach = (float(np.median(values)) for values in zip(*found, strict=True))
    if not error - reach > MOST_ERROR:
        return None
    lead = np.median([overconfidence(history.reliability) for history in histories if history.reliability])
    return CATALOGUE["GF208"].finding(
        f"probabilities are off by {error:.3f} on average (95 % interval {error - reach:.3f} to "
        f"{error + reach:.3f}), {'too sure' if lead > 0 else 'not sure enough'}; limit {MOST_ERROR:g}",
        Evidence(what="expected calibration error", value=error, limit=MOST_ERROR),
        Evidence(what="its lower end", value=error - reach, limit=MOST_ERROR),
        Evidence(what="mean claim minus share of right answers", value=float(lead), limit=MOST_ERROR),
    )


def calibration_error(groups: Sequence[Confidence]) -> tuple[float, float]:
    r"""Expected calibration error, freed of what chance adds, and half of its 95 % interval.

    .. math:: \sum_g \frac{n_g}{N} \sqrt{\max(0, (r_g - c_g)^2 - s_g^2)}

    where :math:`s_g^2 = c_g (1 - c_g) / n_g` is the variance of the share :math:`r_g` of right answers if the
    claim :math:`c_g` is true: without it, few rows look ill however well they are calibrated.

    Reference:
        Kumar, Liang & Ma, "Verified Uncertainty Calibration", NeurIPS 2019 (the debiased estimator).
    """
    rows_G = np.array([group.num_rows for group in groups], dtype=float)
    share_G = rows_G / rows_G.sum()
    claimed_G = np.array([group.claimed for group in groups])
    right_G = np.array([group.right for group in groups])
    variance_G = claimed_G * (1 - claimed_G) / rows_G
    error_G = np.sqrt(np.clip((right_G - claimed_G) ** 2 - variance_G, 0, None))
    # for the interval the variance of what was seen, a little away from none and all
    seen_G = np.clip(right_G, 1 / (rows_G + 2), 1 - 1 / (rows_G + 2))
    spread = math.sqrt(float((share_G**2 * seen_G * (1 - seen_G) / rows_G).sum()))
    return float((share_G * error_G).sum()), NORMAL_95 * spread


def overconfidence(groups: Sequence[Confidence]) -> float:
    """Mean claim minus the share of right answers."""
    num_rows = sum(group.num_rows for group in groups)
    return sum(group.num_rows * (group.claimed - group.right) for group in groups) / num_rows
