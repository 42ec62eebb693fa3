"""One step of every candidate's own update rule, with its own numbers, on the flat buffers.

Letters: K candidates, P parameters.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from goodfit.engine.fused import adam_in_place
from goodfit.engine.plan import Plan
from goodfit.rules.adaptive import Adam
from goodfit.rules.base import Rule
from goodfit.rules.penalties import clip_by_norm, decoupled_decay, l1_gradient, l2_gradient
from goodfit.tensors import Layout


@dataclasses.dataclass(kw_only=True)
class _Segment:
    """Neighbours in the stack that follow the same update rule."""

    rule: type[Rule]
    rows: slice
    hyper: dict[str, Tensor]
    state: dict[str, Tensor]

    def at_rate(self, factor_K1: Tensor) -> dict[str, Tensor]:
        return self.hyper | {"lr": self.hyper["lr"] * factor_K1}


class Descent:
    """The update rules of a stack.

    Penalties and decay act on weights only, never on biases and normalisation, which do not make a
    function less smooth.

    Args:
        plans: One plan per candidate; equal rules stand next to each other.
        flat_KP: The parameters, to copy shape, type and device from.
        layout: Tells weights from biases.
        total_steps: Steps of the whole training, for the schedules.
    """

    def __init__(self, plans: Sequence[Plan], flat_KP: Tensor, *, layout: Layout, total_steps: int) -> None:
        self._plans = list(plans)
        self._total_steps = total_steps
        self._like = flat_KP.detach()
        self._decays_P = layout.mask(*layout.weights).to(flat_KP)
        self._segments = self._cut(flat_KP)
        self._read_numbers()

    def _cut(self, flat_KP: Tensor) -> list[_Segment]:
        segments, start = [], 0
        for rule, group in groupby(self._plans, key=lambda plan: type(plan.rule)):
            members = [plan.rule.hyperparameters() for plan in group]
            rows = slice(start, start + len(members))
            hyper = {name: self._column([m[name] for m in members]) for name in members[0]}
            segments.append(_Segment(rule=rule, rows=rows, hyper=hyper, state=rule.start(flat_KP[rows])))
            start = rows.stop
        return segments

    def _read_numbers(self) -> None:
        """Read once what every step needs: asking a tensor costs more than the step of a small network."""
        plans = self._plans
        self._l1_K1 = self._column([plan.l1 for plan in plans])
        self._l2_K1 = self._column([plan.l2 for plan in plans])
        self._decay_K1 = self._column([plan.rule.weight_decay for plan in plans])
        self._clip_K1 = self._column([plan.clip_norm for plan in plans])
        self._with_l1 = _places(plan.l1 > 0 for plan in plans)
        self._with_l2 = _places(plan.l2 > 0 for plan in plans)
        self._with_clip = _places(plan.clip_norm < math.inf for plan in plans)

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=self._like.dtype, device=self._like.device).unsqueeze(1)

    @torch.no_grad()
    def step(self, flat_KP: Tensor, grad_KP: Tensor, *, count: int) -> None:
        """Move the parameters in place.

        Args:
            flat_KP: Parameters.
            grad_KP: Gradients of the losses; used up.
            count: Number of this step, from 1.
        """
        self._add_penalties(flat_KP, grad_KP)
        factors = [plan.schedule.factor(count - 1, self._total_steps) for plan in self._plans]
        factor_K1 = self._column(factors)
        for segment in self._segments:
            rows = segment.rows
            hyper = segment.at_rate(factor_K1[rows])
            self._decay(flat_KP, rows, hyper["lr"])
            if segment.rule.update is Adam.update:
                adam_in_place(flat_KP[rows], grad_KP[rows], segment.state, hyper, t=count)
                continue
            change_KP, segment.state = segment.rule.update(grad_KP[rows], segment.state, hyper, count)
            flat_KP[rows] += change_KP

    def _add_penalties(self, flat_KP: Tensor, grad_KP: Tensor) -> None:
        for places, gradient, strength_K1 in (
            (self._with_l2, l2_gradient, self._l2_K1),
            (self._with_l1, l1_gradient, self._l1_K1),
        ):
            if places:
                grad_KP[places] += gradient(flat_KP[places], strength_K1[places]) * self._decays_P
        if self._with_clip:
            places = self._with_clip
            grad_KP[places] = clip_by_norm(grad_KP[places], self._clip_K1[places])

    def _decay(self, flat_KP: Tensor, rows: slice, lr_K1: Tensor) -> None:
        for place in range(rows.start, rows.stop):
            if self._plans[place].rule.weight_decay:
                flat_KP[place] = decoupled_decay(
                    flat_KP[place], lr_K1[place - rows.start], self._decay_K1[place], self._decays_P
                )

    def keep(self, index_M: Tensor) -> None:
        """Forget the candidates that left, with their state."""
        kept = [int(k) for k in index_M]
        segments, start = [], 0
        for segment in self._segments:
            rows = [k - segment.rows.start for k in kept if segment.rows.start <= k < segment.rows.stop]
            if not rows:
                continue
            segment.hyper = {name: column[rows] for name, column in segment.hyper.items()}
            segment.state = {name: slot[rows] for name, slot in segment.state.items()}
            segment.rows = slice(start, start + len(rows))
            segments.append(segment)
            start += len(rows)
        self._segments = segments
        self._plans = [self._plans[k] for k in kept]
        self._read_numbers()


def _places(flags: Iterable[bool]) -> list[int]:
    return [place for place, flag in enumerate(flags) if flag]
