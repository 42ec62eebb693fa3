"""The derivative of every loss for the raw scores, written by hand for goodfit's own on one target a row.

Beside :meth:`goodfit.engine.goodness.losses.Loss.rows`, which says what is differentiated here; the tests
hold the two against each other.

Letters: K candidates, N rows, O outputs. Scores come with the outputs before the rows, since torch is many
times faster over the rows of a few classes than over the few classes of a row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from goodfit.engine.goodness.blend import Blend, Targets
from goodfit.engine.goodness.losses import Loss, weights_on


def slopes(loss: Loss, scores_KON: Tensor, y_KN: Targets, *, smoothing_K1: Tensor | None = None) -> Tensor:
    r"""Differentiate each candidate's mean loss for its raw scores.

    .. math:: \frac{\partial}{\partial s_{n,o}} \frac{1}{N} \sum_n \ell(s_n, y_n),
        \quad \text{for cross-entropy} \quad \frac{1}{N} (\mathrm{softmax}(s_n)_o - t_{n,o})

    Args:
        loss: Which loss.
        scores_KON: Raw scores, without gradient history; not changed.
        y_KN: Class numbers or standardised targets, or a blend of two; ``(1, N)`` serves all candidates. Rows
            of several targets have an axis more.
        smoothing_K1: Share of the target spread evenly over the classes, per candidate.

    Returns:
        A new tensor ``(K, O, N)``.

    Example:
        >>> loss = Loss(name="squared", kind="numbers", num_outputs=1)
        >>> slopes(loss, torch.tensor([[[3.0, 1.0]]]), torch.tensor([[1.0, 1.0]])).flatten()
        tensor([2., 0.])
    """
    if loss.is_own or loss.kind in ("labels", "places") or y_KN.dim() > 2:
        return _by_autograd(loss, scores_KON, y_KN, smoothing_K1)
    if isinstance(y_KN, Blend):
        own_KON, other_KON = (
            slopes(loss, scores_KON, one_KN, smoothing_K1=smoothing_K1)
            for one_KN in (y_KN.own_KN, y_KN.other_KN)
        )
        return other_KON.lerp_(own_KON, y_KN.share_K1.unsqueeze(-1))
    if loss.kind == "numbers":
        slope_KON = _of_numbers(loss, scores_KON, y_KN)
    elif loss.link == "sigmoid":
        slope_KON = _of_two_classes(scores_KON, y_KN, smoothing_K1)
    else:
        slope_KON = _of_classes(loss, scores_KON, y_KN, smoothing_K1)
    if loss.class_weights:
        weights_KN = weights_on(loss.class_weights, slope_KON.dtype, slope_KON.device)[y_KN]
        slope_KON.mul_((weights_KN / weights_KN.mean(-1, keepdim=True)).unsqueeze(1))
    return slope_KON.mul_(1 / scores_KON.shape[-1])


def _by_autograd(loss: Loss, scores_KON: Tensor, y_KN: Targets, smoothing_K1: Tensor | None) -> Tensor:
    with torch.enable_grad():
        leaf_KON = scores_KON.detach().requires_grad_()
        loss_K = loss.means(leaf_KON.transpose(1, 2), y_KN, smoothing_K1=smoothing_K1)
        (slope_KON,) = torch.autograd.grad(loss_K.sum(), leaf_KON)
    return slope_KON


def _of_numbers(loss: Loss, scores_KON: Tensor, y_KN: Tensor) -> Tensor:
    off_KON = scores_KON - y_KN.unsqueeze(1)
    return off_KON.mul_(2) if loss.name == "squared" else off_KON.clamp_(-1, 1)


def _of_two_classes(scores_KON: Tensor, y_KN: Tensor, smoothing_K1: Tensor | None) -> Tensor:
    target_KN = y_KN.to(scores_KON.dtype)
    if smoothing_K1 is not None:
        target_KN = target_KN * (1 - smoothing_K1) + smoothing_K1 / 2
    return scores_KON.sigmoid().sub_(target_KN.unsqueeze(1))


def _of_classes(loss: Loss, scores_KON: Tensor, y_KN: Tensor, smoothing_K1: Tensor | None) -> Tensor:
    share_KON = scores_KON.softmax(dim=1)
    if loss.name == "cross-entropy":
        return _less_target(share_KON, y_KN, smoothing_K1)
    off_KON = _less_target(share_KON.clone(), y_KN, smoothing_K1).mul_(2 / scores_KON.shape[1])
    mean_K1N = (share_KON * off_KON).sum(1, keepdim=True)
    return share_KON.mul_(off_KON.sub_(mean_K1N))


def _less_target(share_KON: Tensor, y_KN: Tensor, smoothing_K1: Tensor | None) -> Tensor:
    """Subtract the smoothed one-hot target in place."""
    num_candidates, num_outputs, num_rows = share_KON.shape
    y_K1N = y_KN.expand(num_candidates, num_rows).unsqueeze(1)
    if smoothing_K1 is None:
        return share_KON.scatter_add_(1, y_K1N, share_KON.new_full((), -1.0).expand(y_K1N.shape))
    smoothing_K11 = smoothing_K1.unsqueeze(-1)
    share_KON.sub_(smoothing_K11 / num_outputs)
    return share_KON.scatter_add_(1, y_K1N, (smoothing_K11 - 1).expand(y_K1N.shape))
