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

from goodfit.engine.moves.in_place import Move, in_place
from goodfit.engine.moves.own_moves import OwnMoves
from goodfit.engine.plan import Plan
from goodfit.rules.base import Rule
from goodfit.rules.own import Own
from goodfit.tensors import Layout, column, views


@dataclasses.dataclass(kw_only=True)
class Segment:
    """Neighbours in the stack that follow the same update rule."""

    rule: type[Rule]
    rows: slice
    hyper: dict[str, Tensor]
    state: dict[str, Tensor]
    move: Move | None

    def at_rate(self, factor_K1: Tensor | None) -> dict[str, Tensor]:
        """Give its numbers with the rates times what the schedules say."""
        if factor_K1 is None:
            return self.hyper
        return self.hyper | {"lr": self.hyper["lr"] * factor_K1[self.rows]}


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
        self._layout = layout
        self._segments = self._cut(flat_KP)
        self._read_numbers()

    def _cut(self, flat_KP: Tensor) -> list[Segment]:
        segments, start = [], 0
        for rule, group in groupby(self._plans, key=lambda plan: type(plan.rule)):
            rules = [plan.rule for plan in group]
            members = [one.hyperparameters() for one in rules]
            rows = slice(start, start + len(members))
            hyper = {name: self._column([m[name] for m in members]) for name in members[0]}
            own = [one for one in rules if isinstance(one, Own)]
            state = rule.start(flat_KP[rows])
            move = OwnMoves(own, self._layout) if own else in_place(rule)
            segments.append(Segment(rule=rule, rows=rows, hyper=hyper, state=state, move=move))
            start = rows.stop
        return segments

    def _read_numbers(self) -> None:
        """Read once what every step needs: asking a tensor costs more than the step of a small network."""
        plans = self._plans
        self._l1_K1 = self._column_if_any([plan.l1 for plan in plans])
        self._l2_K1 = self._column_if_any([plan.l2 for plan in plans])
        self._decay_K1 = self._column_if_any([plan.rule.weight_decay for plan in plans])
        self._rate_K1 = self._column([plan.rule.lr for plan in plans])
        clips = [plan.clip_norm for plan in plans]
        self._clip_K1 = self._column(clips) if min(clips) < math.inf else None
        self._schedules = list(dict.fromkeys(plan.schedule for plan in plans))
        self._schedule_of = [self._schedules.index(plan.schedule) for plan in plans]

    def _column_if_any(self, numbers: Sequence[float]) -> Tensor | None:
        return self._column(numbers) if any(numbers) else None

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return column(numbers, self._like)

    @torch.no_grad()
    def step(self, flat_KP: Tensor, grad_KP: Tensor, *, count: int) -> None:
        """Move the parameters in place.

        Args:
            flat_KP: Parameters.
            grad_KP: Gradients of the losses; used up.
            count: Number of this step, from 1.
        """
        self._add_penalties(flat_KP, grad_KP)
        self._clip(grad_KP)
        factor_K1 = self._factors(count - 1)
        self._decay(flat_KP, factor_K1)
        for segment in self._segments:
            w_KP, g_KP = flat_KP[segment.rows], grad_KP[segment.rows]
            hyper = segment.at_rate(factor_K1)
            if segment.move is not None:
                segment.move(w_KP, g_KP, segment.state, hyper, t=count)
            else:
                change_KP, segment.state = segment.rule.update(g_KP, segment.state, hyper, count)
                w_KP.add_(change_KP)

    def _factors(self, step: int) -> Tensor | None:
        """What the schedules multiply the rates by, ``(K, 1)``; ``None`` for one everywhere."""
        factors = [schedule.factor(step, self._total_steps) for schedule in self._schedules]
        if all(factor == 1 for factor in factors):
            return None
        return self._column([factors[place] for place in self._schedule_of])

    def _weights(self, flat_KP: Tensor) -> list[Tensor]:
        named = views(flat_KP, self._layout)
        return [named[name].flatten(1) for name in self._layout.weights]

    def _add_penalties(self, flat_KP: Tensor, grad_KP: Tensor) -> None:
        # a strength of zero adds zero; the product of a diverged candidate's weights stays in its own row
        if self._l2_K1 is None and self._l1_K1 is None:
            return
        for w_KD, g_KD in zip(self._weights(flat_KP), self._weights(grad_KP), strict=True):
            if self._l2_K1 is not None:
                g_KD.addcmul_(w_KD, self._l2_K1)
            if self._l1_K1 is not None:
                g_KD.addcmul_(w_KD.sign(), self._l1_K1)

    def _clip(self, grad_KP: Tensor) -> None:
        if self._clip_K1 is None:
            return
        factor_K1 = (self._clip_K1 / grad_KP.norm(dim=-1, keepdim=True)).clamp_(max=1)
        # the norm of a gradient may overflow where nobody asked for clipping
        grad_KP.mul_(factor_K1.masked_fill_(self._clip_K1 == math.inf, 1.0))

    def _decay(self, flat_KP: Tensor, factor_K1: Tensor | None) -> None:
        if self._decay_K1 is None:
            return
        rate_K1 = self._rate_K1 if factor_K1 is None else self._rate_K1 * factor_K1
        kept_K1 = 1 - rate_K1 * self._decay_K1
        for w_KD in self._weights(flat_KP):
            w_KD.mul_(kept_K1)

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
            if isinstance(segment.move, OwnMoves):
                segment.move.keep(rows)
            segment.rows = slice(start, start + len(rows))
            segments.append(segment)
            start += len(rows)
        self._segments = segments
        self._plans = [self._plans[k] for k in kept]
        self._read_numbers()
