"""Goodness of a function: losses that keep a leading candidate axis.

Letters: K candidates, N rows, O outputs. Networks return raw scores; the loss owns the link that
turns them into probabilities, so that no network can apply softmax twice.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from goodfit.errors import PlanError

Link = Literal["softmax", "sigmoid", "identity"]
FOR_CLASSES = ("cross-entropy", "squared", "binary-cross-entropy")
FOR_NUMBERS = ("squared", "huber")
HUBER_AT_ZERO = 0.4247
"""Expected Huber loss of saying 0 to a standard normal target."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """What the update rule makes small.

    ``cross-entropy`` is the negative log of the softmax share of the right class; ``squared`` on classes is
    the squared distance between softmax shares and the one-hot target, averaged over classes (the
    lecture's first and worse choice); ``binary-cross-entropy`` has one output for two classes; ``huber``
    is squared within one standard deviation of the target and linear beyond.

    Args:
        name: One of the names above.
        kind: ``"classes"`` or ``"numbers"``.
        num_outputs: Columns of the network's output.
        class_weights: Weight of each class in the mean, or empty for equal weights.

    Raises:
        PlanError: The name does not exist for this kind of target, or a weight is negative.
    """

    name: str
    kind: Literal["classes", "numbers"]
    num_outputs: int
    class_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        known = FOR_CLASSES if self.kind == "classes" else FOR_NUMBERS
        if self.name not in known:
            close = difflib.get_close_matches(self.name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise PlanError(
                f"there is no loss {self.name!r} for a target of {self.kind}",
                fix=f"{hint}use one of {', '.join(known)}",
            )
        if self.name == "binary-cross-entropy" and self.num_outputs != 1:
            raise PlanError(
                f"binary-cross-entropy needs one output for two classes, the network has {self.num_outputs}",
                fix="use cross-entropy",
            )
        if any(weight < 0 for weight in self.class_weights):
            raise PlanError(
                f"class weights are {self.class_weights}; none may be negative",
                fix="give one weight of at least 0 for each class",
            )

    @property
    def link(self) -> Link:
        """How raw scores become what is predicted."""
        if self.kind == "numbers":
            return "identity"
        return "sigmoid" if self.name == "binary-cross-entropy" else "softmax"

    @property
    def expected_at_start(self) -> float:
        r"""Loss of a network that knows nothing: :math:`\log K`, :math:`(K-1)/K^2`, or a variance."""
        num_classes = max(self.num_outputs, 2)
        if self.name in ("cross-entropy", "binary-cross-entropy"):
            return math.log(num_classes)
        if self.kind == "classes":
            return (num_classes - 1) / num_classes**2
        return 1.0 if self.name == "squared" else HUBER_AT_ZERO

    def rows(self, scores_KNO: Tensor, y_KN: Tensor, *, smoothing_K1: Tensor | None = None) -> Tensor:
        """Loss of every row, shape ``(K, N)``, weighted so that its mean is the loss.

        Args:
            scores_KNO: Raw scores.
            y_KN: Class numbers or standardised targets; ``(1, N)`` serves all candidates.
            smoothing_K1: Share of the target spread evenly over the classes, per candidate.
        """
        if self.kind == "numbers":
            return self._of_numbers(scores_KNO.squeeze(-1), y_KN)
        if self.link == "sigmoid":
            return self._of_two_classes(scores_KNO.squeeze(-1), y_KN, smoothing_K1)
        # torch is many times faster over the rows of a few classes than over the few classes of a row
        scores_KON = scores_KNO.transpose(1, 2).contiguous()
        y_K1N = y_KN.expand(scores_KNO.shape[:2]).unsqueeze(1)
        if self.name == "cross-entropy":
            log_KON = F.log_softmax(scores_KON, dim=1)
            loss_KN = -log_KON.gather(1, y_K1N).squeeze(1)
            if smoothing_K1 is not None:
                loss_KN = torch.lerp(loss_KN, -log_KON.mean(1), smoothing_K1)
        else:
            loss_KN = _squared_distance(scores_KON.softmax(dim=1), y_K1N, smoothing_K1)
        return self._weigh(loss_KN, y_KN)

    def _of_numbers(self, scores_KN: Tensor, y_KN: Tensor) -> Tensor:
        if self.name == "squared":
            return (scores_KN - y_KN).square()
        return F.huber_loss(scores_KN, y_KN.expand_as(scores_KN), reduction="none")

    def _of_two_classes(self, scores_KN: Tensor, y_KN: Tensor, smoothing_K1: Tensor | None) -> Tensor:
        target_KN = y_KN.to(scores_KN.dtype).expand_as(scores_KN)
        if smoothing_K1 is not None:
            target_KN = target_KN * (1 - smoothing_K1) + smoothing_K1 / 2
        loss_KN = F.binary_cross_entropy_with_logits(scores_KN, target_KN, reduction="none")
        return self._weigh(loss_KN, y_KN)

    def _weigh(self, loss_KN: Tensor, y_KN: Tensor) -> Tensor:
        if not self.class_weights:
            return loss_KN
        weights_KN = torch.tensor(self.class_weights, dtype=loss_KN.dtype, device=loss_KN.device)[y_KN]
        return loss_KN * weights_KN / weights_KN.mean(-1, keepdim=True)

    def predict(self, scores: Tensor) -> Tensor:
        """Apply the link to raw scores, as :func:`apply_link` does."""
        return apply_link(scores, self.link)


def _squared_distance(share_KON: Tensor, y_K1N: Tensor, smoothing_K1: Tensor | None) -> Tensor:
    """Mean over classes of (p - target)^2, expanded so that no target tensor is made."""
    right_KN = share_KON.gather(1, y_K1N).squeeze(1)
    own_KN = share_KON.square().sum(1)
    num_classes = share_KON.shape[1]
    if smoothing_K1 is None:
        return (own_KN - 2 * right_KN + 1) / num_classes
    even_K1, kept_K1 = smoothing_K1 / num_classes, 1 - smoothing_K1
    target_K1 = kept_K1.square() + (2 * kept_K1 + smoothing_K1) * even_K1
    return (own_KN - 2 * (kept_K1 * right_KN + even_K1) + target_K1) / num_classes


def apply_link(scores: Tensor, link: Link) -> Tensor:
    """Turn raw scores into probabilities over classes (two columns for one sigmoid output), or values.

    Example:
        >>> apply_link(torch.tensor([[0.0]]), "sigmoid")
        tensor([[0.5000, 0.5000]])
    """
    if link == "softmax":
        # classes before rows, as in Loss.rows
        return scores.transpose(-1, -2).contiguous().softmax(dim=-2).transpose(-1, -2).contiguous()
    if link == "sigmoid":
        right = scores.sigmoid()
        return torch.cat([1 - right, right], dim=-1)
    return scores


def row_scores(predicted: Tensor, y: Tensor, *, kind: str) -> Tensor:
    """Score every row so that the mean over rows is the metric.

    Classes: 1 where the most probable class is the right one, else 0; the mean is accuracy.
    Numbers: :math:`1 - (y - \\hat y)^2 / \\mathrm{Var}(y)`; the mean is R squared.

    Args:
        predicted: Probabilities ``(..., N, O)`` or values ``(..., N, 1)``.
        y: Class numbers or targets, ``(N,)`` or broadcastable.
        kind: ``"classes"`` or ``"numbers"``.
    """
    if kind == "classes":
        return (predicted.argmax(dim=-1) == y).to(torch.float32)
    spread = y.var(dim=-1, unbiased=False, keepdim=True).clamp_min(1e-12)
    return 1 - (predicted.squeeze(-1) - y).square() / spread
