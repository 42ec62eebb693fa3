"""A metric that the user chose, by name or from torchmetrics, higher always better.

A trial pairs rows, and most metrics belong to no single row. So a metric is shared out: the rows are put into
blocks, each block gets its jackknife value, and the rows of a block are spread around the metric of all rows
so that their mean is the metric and the variance of the mean is the jackknife's.

Letters: N rows, O outputs, B blocks.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from goodfit.engine.goodness.named_metrics import metric_named, names_of
from goodfit.errors import PlanError

NUM_BLOCKS = 25
WORST = -1e3
"""Score of a network whose predictions no metric can read, such as NaN."""
IGNORED = -100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scoring:
    """A metric that judges all rows at once.

    Attributes:
        name: Its name; one to be minimised is negated, and its name begins with ``neg``.
        kind: What is to be learnt, as in :class:`goodfit.data.task.Task`.
        target_axes: Axes of the targets of all rows: 2 where a row has several, else 1.
        is_minimised: Whether less is better.
        center: Added to numbers that were predicted, after :attr:`scale`.
        scale: What they are multiplied by, so that the metric sees the user's units.
        measure: Function of predictions and targets ``(N, ...)``.
    """

    name: str
    kind: str
    target_axes: int = 1
    is_minimised: bool = False
    center: float = 0.0
    scale: float = 1.0
    measure: Callable[[Tensor, Tensor], float] = dataclasses.field(compare=False, repr=False)

    def value(self, predicted: Tensor, y: Tensor) -> float:
        """Measure predictions ``(N, O)`` against targets ``(N, ...)``; higher is better."""
        if self.kind == "numbers":
            predicted, y = predicted * self.scale + self.center, y * self.scale + self.center
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a class that is never predicted is no news in a first epoch
                measured = self.measure(predicted, y)
        except ValueError as error:
            if torch.isfinite(predicted).all():
                raise PlanError(
                    f"the metric {self.name} raises ValueError: {str(error).splitlines()[0]}",
                    fix="choose a metric for this target, or give more validation rows",
                ) from error
            return WORST
        if not math.isfinite(measured):
            return WORST
        return -measured if self.is_minimised else measured

    def score(self, predicted: Tensor, y: Tensor, *, by_row: bool) -> Tensor:
        """Score rows as :meth:`goodfit.engine.goodness.losses.Loss.score` says."""
        device = predicted.device
        predicted, y = predicted.cpu(), y.cpu()  # metrics are no part of a step, and most know arrays alone
        leading, num_rows = predicted.shape[:-2], predicted.shape[-2]
        flat = predicted.reshape(-1, num_rows, predicted.shape[-1])
        own = y.shape[y.dim() - self.target_axes :]
        targets = y.expand(*leading, *own).reshape(-1, *own)
        scores = [self._of_rows(p, t, by_row) for p, t in zip(flat, targets, strict=True)]
        return torch.stack(scores).reshape(*leading, num_rows).to(device)

    def _of_rows(self, predicted: Tensor, y: Tensor, by_row: bool) -> Tensor:
        num_rows = len(y)
        whole = self.value(predicted, y)
        num_blocks = min(NUM_BLOCKS, num_rows)
        if not by_row or num_blocks < 2 or whole == WORST:
            return torch.full((num_rows,), whole)
        block_N = torch.arange(num_rows) % num_blocks
        without_B = [self.value(predicted[block_N != b], y[block_N != b]) for b in range(num_blocks)]
        # pseudo-values around their mean: what a block adds to the metric
        away_B = (num_blocks - 1) * (np.mean(without_B) - np.array(without_B))
        spread_N = torch.tensor(away_B, dtype=torch.float32)[block_N] * math.sqrt(num_rows / num_blocks)
        return whole + spread_N - spread_N.mean()


def scoring_of(
    metric: Any, *, kind: str, several: bool, center: float = 0.0, scale: float = 1.0
) -> Scoring | None:
    """Read what the user gave as metric.

    Args:
        metric: A name, or a metric of torchmetrics.
        kind: What is to be learnt.
        several: Whether a row has several targets.
        center: As in :class:`Scoring`.
        scale: As in :class:`Scoring`.

    Returns:
        The metric; ``None`` for the usual one of this kind.

    Raises:
        PlanError: There is no such metric for this kind of target, it returns several numbers, or it does not
            say whether more is better.
    """
    settings: dict[str, Any] = {"kind": kind, "center": center, "scale": scale}
    settings["target_axes"] = 2 if several else 1
    if isinstance(metric, str):
        found = metric_named(metric, kind)
        if found is None:
            return None
        measure, is_minimised = found
        name = f"neg {metric}" if is_minimised else metric
        return Scoring(name=name, is_minimised=is_minimised, measure=_Named(measure, kind), **settings)
    if not (hasattr(metric, "update") and hasattr(metric, "compute") and hasattr(metric, "reset")):
        raise PlanError(
            f"the metric is {metric!r}",
            fix=f"give a metric of torchmetrics, or one of {', '.join(names_of(kind))}",
        )
    better = getattr(metric, "higher_is_better", None)
    if better is None:
        raise PlanError(
            f"{type(metric).__name__} does not say whether more is better",
            fix="set higher_is_better on the metric to True or False",
        )
    word = type(metric).__name__
    return Scoring(
        name=word if better else f"neg {word}",
        is_minimised=not better,
        measure=_Measured(copy.deepcopy(metric), kind),
        **settings,
    )


class _Measured:
    """A metric of torchmetrics, as a function of predictions and targets."""

    def __init__(self, metric: Any, kind: str) -> None:
        self.metric, self.kind = metric, kind

    def __call__(self, predicted: Tensor, y: Tensor) -> float:
        self.metric.reset()
        self.metric.update(*self._arguments(predicted, y))
        found = self.metric.compute()
        if not isinstance(found, Tensor) or found.numel() != 1:
            said = f"{found.numel()} numbers" if isinstance(found, Tensor) else type(found).__name__
            raise PlanError(
                f"{type(self.metric).__name__} computes {said}, and one is needed to judge by",
                fix='choose one metric with an average, such as average="macro"',
            )
        return float(found)

    def _arguments(self, predicted: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind == "numbers":
            return (predicted if y.dim() > 1 else predicted.squeeze(-1)), y
        if self.kind == "labels":
            return predicted, y.long()
        if self.kind == "places":
            ignored = getattr(self.metric, "ignore_index", None)
            shares_NTC = predicted.unflatten(-1, (y.shape[-1], -1))
            counted = y >= 0
            if ignored is not None:
                return shares_NTC.movedim(-1, 1), torch.where(counted, y, ignored)
            return shares_NTC[counted], y[counted]
        is_binary = type(self.metric).__name__.startswith("Binary")
        return (predicted[:, 1] if is_binary else predicted), y


class _Named:
    """A function of scikit-learn, given classes, shares or numbers."""

    def __init__(self, measure: Callable[..., Any], kind: str) -> None:
        self.measure, self.kind = measure, kind

    def __call__(self, predicted: Tensor, y: Tensor) -> float:
        truth, shares = y.numpy(), predicted.numpy()
        if self.kind == "places":
            shares, truth = shares.reshape(*truth.shape, -1)[truth >= 0], truth[truth >= 0]
        return float(self.measure(truth, shares))
