"""Learning curves of every candidate while they are being drawn."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from goodfit.engine.looks.evaluation import Measured


@dataclasses.dataclass(kw_only=True)
class _Curve:
    epochs: list[int] = dataclasses.field(default_factory=list)
    points: list[tuple[float, float, float, float]] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf


class Curves:
    """Losses and scores over the epochs, and since when the validation loss has not fallen.

    Args:
        num_candidates: K.
    """

    def __init__(self, num_candidates: int) -> None:
        self._curves = [_Curve() for _ in range(num_candidates)]

    def add(self, epoch: int, measured: Measured, members: list[int]) -> Tensor:
        """Add one point for each member; returns who has a new lowest validation loss, ``(K,)``."""
        train = [measured.train_loss_K, measured.train_score_K]
        validation = [measured.validation_loss_K, measured.validation_score_K]
        rows = torch.stack(train + validation, dim=1).tolist()
        improved = []
        for row, k in zip(rows, members, strict=True):
            curve = self._curves[k]
            curve.epochs.append(epoch)
            curve.points.append((row[0], row[1], row[2], row[3]))
            improved.append(row[2] < curve.best_loss)
            if improved[-1]:
                curve.best_epoch, curve.best_loss = epoch, row[2]
        return torch.tensor(improved)

    def of(self, k: int) -> tuple[tuple[int, ...], list[tuple[float, ...]], int]:
        """Return the epochs, the four curves (train loss and score, validation the same), the best epoch."""
        curve = self._curves[k]
        return tuple(curve.epochs), list(zip(*curve.points, strict=True)), curve.best_epoch

    def has_diverged(self, k: int) -> bool:
        """Whether the last point of a candidate's training loss is not a number."""
        return not math.isfinite(self._curves[k].points[-1][0])

    def epochs_waited(self, k: int) -> int:
        """Epochs since the validation loss was last at its lowest."""
        curve = self._curves[k]
        return curve.epochs[-1] - curve.best_epoch
