"""Notes on one loss function: what it was given, what it said, and the latest answers behind it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from goodfit.engine.checks.graph import operations
from goodfit.watch.notes.curve import CourseOf
from goodfit.watch.notes.guesses import guess
from goodfit.watch.notes.kept import KeptBatches
from goodfit.watch.uses import LossUse, Place

MOST_NUMBERS = 65_536
"""Larger batches of answers are not kept."""
FEWEST_ROWS = 8
FEWEST_BATCHES = 4
NUM_LATEST = 4
TINY = 1e-30
CLEARLY = 0.02


class LossNotes:
    """What is known of one loss function.

    Args:
        function: Its name in ``torch.nn.functional``.
        is_plain: Whether it is called without class weights, smoothing and the like.
    """

    def __init__(self, function: str, *, is_plain: bool) -> None:
        self.function, self.is_plain = function, is_plain
        self.place: Place | None = None
        self.operations: tuple[str, ...] = ()
        self.shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.course = CourseOf()
        self.answers, self._checks, self._earlier_checks = KeptBatches(), KeptBatches(), KeptBatches()
        self.is_class_index = False
        self._low, self._high = math.inf, -math.inf
        self._target_low, self._target_high = math.inf, -math.inf
        self._outside = np.zeros(4)
        self._square = 0.0
        self._is_distribution = True
        self._is_target_distribution: bool | None = None
        self._num_calls = 0
        self._is_checking = False
        self.summed_rows = 0

    def add(self, value: Tensor, output: Tensor, target: Tensor, *, is_training: bool) -> None:
        """Keep the loss, and answers with their targets unless they are many."""
        if is_training:
            self._is_checking = False
        elif not self._is_checking:
            self._is_checking = True
            if self._checks.num_rows >= self._earlier_checks.num_rows:
                self._checks, self._earlier_checks = self._earlier_checks, self._checks
            self._checks.clear()
        if output.numel() <= MOST_NUMBERS:
            (self.answers if is_training else self._checks).add(output, target)
        if is_training:
            self._num_calls += 1
            self.course.add(value.detach())

    @property
    def checks(self) -> KeptBatches:
        """Answers of the last evaluation, or of an earlier one of which twice as many were heard."""
        is_scant = 2 * self._checks.num_rows < self._earlier_checks.num_rows
        return self._earlier_checks if is_scant else self._checks

    def look(self, output: Tensor, target: Tensor, *, place: Place | None) -> None:
        """Look at the numbers of one call."""
        made_by = operations(output)
        if not self.operations:
            self.place, self.operations = place, made_by
        if not self.shapes[0] or output.numel() > math.prod(self.shapes[0]):
            self.shapes = tuple(output.shape), tuple(target.shape)
        self.is_class_index = not (target.is_floating_point() or target.is_complex())
        a, t = output.detach().float(), target.detach().float()
        if not a.numel() or not t.numel():
            return
        rows = _row_sums(a, is_log=self.function == "nll_loss")
        numbers = torch.stack(
            [a.min(), a.max(), t.min(), t.max(), (rows - 1).abs().max(), t.square().mean()]
        ).tolist()
        self._low, self._high = min(self._low, numbers[0]), max(self._high, numbers[1])
        self._target_low = min(self._target_low, numbers[2])
        self._target_high = max(self._target_high, numbers[3])
        self._is_distribution &= numbers[4] < 0.01
        self._square = numbers[5]
        if not self.is_class_index:
            self._look_at_targets(t, margin=CLEARLY * min(1.0, max(abs(numbers[2]), abs(numbers[3]))))

    def _look_at_targets(self, t: Tensor, *, margin: float) -> None:
        counts = torch.stack([(t < -margin).sum(), (t < -1 - margin).sum(), (t > 1 + margin).sum()])
        self._outside += np.array([*counts.tolist(), t.numel()])
        if t.ndim == 2 and t.shape[1] > 1:
            is_one = bool(((t.sum(1) - 1).abs() < 0.01).all()) and bool((t >= 0).all())
            self._is_target_distribution = is_one and self._is_target_distribution is not False

    def rows(self, *, is_training: bool, limit: int | None = None) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the latest answers and targets, rows first; ``None`` if there are none.

        Args:
            is_training: Whether to take those with gradients, or those of the last evaluation.
            limit: Take no more batches than this many rows need.
        """
        kept = [
            (output, target)
            for output, target in (self.answers if is_training else self.checks)
            if len(output) == len(target)
        ]
        if not kept:
            return None
        if limit is not None:
            ages = itertools.accumulate(len(output) for output, _ in reversed(kept))
            kept = kept[-1 - sum(age < limit for age in ages) :]
        outputs, targets = (torch.cat([pair[k] for pair in kept]).cpu() for k in (0, 1))
        return outputs.float().numpy(), targets.float().numpy()

    def record(self, *, is_over: bool) -> LossUse:
        """Freeze what is known; the guess only once the script is over."""
        latest = self.rows(is_training=True) if is_over else None
        targets = latest[1] if latest else np.empty(0)
        below_zero, below_minus_one, above_one = self._outside[:3] / max(1.0, self._outside[3])
        return LossUse(
            function=self.function,
            place=self.place,
            operations=self.operations,
            output_shape=self.shapes[0],
            target_shape=self.shapes[1],
            is_class_index=self.is_class_index,
            output_low=self._low,
            output_high=self._high,
            target_low=self._target_low,
            target_high=self._target_high,
            below_zero=float(below_zero),
            below_minus_one=float(below_minus_one),
            above_one=float(above_one),
            is_distribution=self._is_distribution,
            is_target_distribution=self._is_target_distribution,
            is_target_constant=self._target_low == self._target_high,
            target_scale=math.sqrt(self._square) if math.isfinite(self._square) else math.inf,
            output_spread=_spread(self.answers),
            num_calls=self._num_calls,
            curve=self.course.values(),
            guess=guess(self.function, targets, is_class_index=self.is_class_index)
            if is_over and self.is_plain and targets.size
            else None,
            summed_rows=self.summed_rows,
            apart=_apart(self.answers) if is_over else None,
        )


def _apart(answers: Iterable[tuple[Tensor, Tensor]]) -> float | None:
    """Share of the variance of single targets that lies between batches; ``None`` with few of them."""
    batches = [
        target.double().flatten().cpu().numpy()
        for _, target in answers
        if target.numel() == len(target) >= FEWEST_ROWS
    ]
    if len(batches) < FEWEST_BATCHES:
        return None
    every = np.concatenate(batches)
    total = float(((every - every.mean()) ** 2).sum())
    between = sum(len(batch) * (batch.mean() - every.mean()) ** 2 for batch in batches)
    return float(between / total) if 0 < total < math.inf else None


def _row_sums(a: Tensor, *, is_log: bool) -> Tensor:
    if a.ndim < 2:
        return torch.zeros(1, device=a.device)
    sums = (a.exp() if is_log else a).sum(1)
    return torch.where((a < -1e-4).any(1) & (not is_log), torch.zeros_like(sums), sums)


def _spread(answers: Iterable[tuple[Tensor, Tensor]]) -> float | None:
    """Largest spread within one of the latest batches; small batches are taken together."""
    flats = [output.float().reshape(len(output), -1) for output, _ in answers]
    latest = [flat for flat in flats[-NUM_LATEST:] if len(flat) >= FEWEST_ROWS]
    if not latest and flats:
        joined = torch.cat(flats[-FEWEST_ROWS:])
        latest = [joined] if len(joined) >= FEWEST_ROWS else []
    spreads = [float((std := flat.std(0).max()) / (std + flat.abs().mean() + TINY)) for flat in latest]
    return max(spreads) if spreads and all(map(math.isfinite, spreads)) else None
