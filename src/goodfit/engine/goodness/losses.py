"""Goodness of a function: losses that keep a leading candidate axis.

Letters: K candidates, N rows, O outputs. Networks return raw scores; the loss owns the link that
turns them into probabilities, so that no network can apply softmax twice.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from goodfit.engine.goodness.blend import Blend, Targets
from goodfit.engine.goodness.contract import Contract, label_rows, place_rows
from goodfit.engine.goodness.predicted import Link, apply_link, row_scores
from goodfit.engine.goodness.scoring import Scoring
from goodfit.errors import PlanError

FOR_CLASSES = ("cross-entropy", "squared", "binary-cross-entropy")
FOR_NUMBERS = ("squared", "huber")
NAMES = {
    "classes": FOR_CLASSES,
    "numbers": FOR_NUMBERS,
    "labels": ("binary-cross-entropy",),
    "places": ("cross-entropy",),
}
METRICS = {"classes": "accuracy", "numbers": "r2", "labels": "label accuracy", "places": "place accuracy"}
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
        name: One of the names above, or that of a function of the user's own.
        kind: What is to be learnt, as in :class:`goodfit.data.task.Task`.
        num_outputs: Columns of the network's output.
        class_weights: Weight of each class in the mean, or empty for equal weights.
        contract: How scores and targets lie for a network of the user's own, and their loss.
        scoring: The user's metric, in place of the usual one.
        is_share: Whether the network returns probabilities and not raw scores.

    Raises:
        PlanError: The name does not exist for this kind of target, or a weight is negative.
    """

    name: str
    kind: Literal["classes", "numbers", "labels", "places"]
    num_outputs: int
    class_weights: tuple[float, ...] = ()
    contract: Contract | None = None
    scoring: Scoring | None = None
    is_share: bool = False

    def __post_init__(self) -> None:
        known = NAMES[self.kind]
        if self.name not in known and not self.is_own:
            close = difflib.get_close_matches(self.name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise PlanError(
                f"there is no loss {self.name!r} for a target of {self.kind}",
                fix=f"{hint}use one of {', '.join(known)}",
            )
        is_binary = self.name == "binary-cross-entropy" and self.kind == "classes"
        if is_binary and self.num_outputs != 1:
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
    def is_own(self) -> bool:
        """Whether a function of the user's own judges."""
        return self.contract is not None and self.contract.function is not None

    @property
    def takes_any_scores(self) -> bool:
        """Whether it is defined for all real numbers, as goodfit's are, and those of torch for numbers."""
        return self.contract is None or self.contract.takes_any_scores

    @property
    def usual(self) -> Loss | None:
        """What usually learns the target, in place of a function of the user's own.

        Cross-entropy of raw scores for classes and labels. For numbers squared error, and only in place of a
        function that is not smallest at the targets: others are somebody's choice.
        """
        if not self.is_own or self.contract is None or (self.kind == "numbers" and self.contract.is_fitting):
            return None
        is_single = self.kind == "labels" or (self.kind == "classes" and self.num_outputs == 1)
        of_classes = "binary-cross-entropy" if is_single else "cross-entropy"
        return dataclasses.replace(
            self,
            name="squared" if self.kind == "numbers" else of_classes,
            contract=dataclasses.replace(self.contract, function=None, is_fitting=True),
            is_share=False,
        )

    @property
    def metric(self) -> str:
        """Name of the score."""
        return METRICS[self.kind] if self.scoring is None else self.scoring.name

    @property
    def link(self) -> Link:
        """How raw scores become what is predicted."""
        if self.kind == "numbers":
            return "identity"
        if self.is_share:
            return "shares of labels" if self.kind == "labels" else "shares"
        if self.kind == "labels":
            return "sigmoids"
        return "sigmoid" if self.kind == "classes" and self.num_outputs == 1 else "softmax"

    @property
    def expected_at_start(self) -> float | None:
        r"""Loss of a network that knows nothing: :math:`\log K`, :math:`(K-1)/K^2`, or a variance.

        ``None`` where nobody can tell: for a function of the user's own, and for numbers of any scale.
        """
        if self.is_own or (self.contract is not None and self.kind == "numbers"):
            return None
        if self.kind == "labels":
            return math.log(2)
        if self.kind == "places" and self.contract is not None:
            return math.log(self.contract.num_classes)
        num_classes = max(self.num_outputs, 2)
        if self.name in ("cross-entropy", "binary-cross-entropy"):
            return math.log(num_classes)
        if self.kind == "classes":
            return (num_classes - 1) / num_classes**2
        return 1.0 if self.name == "squared" else HUBER_AT_ZERO

    def rows(self, scores_KNO: Tensor, y_KN: Targets, *, smoothing_K1: Tensor | None = None) -> Tensor:
        """Loss of every row, shape ``(K, N)``, weighted so that its mean is the loss.

        Args:
            scores_KNO: Raw scores.
            y_KN: Class numbers or standardised targets, or a blend of two; ``(1, N)`` serves all candidates.
            smoothing_K1: Share of the target spread evenly over the classes, per candidate.
        """
        if isinstance(y_KN, Blend):
            own_KN, other_KN = (
                self.rows(scores_KNO, one_KN, smoothing_K1=smoothing_K1)
                for one_KN in (y_KN.own_KN, y_KN.other_KN)
            )
            return torch.lerp(other_KN, own_KN, y_KN.share_K1)
        if self.is_own and self.contract is not None:
            return self.contract.rows(scores_KNO, y_KN)
        if self.kind == "labels":
            return label_rows(scores_KNO, y_KN, smoothing_K1=smoothing_K1)
        if self.kind == "places" and self.contract is not None:
            classes = self.contract.num_classes
            return place_rows(scores_KNO, y_KN, num_classes=classes, smoothing_K1=smoothing_K1)
        if self.kind == "numbers":
            if self.num_outputs > 1:
                return self._of_numbers(scores_KNO, y_KN).mean(-1)
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

    def means(self, scores_KNO: Tensor, y_KN: Targets, *, smoothing_K1: Tensor | None = None) -> Tensor:
        """Mean of :meth:`rows` for each candidate, shape ``(K,)``; of one alone in fewer operations."""
        is_usual = self.kind == "classes" and self.name == "cross-entropy" and not self.is_own
        if len(scores_KNO) > 1 or not is_usual or smoothing_K1 is not None or isinstance(y_KN, Blend):
            return self.rows(scores_KNO, y_KN, smoothing_K1=smoothing_K1).mean(-1)
        scores_NO, y_N = scores_KNO.squeeze(0), y_KN.squeeze(0)
        weight_O = None
        if self.class_weights:  # torch divides by the weights of all rows, as the mean here does
            weight_O = weights_on(self.class_weights, scores_NO.dtype, scores_NO.device)
        return F.cross_entropy(scores_NO, y_N, weight_O).unsqueeze(0)

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
        weights_KN = weights_on(self.class_weights, loss_KN.dtype, loss_KN.device)[y_KN]
        return loss_KN * weights_KN / weights_KN.mean(-1, keepdim=True)

    def predict(self, scores: Tensor) -> Tensor:
        """Apply the link to raw scores, as :func:`apply_link` does; for places, to those of each."""
        if self.kind == "places" and self.contract is not None:
            return apply_link(scores.unflatten(-1, (-1, self.contract.num_classes)), self.link).flatten(-2)
        return apply_link(scores, self.link)

    def score(
        self, predicted: Tensor, y: Tensor, *, by_row: bool = False, weight: Tensor | None = None
    ) -> Tensor:
        """Score every row, so that the mean over rows is the metric.

        Args:
            predicted: As :meth:`predict` returns it, ``(..., N, O)``.
            y: Targets, ``(N, ...)`` or with leading axes as ``predicted``.
            by_row: Whether a metric of the user's own is shared out to the rows, for intervals; otherwise all
                rows have the value of the whole, which costs less.
            weight: How often each row counts, ``(N,)`` or with leading axes; the mean is then the weighted
                metric. A metric of the user's own knows no weights.
        """
        if self.scoring is None:
            return row_scores(predicted, y, kind=self.kind, weight=weight)
        return self.scoring.score(predicted, y, by_row=by_row)


@functools.lru_cache(maxsize=64)
def weights_on(class_weights: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Put class weights on a device, once: a recorded step may not bring anything there."""
    return torch.tensor(class_weights, dtype=dtype, device=device)


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
