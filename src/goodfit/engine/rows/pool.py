"""The rows that a population learns from, on the device once, with the row numbers of every candidate.

Letters: K candidates, N rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import ReferenceType, WeakKeyDictionary, ref

import torch
from torch import Tensor

from goodfit.data.split import Rows, Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.goodness.weighting import drawn_by_weight
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.backend import Batch
from goodfit.errors import PlanError
from goodfit.seeds import numpy_stream

SAMPLED_ROWS = 2000
"""Training rows on which a point of a curve is measured; more would cost time and show nothing new."""
JUDGED_ROWS = 10_000
"""Training rows on which a candidate is scored at its end: enough to tell effects of half a hundredth."""

JOINED_BYTES = 32_000_000
"""Training rows up to which training and validation rows are copied into one piece, where folds mix them."""


class Pool:
    """Training and validation rows one behind the other, and who learns from which.

    Args:
        split: The data; its sealed test part is not touched.
        candidates: The population; their plans share one view of the inputs.
        device: Where the rows are needed.

    Attributes:
        y_N: Targets of all rows.
        weight_N: Weights of all rows; ``None`` where all are equal.
        learn_KN: Row numbers each candidate learns from, ``(K, N)``.
        watch_KN: Row numbers each candidate is watched on.
        same_rows: Whether all candidates learn from the same rows.
    """

    def __init__(
        self, split: Split, candidates: Sequence[Candidate], *, device: torch.device = PROCESSOR
    ) -> None:
        inputs = candidates[0].plan.inputs
        train, validation = split.rows("train", inputs=inputs), split.rows("validation", inputs=inputs)
        folds = [candidate.fold for candidate in candidates]
        self.same_rows = len(set(folds)) == 1
        self._is_folded = any(fold is not None for fold in folds)
        self._parts: list[Rows] = [train, validation]
        if device.type != "cpu":
            self._parts = [resident(train, validation, device)]
        elif self._is_folded and train.x.nbytes <= JOINED_BYTES:
            self._parts = [_join(train, validation)]
        self.num_train, self.num_validation = len(train), len(validation)
        self.learn_KN, self.watch_KN = (
            rows_KN.to(device) if self._is_folded else rows_KN[:1].to(device).expand(len(folds), -1)
            for rows_KN in self._row_numbers(folds, split.seed)
        )
        self.y_N = torch.cat([train.y_N, validation.y_N]).to(device)
        self.weight_N: Tensor | None = None
        if train.weight_N is not None and validation.weight_N is not None:
            self.weight_N = torch.cat([train.weight_N, validation.weight_N]).to(device)
        generator = numpy_stream(split.seed, "sampled rows")
        num_learn = self.learn_KN.shape[1]
        chosen = torch.from_numpy(generator.permutation(num_learn)).to(device)
        self._sample_N = chosen[:SAMPLED_ROWS].sort().values
        self._further_N = chosen[SAMPLED_ROWS:JUDGED_ROWS].sort().values
        self._room = Workspace(self._parts[0].x)

    def rows_of_epoch(self, order_KN: Tensor, start_K: Tensor | None = None) -> Tensor:
        """Row numbers that each candidate learns from, in the given order.

        Args:
            order_KN: The order.
            start_K: Where there are weights, a number from 0 to below 1 for each candidate: rows are then
                drawn by them.
        """
        if self.weight_N is not None and start_K is not None:
            learn_KN = self.learn_KN if self._is_folded else self.learn_KN[:1]
            order_KN = drawn_by_weight(self.weight_N[learn_KN], start_K).gather(1, order_KN)
        # without folds they are 0, 1, 2 ...: the order itself
        return self.learn_KN.gather(1, order_KN) if self._is_folded else order_KN

    def keep(self, index_M: Tensor) -> None:
        """Forget the candidates that left."""
        self.learn_KN, self.watch_KN = self.learn_KN[index_M], self.watch_KN[index_M]
        self._room.clear()

    def sample_KN(self) -> Tensor:
        """Row numbers of the training rows on which each candidate's curve is measured."""
        return self._learnt_KN(self._sample_N)

    def judged_KN(self) -> Tensor:
        """Row numbers of the training rows that score each candidate at its end, the sampled ones first."""
        return self._learnt_KN(torch.cat([self._sample_N, self._further_N]))

    def _learnt_KN(self, places_N: Tensor) -> Tensor:
        if self.same_rows:
            return self.learn_KN[:1, places_N].expand(len(self.learn_KN), -1)
        return self.learn_KN[:, places_N]

    def batch(self, rows_KB: Tensor) -> Batch:
        """Gather one set of rows for each candidate."""
        x, codes = self._gather(rows_KB)
        return Batch(x=x, codes=codes, shared=False)

    def batch_of_step(self, rows_KB: Tensor) -> Batch:
        """Gather as :meth:`batch` does, where the rows of the last step stood."""
        x, codes = self._gather(rows_KB, self._room)
        return Batch(x=x, codes=codes, shared=False)

    def targets(self, rows: Tensor) -> Tensor:
        """Gather the targets of rows in any shape."""
        return _take(self.y_N, rows)

    def weights(self, rows: Tensor) -> Tensor | None:
        """Gather the weights of rows in any shape; ``None`` where all are equal."""
        return None if self.weight_N is None else self.weight_N[rows]

    def shared(self, rows_N: Tensor) -> Batch:
        """Gather one set of rows for all candidates."""
        x, codes = self._gather(rows_N)
        return Batch(x=x, codes=codes, shared=True)

    def _gather(self, rows: Tensor, room: Workspace | None = None) -> tuple[Tensor, Tensor | None]:
        part = self._parts[0]
        if len(self._parts) == 2 and self._is_folded:
            return self._gather_from_both(rows, room)
        if len(self._parts) == 2 and int(rows[(0,) * rows.dim()]) >= self.num_train:
            # without folds a request lies in one part: nothing is ever joined, and memory holds the data once
            part, rows = self._parts[1], rows - self.num_train
        place = None if room is None else room.take("inputs", *rows.shape, *part.x.shape[1:])
        return _take(part.x, rows, place), None if part.codes_NC is None else _take(part.codes_NC, rows)

    def _gather_from_both(self, rows: Tensor, room: Workspace | None) -> tuple[Tensor, Tensor | None]:
        train, validation = self._parts
        place = None if room is None else room.take("inputs", *rows.shape, *train.x.shape[1:])
        x = _take_from_both(train.x, validation.x, rows, place)
        if train.codes_NC is None or validation.codes_NC is None:
            return x, None
        return x, _take_from_both(train.codes_NC, validation.codes_NC, rows)

    def _row_numbers(self, folds: Sequence[tuple[int, int] | None], seed: int) -> tuple[Tensor, Tensor]:
        num_rows = self.num_train + self.num_validation
        if all(fold is None for fold in folds):
            rows_KN = torch.arange(num_rows).expand(len(folds), -1)
            return rows_KN[:, : self.num_train], rows_KN[:, self.num_train :]
        if any(fold is None for fold in folds):
            raise PlanError(
                "some candidates of one stack hold out a fold and some do not",
                fix="give every candidate of a population a fold, or none",
            )
        shuffled_N = torch.from_numpy(numpy_stream(seed, "folds").permutation(num_rows))
        learn, watch = [], []
        for fold in folds:
            assert fold is not None
            index, count = fold
            size = num_rows // count  # equal sizes, so that the stack stays rectangular
            held = torch.zeros(num_rows, dtype=torch.bool)
            held[index * size : (index + 1) * size] = True
            watch.append(shuffled_N[held])
            learn.append(shuffled_N[~held])
        return torch.stack(learn), torch.stack(watch)


def _take(stored: Tensor, rows: Tensor, place: Tensor | None = None) -> Tensor:
    """Gather whole rows, which ``index_select`` copies in one piece and indexing number by number."""
    if place is None:
        return stored.index_select(0, rows.flatten()).view(*rows.shape, *stored.shape[1:])
    torch.index_select(stored, 0, rows.flatten(), out=place.flatten(0, rows.dim() - 1))
    return place


def _take_from_both(first: Tensor, second: Tensor, rows: Tensor, place: Tensor | None = None) -> Tensor:
    """Gather rows numbered through two tensors, of which no joined copy is made."""
    if place is None:
        place = first.new_empty(*rows.shape, *first.shape[1:])
    flat, rows_R = place.view(-1, *first.shape[1:]), rows.flatten()
    is_second_R = rows_R >= len(first)
    for stored, chosen_R, start in ((first, ~is_second_R, 0), (second, is_second_R, len(first))):
        flat[chosen_R] = stored.index_select(0, rows_R[chosen_R] - start)
    return place


_resident: WeakKeyDictionary[Rows, dict[torch.device, tuple[ReferenceType[Rows], Rows]]] = WeakKeyDictionary()


def resident(train: Rows, validation: Rows, device: torch.device) -> Rows:
    """Bring rows to a device, as one tensor; they stay there as long as the training rows are kept here."""
    held = _resident.setdefault(train, {})
    if device not in held or held[device][0]() is not validation:
        joined = _join(train, validation)
        codes_NC = None if joined.codes_NC is None else joined.codes_NC.to(device)
        there = Rows(x=joined.x.to(device), codes_NC=codes_NC, y_N=joined.y_N.to(device))
        held[device] = (ref(validation), there)
    return held[device][1]


def _join(first: Rows, second: Rows) -> Rows:
    codes = None
    if first.codes_NC is not None and second.codes_NC is not None:
        codes = torch.cat([first.codes_NC, second.codes_NC])
    return Rows(x=torch.cat([first.x, second.x]), codes_NC=codes, y_N=torch.cat([first.y_N, second.y_N]))
