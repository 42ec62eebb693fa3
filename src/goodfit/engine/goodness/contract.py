"""What a network of the user's own and its loss have agreed on: how scores and targets lie in a batch.

The engine keeps scores in one line a row, classes last, and targets in one line too. Here they are put back
into the shapes that the user's loss was written for.

Letters: K candidates, N rows, O outputs, T targets of a row, C classes of a place.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn

from goodfit.errors import PlanError

IGNORED = -100

_OF_NUMBERS = (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss)
_FUNCTIONS_OF_NUMBERS = (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss)
_ELEMENTWISE = (*_OF_NUMBERS, nn.BCELoss, nn.BCEWithLogitsLoss)
_ELEMENTWISE_FUNCTIONS = (
    *_FUNCTIONS_OF_NUMBERS,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """Shapes of one row, and the loss that was written for them.

    Attributes:
        output_shape: Shape in which the network returns the scores of a row.
        class_axis: Axis of it that holds the classes of a place: 0, or -1 for the last.
        target_shape: Shape of a row's target in the loader.
        target_dtype: Its type.
        function: The user's loss of (outputs, targets); ``None`` for one of goodfit's.
        ignored: Class that the function does not count; here it is -100.
        target_mean: Mean of the training targets, one for each output, where numbers are learnt as they are.
        target_std: Their deviation, likewise.
        is_fitting: Whether a loss of numbers is smallest where outputs equal targets; ``True`` where that was
            not asked.
    """

    output_shape: tuple[int, ...]
    class_axis: int = -1
    target_shape: tuple[int, ...] = ()
    target_dtype: str = "int64"
    function: Callable[[Tensor, Tensor], Tensor] | None = None
    ignored: int = IGNORED
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    is_fitting: bool = True

    @property
    def num_classes(self) -> int:
        """Classes of a place."""
        return self.output_shape[self.class_axis] if self.output_shape else 1

    @property
    def takes_any_scores(self) -> bool:
        """Whether the loss is known to be defined for all real numbers."""
        function = self.function
        return function is None or isinstance(function, _OF_NUMBERS) or function in _FUNCTIONS_OF_NUMBERS

    def outputs(self, scores_NO: Tensor) -> Tensor:
        """Put the scores of one network into the shape in which it returned them."""
        if len(self.output_shape) < 2:
            return scores_NO.reshape(len(scores_NO), *self.output_shape)
        axis = self.class_axis % len(self.output_shape)
        rest = [size for place, size in enumerate(self.output_shape) if place != axis]
        return scores_NO.reshape(len(scores_NO), *rest, self.num_classes).movedim(-1, axis + 1)

    def targets(self, y_N: Tensor) -> Tensor:
        """Put targets into the shape and type in which the loader yielded them."""
        y_N = y_N.reshape(len(y_N), *self.target_shape).to(getattr(torch, self.target_dtype))
        return y_N if self.ignored == IGNORED else y_N.masked_fill(y_N == IGNORED, self.ignored)

    def rows(self, scores_KNO: Tensor, y_KN: Tensor) -> Tensor:
        """Let the user's function judge each network; every row gets the loss of its batch, ``(K, N)``.

        Raises:
            PlanError: It returns something else than one number, or one for each row.
        """
        assert self.function is not None
        y_KN = y_KN.expand(len(scores_KNO), *y_KN.shape[1:])
        num_rows = scores_KNO.shape[1]
        judged = [
            self.function(self.outputs(scores_NO), self.targets(y_N))
            for scores_NO, y_N in zip(scores_KNO, y_KN, strict=True)
        ]
        first = judged[0]
        if not isinstance(first, Tensor) or (first.numel() != 1 and first.shape[:1] != (num_rows,)):
            shape = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
            raise PlanError(
                f"the loss returns {shape} for {num_rows} rows",
                fix='return one number, as with reduction="mean"',
            )
        per_row = [loss.reshape(num_rows, -1).mean(1) if loss.numel() > 1 else loss for loss in judged]
        return torch.stack([loss.reshape(-1).expand(num_rows) for loss in per_row])

    @torch.no_grad()
    def is_smallest_at(self, y_NT: Tensor) -> bool:
        """Ask the user's function whether outputs that equal the targets please it more than others near by.

        A sign that was turned, or a loss for shares of classes, prefers others. Where it raises, or gives no
        number, nothing is said against it.
        """
        shift_T = y_NT.new_tensor(self.target_std)  # of all rows: the first ones may be alike
        try:
            at, *beside = (
                float(self.rows((y_NT + times * shift_T).unsqueeze(0), y_NT.unsqueeze(0)).mean())
                for times in (0.0, -1.0, -0.1, 0.1, 1.0)
            )
        except Exception:  # the user's code raises what it likes
            return True
        return not all(map(math.isfinite, (at, *beside))) or at < min(beside)

    def refuse_misfit(self) -> None:
        """Try the user's function on two rows.

        Raises:
            PlanError: It raises, or would compare every output with every target.
        """
        if self.function is None:
            return
        is_elementwise = isinstance(self.function, _ELEMENTWISE) or self.function in _ELEMENTWISE_FUNCTIONS
        if is_elementwise and self.output_shape != self.target_shape:
            raise PlanError(
                f"a row has outputs of shape {self.output_shape} and targets of shape {self.target_shape}: "
                "the loss would compare every output with every target",
                fix="let both have one shape, by unsqueeze(-1) on targets or squeeze(-1) on outputs",
            )
        scores_NO = torch.zeros(2, math.prod(self.output_shape)).requires_grad_()
        targets = self.targets(torch.zeros(2, *self.target_shape))
        try:
            self.rows(scores_NO[None], targets.reshape(1, 2, -1) if self.target_shape else targets[None])
        except PlanError:
            raise
        except Exception as error:
            raise PlanError(
                f"the loss raises {type(error).__name__} for outputs {(2, *self.output_shape)} and "
                f"targets {(2, *self.target_shape)} of {self.target_dtype}: {str(error).splitlines()[0]}",
                fix="give a function of (outputs, targets) that brings both into the shapes it needs",
            ) from error


def refuse_arguments(function: Any) -> None:
    """Raise a :class:`PlanError` if a loss needs more than outputs and targets."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        parameters = list(inspect.signature(called).parameters.values())
    except (ValueError, TypeError):  # built-in callables do not tell
        return
    needed = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    name = getattr(function, "__name__", type(function).__name__)
    if len(needed) != 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        extra = f"also needs {', '.join(needed[2:])}" if len(needed) > 2 else "takes fewer than two arguments"
        raise PlanError(
            f"the loss {name} {extra}",
            fix="wrap it in a function of (outputs, targets): lambda outputs, targets: ...",
        )


def place_rows(scores_KNO: Tensor, y_KNT: Tensor, *, num_classes: int, smoothing_K1: Tensor | None) -> Tensor:
    """Cross-entropy of every row over its places that count, weighted so that its mean is that of all places.

    Args:
        scores_KNO: Raw scores, classes last in every place.
        y_KNT: Classes, -100 where a place does not count.
        num_classes: C.
        smoothing_K1: Share of the target spread evenly over the classes, per candidate.
    """
    counts_KNT = y_KNT >= 0
    log_KNTC = scores_KNO.unflatten(-1, (-1, num_classes)).log_softmax(-1)
    chosen_KNT1 = y_KNT.clamp_min(0).expand(log_KNTC.shape[:-1]).unsqueeze(-1)
    loss_KNT = -log_KNTC.gather(-1, chosen_KNT1).squeeze(-1)
    if smoothing_K1 is not None:
        loss_KNT = torch.lerp(loss_KNT, -log_KNTC.mean(-1), smoothing_K1.unsqueeze(-1))
    num_counted = counts_KNT.sum(-1).float().mean(-1, keepdim=True).clamp_min(1e-9)
    return (loss_KNT * counts_KNT).sum(-1) / num_counted


def label_rows(scores_KNO: Tensor, y_KNT: Tensor, *, smoothing_K1: Tensor | None) -> Tensor:
    """Binary cross-entropy of every row, the mean over its labels."""
    target_KNT = y_KNT.to(scores_KNO.dtype).expand_as(scores_KNO)
    if smoothing_K1 is not None:
        target_KNT = torch.lerp(target_KNT, target_KNT.new_tensor(0.5), smoothing_K1.unsqueeze(-1))
    return F.binary_cross_entropy_with_logits(scores_KNO, target_KNT, reduction="none").mean(-1)
