"""Measure a stack on rows it learns from and rows it is watched on, in evaluation mode.

Letters: K candidates, M of them that are chosen, L of these at a time, N rows, O outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from goodfit.engine.goodness.losses import Loss
from goodfit.engine.goodness.weighting import relative_weights
from goodfit.engine.machine.device import times_at_once
from goodfit.engine.rows.pool import Pool
from goodfit.engine.ways.backend import Backend, Batch, row_chunks

NEAR = 200_000
"""Floats of scores that are judged at once, so that what is made of them stays in the cache."""
CURVE_ROWS = 2000
"""Rows on which one point of a learning curve is measured; more would cost time and show nothing new."""
START_ROWS = 500
"""Rows for the point before the first step, which tells a blind guess from a wild one and no more."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What was seen of some rows, for every candidate in the stack."""

    predicted_KNO: Tensor
    loss_KN: Tensor
    score_KN: Tensor

    def of(self, chosen_M: Tensor) -> Look:
        """Pick candidates by number, or by a mask."""
        predicted_MNO, loss_MN, score_MN = (seen[chosen_M] for seen in self._parts())
        return Look(predicted_KNO=predicted_MNO, loss_KN=loss_MN, score_KN=score_MN)

    def put(self, chosen_K: Tensor, other: Look) -> None:
        """Overwrite what was seen of some candidates in place."""
        for seen, newer in zip(self._parts(), other._parts(), strict=True):
            seen[chosen_K] = newer[chosen_K]

    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.predicted_KNO, self.loss_KN, self.score_KN


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One point of the learning curves, for every candidate in the stack.

    Attributes:
        train: The sampled training rows.
        watched: The watched rows, at most :data:`CURVE_ROWS` of them.
    """

    train: Look
    watched: Look

    @property
    def train_loss_K(self) -> Tensor:
        """Loss on the sampled training rows."""
        return self.train.loss_KN.mean(1)

    @property
    def train_score_K(self) -> Tensor:
        """Score on them."""
        return self.train.score_KN.mean(1)

    @property
    def validation_loss_K(self) -> Tensor:
        """Loss on the watched rows."""
        return self.watched.loss_KN.mean(1)

    @property
    def validation_score_K(self) -> Tensor:
        """Score on them."""
        return self.watched.score_KN.mean(1)

    def of(self, chosen_M: Tensor) -> Measured:
        """Pick candidates by number, or by a mask."""
        return Measured(train=self.train.of(chosen_M), watched=self.watched.of(chosen_M))

    def put(self, chosen_K: Tensor, other: Measured) -> None:
        """Overwrite what was seen of some candidates in place."""
        self.train.put(chosen_K, other.train)
        self.watched.put(chosen_K, other.watched)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Final:
    """Row by row results of candidates whose training is over."""

    predicted_MNO: np.ndarray
    predicted_train_MNO: np.ndarray
    train_y_MN: np.ndarray
    train_weight_MN: np.ndarray | None
    train_scores_MN: np.ndarray
    validation_scores_MN: np.ndarray


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
    def measure(self, most_rows: int = CURVE_ROWS) -> Measured:
        """Measure one point of every learning curve.

        Args:
            most_rows: Of each part; fewer are evenly spread over those that a whole point looks at.
        """
        train_KN, watch_KN = self._pool.sample_KN(), self._pool.watch_KN[:, :CURVE_ROWS]
        return Measured(
            train=self._look(_spread(train_KN, most_rows)), watched=self._look(_spread(watch_KN, most_rows))
        )

    @torch.no_grad()
    def final(self, seen: Measured, index_M: Tensor) -> Final:
        """Score every watched row and many training rows of some candidates.

        Args:
            seen: A whole point of the curves at the very weights that the stack has now. Its rows are not
                computed again.
            index_M: Who they are.
        """
        judged_KN, watch_KN = self._pool.judged_KN(), self._pool.watch_KN
        weight_MN = self._pool.weights(judged_KN[index_M])
        predicted_train_MNO, train_scores_MN = self._completed(seen.train, judged_KN, index_M)
        predicted_MNO, validation_scores_MN = self._completed(seen.watched, watch_KN, index_M)
        return Final(
            predicted_MNO=predicted_MNO.cpu().numpy(),
            predicted_train_MNO=predicted_train_MNO.cpu().numpy(),
            train_y_MN=self._pool.y_N[judged_KN[index_M]].cpu().numpy(),
            train_weight_MN=None if weight_MN is None else weight_MN.cpu().numpy(),
            train_scores_MN=train_scores_MN.cpu().numpy(),
            validation_scores_MN=validation_scores_MN.cpu().numpy(),
        )

    def _completed(self, look: Look, rows_KN: Tensor, index_M: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and scores of rows of which a point of the curves has seen the first."""
        seen, num_seen = look.of(index_M), look.score_KN.shape[1]
        further_KN, predicted_MNO = rows_KN[:, num_seen:], seen.predicted_KNO
        if self._loss.scoring is None and not further_KN.shape[1]:
            return predicted_MNO, seen.score_KN
        if further_KN.shape[1]:
            scores_KON, shape = self._scores(further_KN), predicted_MNO.shape
            predicted_MNO = predicted_MNO.new_empty(shape[0], rows_KN.shape[1], *shape[2:])
            predicted_MNO[:, :num_seen] = seen.predicted_KNO
            for own in _pieces(len(index_M), scores_KON):
                scores_LON = scores_KON[index_M[own]]
                predicted_MNO[own, num_seen:] = self._loss.predict(scores_LON.transpose(1, 2))
        rows_MN = rows_KN[index_M]
        y_MN, weight_MN = self._pool.targets(rows_MN), self._pool.weights(rows_MN)
        # a curve needs the metric of all rows, a trial that of each
        return predicted_MNO, self._loss.score(predicted_MNO, y_MN, weight=weight_MN, by_row=True)

    def probe_rows(self, num_rows: int) -> tuple[Batch, Tensor]:
        """Gather a few training rows for looking inside, with their targets."""
        rows_KN = self._pool.sample_KN()[:, :num_rows]
        return self.batch(rows_KN), self._pool.y_N[rows_KN]

    def batch(self, rows_KN: Tensor) -> Batch:
        """Gather rows, once for all candidates where these share them."""
        return self._pool.shared(rows_KN[0]) if self._pool.same_rows else self._pool.batch(rows_KN)

    def _look(self, rows_KN: Tensor) -> Look:
        scores_KON, y_KN = self._scores(rows_KN), self._pool.targets(rows_KN)
        weight_KN = self._pool.weights(rows_KN)
        predicted, loss, score = [], [], []
        for own in _pieces(len(scores_KON), scores_KON):
            scores_KNO = scores_KON[own].transpose(1, 2)
            predicted.append(self._loss.predict(scores_KNO))
            loss.append(self._loss.rows(scores_KNO, y_KN[own]))
            weight_LN = None if weight_KN is None else weight_KN[own]
            if weight_LN is not None:  # class weights are relative to rows unweighted: one factor for all
                loss[-1] = (loss[-1] * relative_weights(weight_LN)).to(loss[-1].dtype)
            score.append(self._loss.score(predicted[-1], y_KN[own], weight=weight_LN))
        return Look(predicted_KNO=torch.cat(predicted), loss_KN=torch.cat(loss), score_KN=torch.cat(score))

    def _scores(self, rows_KN: Tensor) -> Tensor:
        """Compute scores slice by slice, classes before rows, as the loss wants them."""
        num_candidates, num_rows = rows_KN.shape
        # as if rows were narrower, where more of them are computed at once
        width = max(1, num_candidates * self._backend.widest // times_at_once(rows_KN.device))
        chunks = row_chunks(num_rows, floats_per_row=width)
        return self._backend.scores_of(self.batch(rows_KN[:, rows]) for rows in chunks)


def _pieces(num_candidates: int, scores_KON: Tensor) -> Iterator[slice]:
    """Take all rows of a few candidates at a time: class weights are relative to all rows of a mean."""
    near = NEAR * times_at_once(scores_KON.device)
    return row_chunks(num_candidates, floats_per_row=scores_KON[0].numel(), near=near, fewest=1)


def _spread(rows_KN: Tensor, most: int) -> Tensor:
    return rows_KN[:, :: max(1, -(-rows_KN.shape[1] // most))]
