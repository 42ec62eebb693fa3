"""Update rules for recorded steps: what depends on the step is written down before an epoch begins.

Rates, schedules and the corrections of Adam are computed in double precision for all steps of an epoch at
once, so that a step itself is one pass over the buffers, by a kernel where there is one.

Letters: K candidates, P parameters, S steps, C numbers of a rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import final

import torch
from torch import Tensor

from goodfit.engine.machine.kernels import kernels_on
from goodfit.engine.moves.descent import Descent
from goodfit.engine.moves.timetable import Timetable
from goodfit.engine.plan import Plan
from goodfit.tensors import Layout

State = MutableMapping[str, Tensor]
Numbers = Mapping[str, Tensor]


@final
class TabledDescent(Descent):
    """The rules of a stack as :class:`Descent` has them, with their numbers read from a timetable.

    Args:
        plans: As in :class:`Descent`.
        flat_KP: As in :class:`Descent`.
        layout: As in :class:`Descent`.
        total_steps: As in :class:`Descent`.
    """

    def __init__(self, plans: Sequence[Plan], flat_KP: Tensor, *, layout: Layout, total_steps: int) -> None:
        super().__init__(plans, flat_KP, layout=layout, total_steps=total_steps)
        self._weights_P = layout.mask(*layout.weights).to(flat_KP.device)

    def numbers(self, first: int, num_steps: int) -> dict[str, Tensor]:
        """Compute what the steps of an epoch need.

        Args:
            first: Number of its first step, from 1.
            num_steps: S.

        Returns:
            For each segment a column ``(S, C, K)`` for the timetable.
        """
        factor_SK = self._factors_SK(first - 1, num_steps)
        t_S1 = torch.arange(first, first + num_steps, dtype=torch.float64).unsqueeze(1)
        columns = {}
        for place, segment in enumerate(self._segments):
            hyper = self._exact[place]
            rate_SK = hyper["lr"] * factor_SK[:, segment.rows]
            rate, *own = NUMBERS[segment.rule.name](hyper, rate_SK, t_S1)
            kept_SK = 1 - rate_SK * hyper["weight_decay"]
            table = torch.stack([row.expand_as(rate_SK) for row in (rate, kept_SK, *own)], dim=1)
            columns[_column(place)] = table.to(self._like)
        return columns

    def _read_numbers(self) -> None:
        """Read in double precision too: what is left from a float32 of 0.999 to 1 has five digits."""
        super()._read_numbers()
        self._exact = []
        for segment in self._segments:
            records = [dataclasses.asdict(plan.rule) for plan in self._plans[segment.rows]]
            numbers = ([record[name] for record in records] for name in records[0])
            columns = (torch.tensor(column, dtype=torch.float64) for column in numbers)
            self._exact.append(dict(zip(records[0], columns, strict=True)))

    def _factors_SK(self, first: int, num_steps: int) -> Tensor:
        factors = [
            [schedule.factor(step, self._total_steps) for schedule in self._schedules]
            for step in range(first, first + num_steps)
        ]
        return torch.tensor(factors, dtype=torch.float64)[:, self._schedule_of]

    @torch.no_grad()
    def step_by(self, timetable: Timetable, flat_KP: Tensor, grad_KP: Tensor) -> None:
        """Move the parameters in place by the present step of a timetable; ``grad_KP`` is used up."""
        self._add_penalties(flat_KP, grad_KP)
        self._clip(grad_KP)
        decays = self._decay_K1 is not None
        kernels = kernels_on(flat_KP)
        for place, segment in enumerate(self._segments):
            w_KP, g_KP = flat_KP[segment.rows], grad_KP[segment.rows]
            name = segment.rule.name
            if kernels is not None:
                numbers, weights_P = timetable.whole(_column(place)), self._weights_P if decays else None
                kernels.move(name, w_KP, g_KP, segment.state, numbers, decays_P=weights_P)
                continue
            rate_K1, kept_K1, *own = timetable.now(_column(place)).unsqueeze(-1)
            if decays:
                self._decay_by(kept_K1, w_KP)
            MOVES[name](w_KP, g_KP, segment.state, rate_K1, *own)

    def _decay_by(self, kept_K1: Tensor, w_KP: Tensor) -> None:
        for w_KD in self._weights(w_KP):
            w_KD.mul_(kept_K1)


def _column(place: int) -> str:
    return f"segment {place}"


def _of_adam(hyper: Numbers, rate_SK: Tensor, t_S1: Tensor) -> list[Tensor]:
    beta1_K, beta2_K = hyper["beta1"], hyper["beta2"]
    # both corrections act on numbers, as in the pure rule
    root_SK = (1 - beta2_K**t_S1).sqrt()
    return [rate_SK * root_SK / (1 - beta1_K**t_S1), root_SK * hyper["eps"], 1 - beta1_K, 1 - beta2_K]


NUMBERS: dict[str, Callable[[Numbers, Tensor, Tensor], list[Tensor]]] = {
    "gradient-descent": lambda hyper, rate_SK, t_S1: [rate_SK],
    "momentum": lambda hyper, rate_SK, t_S1: [rate_SK, hyper["momentum"]],
    "nesterov": lambda hyper, rate_SK, t_S1: [rate_SK, hyper["momentum"]],
    "adagrad": lambda hyper, rate_SK, t_S1: [rate_SK, hyper["eps"]],
    "rmsprop": lambda hyper, rate_SK, t_S1: [rate_SK, hyper["eps"], 1 - hyper["alpha"]],
    "adam": _of_adam,
    "adamw": _of_adam,
}
"""For each rule the numbers of its steps: first the rate, then those that its move takes after the rate."""


def _gradient_descent(w_KP: Tensor, g_KP: Tensor, state: State, rate_K1: Tensor) -> None:
    w_KP.sub_(g_KP.mul_(rate_K1))


def _momentum(w_KP: Tensor, g_KP: Tensor, state: State, rate_K1: Tensor, momentum_K1: Tensor) -> None:
    w_KP.add_(state["v"].mul_(momentum_K1).sub_(g_KP.mul_(rate_K1)))


def _nesterov(w_KP: Tensor, g_KP: Tensor, state: State, rate_K1: Tensor, momentum_K1: Tensor) -> None:
    v_KP = state["v"].mul_(momentum_K1).sub_(g_KP.mul_(rate_K1))
    w_KP.sub_(g_KP).add_(v_KP * momentum_K1)


def _adagrad(w_KP: Tensor, g_KP: Tensor, state: State, rate_K1: Tensor, eps_K1: Tensor) -> None:
    root_KP = state["s"].add_(g_KP * g_KP).sqrt()
    w_KP.sub_(g_KP.div_(root_KP.add_(eps_K1)).mul_(rate_K1))


def _rmsprop(
    w_KP: Tensor, g_KP: Tensor, state: State, rate_K1: Tensor, eps_K1: Tensor, share_K1: Tensor
) -> None:
    root_KP = state["v"].lerp_(g_KP * g_KP, share_K1).sqrt()
    w_KP.sub_(g_KP.div_(root_KP.add_(eps_K1)).mul_(rate_K1))


def _adam(
    w_KP: Tensor,
    g_KP: Tensor,
    state: State,
    rate_K1: Tensor,
    eps_K1: Tensor,
    share1_K1: Tensor,
    share2_K1: Tensor,
) -> None:
    m_KP = state["m"].lerp_(g_KP, share1_K1)
    v_KP = state["v"].lerp_(g_KP.mul_(g_KP), share2_K1)  # the gradient is spent: it becomes scratch
    torch.sqrt(v_KP, out=g_KP).add_(eps_K1)
    w_KP.sub_(torch.div(m_KP, g_KP, out=g_KP).mul_(rate_K1))


MOVES: dict[str, Callable[..., None]] = {
    "gradient-descent": _gradient_descent,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adamw": _adam,
}
"""Each rule by operations of torch; the kernel does the same in one pass."""
