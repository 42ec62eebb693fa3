"""One step of every candidate's own update rule, with its own numbers, on the flat buffers.

Letters: K candidates, P parameters.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from goodfit.engine.plan import Plan
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

    Penalties and decay act on weights only, never on biases and normalisation, which do not make a function less smooth.

    Args:
        plans: One plan per candidate; equal rules stand next to each other.
        flat_KP: The parameters, to copy shape, type and device from.
        layout: Tells weights from biases.
        total_steps: Steps of the whole training, for the schedules.
    """

    def __init__(
        self, plans: Sequence[Plan], flat_KP: Tensor, *, layout: Layout, total_steps: int
    ) -> None:
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
        self._l1_K1 = self._column([plan.l1 for plan in self._plans])
        self._l2_K1 = self._column([plan.l2 for plan in self._plans])
        self._decay_K1 = self._column([plan.rule.weight_decay for plan in self._plans])
        self._clip_K1 = self._column([plan.clip_norm for plan in self._plans])
        # read once: asking a tensor at every step would cost more than the step of a small network
        self._has_l1, self._has_l2 = bool(self._l1_K1.any()), bool(self._l2_K1.any())
        self._has_decay = bool(self._decay_K1.any())
        self._has_clip = any(plan.clip_norm < math.inf for plan in self._plans)

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=self._like.dtype, device=self._like.device).unsqueeze(1)

    @torch.no_grad()
    def step(self, flat_KP: Tensor, grad_KP: Tensor, *, count: int) -> Tensor:
        """Move the parameters in place; returns the change that the rules made, ``(K, P)``.

        Args:
            flat_KP: Parameters.
            grad_KP: Gradients of the losses; changed by penalties and clipping.
            count: Number of this step, from 1.
        """
        if self._has_l2:
            grad_KP += l2_gradient(flat_KP, self._l2_K1) * self._decays_P
        if self._has_l1:
            grad_KP += l1_gradient(flat_KP, self._l1_K1) * self._decays_P
        if self._has_clip:
            grad_KP = clip_by_norm(grad_KP, self._clip_K1)
        factor_K1 = self._column([p.schedule.factor(count - 1, self._total_steps) for p in self._plans])
        changes = []
        for segment in self._segments:
            rows = segment.rows
            hyper = segment.at_rate(factor_K1[rows])
            change, segment.state = segment.rule.update(grad_KP[rows], segment.state, hyper, count)
            if self._has_decay:
                decayed = decoupled_decay(
                    flat_KP[rows], hyper["lr"], self._decay_K1[rows], mask=self._decays_P
                )
                flat_KP[rows] = decayed
            flat_KP[rows] += change
            changes.append(change)
        return changes[0] if len(changes) == 1 else torch.cat(changes)

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

