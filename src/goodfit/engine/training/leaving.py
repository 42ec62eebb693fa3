"""What becomes of candidates that leave a stack: the weights they hand over, the history of their training.

Letters: K candidates that are present, M of them that leave, N rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import final

import torch

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.chance.noise import Streams
from goodfit.engine.history import Choice, Ending, History, curve
from goodfit.engine.looks.curves import Curves
from goodfit.engine.looks.evaluation import Evaluation, Measured
from goodfit.engine.looks.probes import Probes
from goodfit.engine.looks.reliability import reliability
from goodfit.engine.machine.garbage import uncollected
from goodfit.engine.moves.keeping import Kept
from goodfit.engine.moves.settling import needs_settling, pieces, settle
from goodfit.engine.rows.pool import Pool
from goodfit.engine.ways.backend import Backend
from goodfit.engine.ways.construction import sizes_of

Present = Sequence[tuple[int, Candidate]]
"""Candidates in the order of the stack, each with its number in the population."""


@final
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Leaving:
    """Puts together what becomes of candidates, from what a stack has seen of them.

    Attributes:
        split: The data.
        choice: How they were computed.
        pool: Their rows.
        backend: Their weights.
        evaluation: Scores rows.
        curves: Their learning curves.
        probes: What was seen inside their layers.
        kept: What they go back to.
        dropout_streams: Of hidden dropout, for statistics that are settled in training mode.
        batch_size: Rows of a step.
    """

    split: Split
    choice: Choice
    pool: Pool
    backend: Backend
    evaluation: Evaluation
    curves: Curves
    probes: Probes
    kept: Kept
    dropout_streams: Streams
    batch_size: int

    def trained(
        self, present: Present, places: Sequence[int], *, last: Measured, ending: Ending, seconds: float
    ) -> dict[int, Trained]:
        """Score those who leave with what they hand over.

        Args:
            present: All who are in the stack.
            places: Where those who leave stand among them.
            last: What is seen of all of them now.
            ending: Why they leave.
            seconds: What the training of one of them took.

        Returns:
            What became of each who leaves, by number.
        """
        members = [candidate for _, candidate in present]
        handed_over = self.kept.handed_over(members, last)
        with self.backend.showing(handed_over.flat_KP, handed_over.buffers), uncollected():
            seen = self._settled(members) or handed_over.seen
            scored = self.evaluation.final(seen, torch.tensor(places))
            found = {}
            for row, place in enumerate(places):
                k, candidate = present[place]
                history = self._history(k, candidate, ending=ending, seconds=seconds)
                # a network that learnt by weight is sure of rows as they weigh, not as they come
                if history.metric == "accuracy" and self.pool.weight_N is None:
                    groups = reliability(scored.predicted_MNO[row], scored.validation_scores_MN[row])
                    history = dataclasses.replace(history, reliability=groups)
                found[k] = Trained(
                    candidate=candidate,
                    history=history,
                    weights=self.backend.weights(place),
                    predicted_NO=scored.predicted_MNO[row],
                    predicted_train_NO=scored.predicted_train_MNO[row],
                    train_y_N=scored.train_y_MN[row],
                    train_weight_N=None if scored.train_weight_MN is None else scored.train_weight_MN[row],
                    train_scores_N=scored.train_scores_MN[row],
                    validation_scores_N=scored.validation_scores_MN[row],
                )
        return found

    def _settled(self, members: Sequence[Candidate]) -> Measured | None:
        """Settle the statistics of who hands over now; ``None`` if nobody needs that."""
        needs_K = torch.tensor([needs_settling(candidate.plan) for candidate in members])
        if not needs_K.any():
            return None
        batches = (self.evaluation.batch(rows_KN) for rows_KN in pieces(self.pool.judged_KN()))
        settle(self.backend, batches, needs_K=needs_K, streams=self.dropout_streams)
        return self.evaluation.measure()

    def _history(self, k: int, candidate: Candidate, *, ending: Ending, seconds: float) -> History:
        plan, num_rows = candidate.plan, self.pool.learn_KN.shape[1]
        epochs, curves, best_epoch = self.curves.of(k)
        probed_epochs, layers = self.probes.of(k)
        train_loss, train_score, validation_loss, validation_score = map(curve, curves)
        return History(
            arm=candidate.arm,
            seed=candidate.seed,
            structure=plan.network.describe(sizes_of(plan, self.split)),
            rule=plan.rule.label,
            lr=plan.rule.lr,
            metric=plan.loss.metric,
            num_parameters=self.backend.layout.num_parameters,
            num_rows=num_rows,
            num_validation_rows=self.pool.watch_KN.shape[1],
            batch_size=self.batch_size,
            steps_per_epoch=num_rows // self.batch_size,
            epochs=epochs,
            train_loss=train_loss,
            train_score=train_score,
            validation_loss=validation_loss,
            validation_score=validation_score,
            probed_epochs=probed_epochs,
            layers=layers,
            best_epoch=best_epoch,
            ending=ending,
            seconds=seconds,
            choice=self.choice,
        )
