"""Rows that count more or less than others: how they are drawn, and how they are scored.

Letters: K candidates, N rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 1e-6
"""Distance from a whole number that is only rounding: of 100 million rows cumulated in float64."""


def drawn_by_weight(weight_KN: Tensor, start_K: Tensor) -> Tensor:
    r"""Fill as many slots as there are rows, so that each row gets its weight's share of them.

    Row :math:`i` gets :math:`\lfloor c_i + u \rfloor - \lfloor c_{i-1} + u \rfloor` slots, where :math:`c` is
    the cumulated weight, scaled so that it ends at :math:`N`. For :math:`u` uniform in :math:`[0, 1)` the
    expected number is the scaled weight itself, and no number is further than 1 from it; whole weights with
    mean 1 are met exactly.

    Args:
        weight_KN: Weights of at least 0, of any scale; ``(1, N)`` serves all candidates.
        start_K: :math:`u` of every candidate.

    Returns:
        Places of rows in rising order, ``(K, N)``.

    Example:
        >>> drawn_by_weight(torch.tensor([[2.0, 0.5, 0.5]]), torch.tensor([0.1, 0.6]))
        tensor([[0, 0, 2],
                [0, 0, 1]])

    Reference:
        Systematic sampling with unequal chances: Madow, "On the theory of systematic sampling, II",
        Ann. Math. Statist. 20, 1949; as resampling: Kitagawa, "Monte Carlo filter and smoother for
        non-Gaussian nonlinear state space models", J. Comp. Graph. Statist. 5, 1996.
    """
    num_rows = weight_KN.shape[1]
    ends_KN = weight_KN.double().cumsum(1)
    ends_KN = ends_KN / ends_KN[:, -1:] * num_rows
    whole_KN = ends_KN.round()
    ends_KN = torch.where((ends_KN - whole_KN).abs() < ROUNDING, whole_KN, ends_KN)
    ends_KN = (ends_KN + start_K.double().unsqueeze(1)).floor()
    slots_N = torch.arange(num_rows, dtype=ends_KN.dtype, device=ends_KN.device)
    return torch.searchsorted(ends_KN, slots_N.expand(len(ends_KN), -1).contiguous(), right=True)


def relative_weights(weight: Tensor) -> Tensor:
    """Scale weights of the last axis so that their mean is 1."""
    return weight / weight.mean(dim=-1, keepdim=True)


def linearised(score: Tensor, weight: Tensor) -> Tensor:
    r"""Move scores so that their plain mean is the weighted one, and their spread that of the weighted mean.

    .. math:: m + \frac{w_i}{\bar w} (s_i - m), \qquad m = \frac{\sum_i w_i s_i}{\sum_i w_i}

    These are the values of the first-order (delta method) expansion of the ratio :math:`m`, so that intervals
    and paired tests, which know nothing of weights, stay right.

    Args:
        score: Score of every row, ``(..., N)``.
        weight: Weights of any scale, ``(N,)`` or with leading axes.

    Returns:
        Values in the shape and type of ``score``. Equal scores stay exactly as they are.

    Example:
        >>> linearised(torch.tensor([1.0, 0.0]), torch.tensor([3.0, 1.0]))
        tensor([1.1250, 0.3750])

    Reference:
        Cochran, "Sampling Techniques", 3rd edition, 1977, section 6.3 (the ratio estimate and its variance).
    """
    weight = relative_weights(weight)
    # away from a score instead of from 0, so that what never differs does not differ by rounding
    first = score[..., :1].double()
    away = score.double() - first
    mean = (weight * away).mean(dim=-1, keepdim=True)
    return (first + mean + weight * (away - mean)).to(score.dtype)


def spread_of(y: Tensor, weight: Tensor | None) -> Tensor:
    """Variance along the last axis, kept as an axis of 1: that of all, of numbers that count by weight."""
    if weight is None:
        return y.var(dim=-1, unbiased=False, keepdim=True)
    weight = relative_weights(weight)
    mean = (weight * y).mean(dim=-1, keepdim=True)
    return (weight * (y - mean).square()).mean(dim=-1, keepdim=True).to(y.dtype)
