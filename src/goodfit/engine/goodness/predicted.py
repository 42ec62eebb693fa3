"""How raw scores become what is predicted, and how right each row of it is.

Letters: N rows, O outputs.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from goodfit.engine.goodness.weighting import linearised, spread_of

Link = Literal["softmax", "sigmoid", "identity", "sigmoids", "shares", "shares of labels"]


def apply_link(scores: Tensor, link: Link) -> Tensor:
    """Turn raw scores into probabilities over classes (two columns for one sigmoid output), or values.

    Example:
        >>> apply_link(torch.tensor([[0.0]]), "sigmoid")
        tensor([[0.5000, 0.5000]])
        >>> apply_link(torch.tensor([[1.2]]), "shares")
        tensor([[0., 1.]])
    """
    if link == "softmax":
        # classes before rows, as in goodfit.engine.goodness.losses
        return scores.transpose(-1, -2).contiguous().softmax(dim=-2).transpose(-1, -2).contiguous()
    if link == "sigmoids":
        return scores.sigmoid()
    if link == "shares of labels":
        return scores.clamp(0, 1)
    if link == "sigmoid" or (link == "shares" and scores.shape[-1] == 1):
        right = scores.sigmoid() if link == "sigmoid" else scores.clamp(0, 1)
        return torch.cat([1 - right, right], dim=-1)
    return _as_shares(scores) if link == "shares" else scores


def _as_shares(outputs: Tensor) -> Tensor:
    """Make probabilities of outputs that are meant as such, but may lie beyond 0 and 1; their order stays."""
    shares = outputs.clamp_min(0)
    total = shares.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, shares / total.clamp_min(1e-30), outputs.softmax(dim=-1))


def row_scores(predicted: Tensor, y: Tensor, *, kind: str, weight: Tensor | None = None) -> Tensor:
    """Score every row so that the mean over rows is the metric.

    Classes: 1 where the most probable class is the right one, else 0; the mean is accuracy.
    Numbers: :math:`1 - (y - \\hat y)^2 / \\mathrm{Var}(y)`; the mean is R squared (over several numbers of
    a row, their mean). Labels: the share of a row's labels that are right. Places: the right ones of a row
    over those that count in a mean row.

    Args:
        predicted: Probabilities ``(..., N, O)`` or values ``(..., N, 1)``.
        y: Class numbers or targets, ``(N,)`` or broadcastable; ``(N, T)`` where a row has several.
        kind: What is to be learnt, as in :class:`goodfit.data.task.Task`.
        weight: How often each row counts, for one class or number a row; scores are then linearised.
    """
    if weight is not None:
        return linearised(_of_one_target(predicted, y, kind=kind, weight=weight), weight)
    if kind == "labels":
        return ((predicted > 0.5) == (y > 0.5)).to(torch.float32).mean(dim=-1)
    if kind == "places":
        chosen = predicted.unflatten(-1, (y.shape[-1], -1)).argmax(dim=-1)
        counted = (y >= 0).sum(dim=-1).to(torch.float32)
        return (chosen == y).sum(dim=-1) / counted.mean(dim=-1, keepdim=True).clamp_min(1e-9)
    if kind == "numbers" and predicted.shape[-1] > 1:
        spread = y.var(dim=-2, unbiased=False, keepdim=True).clamp_min(1e-12)
        return (1 - (predicted - y).square() / spread).mean(dim=-1)
    return _of_one_target(predicted, y, kind=kind, weight=None)


def _of_one_target(predicted: Tensor, y: Tensor, *, kind: str, weight: Tensor | None) -> Tensor:
    if kind == "classes":
        return (predicted.argmax(dim=-1) == y).to(torch.float32)
    spread = spread_of(y, weight).clamp_min(1e-12)
    return 1 - (predicted.squeeze(-1) - y).square() / spread
