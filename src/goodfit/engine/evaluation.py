"""Measure a stack on rows it learns from and rows it is watched on, in evaluation mode.

Letters: K candidates, N rows, O outputs.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from goodfit.engine.backend import Backend, Batch, row_chunks
from goodfit.engine.losses import Loss, row_scores
from goodfit.engine.pool import Pool

CURVE_ROWS = 2000
"""Rows on which one point of a learning curve is measured; more would cost time and show nothing new."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One point of the learning curves, for every candidate in the stack."""

    train_loss_K: Tensor
    train_score_K: Tensor
    validation_loss_K: Tensor
    validation_score_K: Tensor


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Final:
    """Row by row results at the end of a training."""

    predicted_KNO: np.ndarray
    predicted_train_KNO: np.ndarray
    train_y_KN: np.ndarray
    train_scores_KN: np.ndarray
    validation_scores_KN: np.ndarray


class Evaluation:
    """Looks at a stack without changing it.

    Args:
        pool: The rows.
        backend: The stack.
        loss: Loss and link.
    """

    def __init__(self, pool: Pool, backend: Backend, loss: Loss) -> None:
        self._pool, self._backend, self._loss = pool, backend, loss

    @torch.no_grad()
    def measure(self) -> Measured:
        """Measure one point of every learning curve."""
        train = self._look(self._pool.sample_KN())
        watched = self._look(self._pool.watch_KN[:, :CURVE_ROWS])
        return Measured(
            train_loss_K=train[1].mean(1),
            train_score_K=train[2].mean(1),
            validation_loss_K=watched[1].mean(1),
            validation_score_K=watched[2].mean(1),
        )

    @torch.no_grad()
    def final(self) -> Final:
        """Score every watched row and the sampled training rows."""
        sample_KN = self._pool.sample_KN()
        predicted_KNO, _, scores_KN = self._look(self._pool.watch_KN)
        predicted_train_KNO, _, train_scores_KN = self._look(sample_KN)
        return Final(
            predicted_KNO=predicted_KNO.numpy(),
            predicted_train_KNO=predicted_train_KNO.numpy(),
            train_y_KN=self._pool.y_N[sample_KN].numpy(),
            train_scores_KN=train_scores_KN.numpy(),
            validation_scores_KN=scores_KN.numpy(),
        )

    def probe_rows(self, num_rows: int) -> tuple[Batch, Tensor]:
        """Gather a few training rows for looking inside, with their targets."""
        rows_KN = self._pool.sample_KN()[:, :num_rows]
        return self._gather(rows_KN), self._pool.y_N[rows_KN]

    def _gather(self, rows_KN: Tensor) -> Batch:
        return self._pool.shared(rows_KN[0]) if self._pool.same_rows else self._pool.batch(rows_KN)

    def _look(self, rows_KN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predictions, losses and scores of the given rows."""
        floats = self._backend.num_candidates * self._backend.widest
        chunks = [
            self._backend.scores(self._gather(rows_KN[:, rows]))
            for rows in row_chunks(rows_KN.shape[1], floats_per_row=floats)
        ]
        # class weights are relative to all rows of a mean, so the loss must not see one chunk at a time
        scores_KNO, y_KN = torch.cat(chunks, dim=1), self._pool.targets(rows_KN)
        predicted_KNO = self._loss.predict(scores_KNO)
        scores_KN = row_scores(predicted_KNO, y_KN, kind=self._loss.kind)
        return predicted_KNO, self._loss.rows(scores_KNO, y_KN), scores_KN
