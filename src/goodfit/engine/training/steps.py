"""The steps of an epoch: rows of each candidate, their gradients, the update, the averages.

Letters: K candidates, N rows, B rows of a batch, P parameters, S steps of an epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import final

from torch import Tensor

from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.captured import repeated
from goodfit.engine.machine.device import wait_for
from goodfit.engine.moves.descent import Descent
from goodfit.engine.moves.keeping import AveragedWeights
from goodfit.engine.moves.tabled import TabledDescent
from goodfit.engine.moves.timetable import Timetable
from goodfit.engine.plan import Plan
from goodfit.engine.rows.pool import Pool
from goodfit.engine.rows.variation import Variation
from goodfit.engine.ways.backend import Backend, Dropout
from goodfit.rules.own import Own
from goodfit.tensors import column


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What a step goes through.

    Attributes:
        pool: Gathers rows.
        variation: Varies them.
        backend: Differentiates.
        descent: Moves the parameters.
        averaged: Follows them; ``None`` where no candidate averages.
        loss: What is differentiated.
        batch_size: B.
    """

    pool: Pool
    variation: Variation
    backend: Backend
    descent: Descent
    averaged: AveragedWeights | None
    loss: Loss
    batch_size: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """What of a step changes when candidates leave.

    Attributes:
        dropout: Rates and streams.
        smoothing_K1: Label smoothing; ``None`` where there is none.
    """

    dropout: Dropout
    smoothing_K1: Tensor | None

    @classmethod
    def of(cls, plans: Sequence[Plan], streams: Mapping[str, Streams], like_KP: Tensor) -> Rates:
        """Read them from the plans of those who are there.

        Args:
            plans: One per candidate.
            streams: Of hidden and of input dropout.
            like_KP: The parameters, to copy type and device from.
        """
        dropout = Dropout(
            hidden_K1=column([plan.dropout for plan in plans], like_KP),
            input_K1=column([plan.input_dropout for plan in plans], like_KP),
            hidden_streams=streams["hidden dropout"],
            input_streams=streams["input dropout"],
        )
        smoothing = [plan.label_smoothing for plan in plans]
        return cls(dropout=dropout, smoothing_K1=column(smoothing, like_KP) if any(smoothing) else None)


class Steps:
    """Take one step after the other, with numbers that the processor hands to each.

    Args:
        parts: What a step goes through.
    """

    warm_steps = 1
    """Steps after which one costs what all later ones do."""

    _rows_KN: Tensor
    _rates: Rates

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._device = parts.backend.flat_KP.device
        self._count = 0

    def read(self, rates: Rates) -> None:
        """Look at the candidates anew, at the beginning and whenever some have left."""
        self._rates = rates

    def begin(self, rows_KN: Tensor) -> None:
        """Begin an epoch with each candidate's rows in their order."""
        self._rows_KN = rows_KN

    def take(self, step: int) -> None:
        """Take the step of that number in the epoch, counted from 0."""
        parts, size = self._parts, self._parts.batch_size
        rows_KB = self._rows_KN[:, step * size : (step + 1) * size].contiguous()
        self._count += 1
        grad_KP = gradients(parts, self._rates, rows_KB)
        parts.descent.step(parts.backend.flat_KP, grad_KP, count=self._count)
        if parts.averaged is not None:
            parts.averaged.add(parts.backend.flat_KP, count=self._count)

    def wait(self) -> None:
        """Wait until all steps are over, where a GPU takes them while the processor goes on."""
        wait_for(self._device)


@final
class RecordedSteps(Steps):
    """Take steps that read their numbers from a timetable, so that all of them are the same operations.

    Args:
        parts: What a step goes through; the descent is tabled.
    """

    warm_steps = 2

    def read(self, rates: Rates) -> None:
        """Forget what was recorded: the tensors of those who stay lie elsewhere."""
        parts, timetable = self._parts, Timetable(self._device)
        self._timetable = timetable
        # nothing here holds this object, or a GPU's memory would wait for Python to look for garbage
        self._repeat = repeated(
            lambda: recorded_step(parts, rates, timetable),
            self._device,
            is_steady=lambda: parts.backend.can_be_recorded and not parts.loss.is_own,
        )

    def begin(self, rows_KN: Tensor) -> None:
        """Write down the rows and numbers of all steps."""
        parts, size = self._parts, self._parts.batch_size
        num_steps, first = rows_KN.shape[1] // size, self._count + 1
        assert isinstance(parts.descent, TabledDescent)
        rows_SKB = rows_KN[:, : num_steps * size].unflatten(1, (num_steps, size)).transpose(0, 1)
        columns = {"rows": rows_SKB, **parts.descent.numbers(first, num_steps)}
        if parts.averaged is not None:
            columns["decay"] = parts.averaged.decays(first, num_steps)
        if parts.variation.mixes:
            columns["share"] = parts.variation.shares(num_steps)
        self._timetable.write(columns)

    def take(self, step: int) -> None:
        """Take the next step, or the first one again."""
        if step == 0:
            self._timetable.begin()
        self._count += 1
        self._repeat()


def gradients(parts: Parts, rates: Rates, rows_KB: Tensor, *, share_K: Tensor | None = None) -> Tensor:
    """Differentiate each candidate's loss of its rows as a step shows them.

    Args:
        parts: What a step goes through.
        rates: Of those who are there.
        rows_KB: Row numbers.
        share_K: As in :meth:`Variation.show`.
    """
    batch, y_KB = parts.variation.show(
        parts.pool.batch_of_step(rows_KB), parts.pool.targets(rows_KB), share_K=share_K
    )
    return parts.backend.loss_gradients(
        batch, y_KB, loss=parts.loss, smoothing_K1=rates.smoothing_K1, dropout=rates.dropout
    )


def recorded_step(parts: Parts, rates: Rates, timetable: Timetable) -> None:
    """Take the present step of a timetable, and let it move on; the same operations every time."""
    share_K = timetable.now("share") if timetable.has("share") else None
    grad_KP, flat_KP = gradients(parts, rates, timetable.now("rows"), share_K=share_K), parts.backend.flat_KP
    assert isinstance(parts.descent, TabledDescent)
    parts.descent.step_by(timetable, flat_KP, grad_KP)
    if parts.averaged is not None:
        parts.averaged.mix(flat_KP, timetable.now("decay"))
    timetable.move_on()


def steps_of(parts: Parts) -> Steps:
    """Take steps in the way that suits the device."""
    return RecordedSteps(parts) if isinstance(parts.descent, TabledDescent) else Steps(parts)


def is_recorded(backend: Backend, plans: Sequence[Plan]) -> bool:
    """Whether steps read their numbers from a timetable, and may be recorded: on a GPU, by known rules."""
    is_known = not any(isinstance(plan.rule, Own) for plan in plans)
    return backend.flat_KP.device.type == "cuda" and is_known
