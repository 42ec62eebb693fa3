"""Update rules on the flat buffers without temporary tensors; the same numbers as the pure rules.

A pure rule makes up to eight tensors of the size of the parameters at each step, which costs more than the
arithmetic. Letters: K candidates, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping

import torch
from torch import Tensor

from goodfit.engine.moves.fused import AdamInPlace
from goodfit.rules.adaptive import Adagrad, Adam, AdamW, RMSProp
from goodfit.rules.base import Rule
from goodfit.rules.descent import GradientDescent, Momentum, Nesterov

Move = Callable[..., None]
"""Moves ``w_KP`` by one step: ``move(w_KP, g_KP, state, hyper, t=count)``; uses ``g_KP`` up."""

State = MutableMapping[str, Tensor]
Hyper = Mapping[str, Tensor]


def in_place(rule: type[Rule]) -> Move | None:
    """Find how a rule moves the parameters of one segment in place.

    Returns:
        The move, to be used for this segment alone; ``None`` for a rule that has its pure form only.

    Example:
        >>> w_KP, g_KP = torch.ones(1, 2), torch.tensor([[1.0, 2.0]])
        >>> in_place(GradientDescent)(w_KP, g_KP, {}, {"lr": torch.tensor([[0.1]])}, t=1)
        >>> w_KP
        tensor([[0.9000, 0.8000]])
    """
    if rule in (Adam, AdamW):
        return AdamInPlace()
    return _MOVES.get(rule)


def _gradient_descent(w_KP: Tensor, g_KP: Tensor, state: State, hyper: Hyper, *, t: int) -> None:
    w_KP.sub_(g_KP.mul_(hyper["lr"]))


def _momentum(w_KP: Tensor, g_KP: Tensor, state: State, hyper: Hyper, *, t: int) -> None:
    w_KP.add_(state["v"].mul_(hyper["momentum"]).sub_(g_KP.mul_(hyper["lr"])))


def _nesterov(w_KP: Tensor, g_KP: Tensor, state: State, hyper: Hyper, *, t: int) -> None:
    v_KP = state["v"].mul_(hyper["momentum"]).sub_(g_KP.mul_(hyper["lr"]))
    w_KP.sub_(g_KP)
    w_KP.add_(torch.mul(v_KP, hyper["momentum"], out=g_KP))


def _adagrad(w_KP: Tensor, g_KP: Tensor, state: State, hyper: Hyper, *, t: int) -> None:
    beside_KP = _beside(state, g_KP)
    state["s"].add_(torch.mul(g_KP, g_KP, out=beside_KP))
    torch.sqrt(state["s"], out=beside_KP)
    w_KP.sub_(g_KP.div_(beside_KP.add_(hyper["eps"])).mul_(hyper["lr"]))


def _rmsprop(w_KP: Tensor, g_KP: Tensor, state: State, hyper: Hyper, *, t: int) -> None:
    beside_KP = _beside(state, g_KP)
    state["v"].lerp_(torch.mul(g_KP, g_KP, out=beside_KP), 1 - hyper["alpha"])
    torch.sqrt(state["v"], out=beside_KP)
    w_KP.sub_(g_KP.div_(beside_KP.add_(hyper["eps"])).mul_(hyper["lr"]))


def _beside(state: State, like_KP: Tensor) -> Tensor:
    """Give memory of the gradient's size, which the state keeps from one step to the next."""
    if "beside" not in state:
        state["beside"] = torch.empty_like(like_KP)
    return state["beside"]


_MOVES: dict[type[Rule], Move] = {
    GradientDescent: _gradient_descent,
    Momentum: _momentum,
    Nesterov: _nesterov,
    Adagrad: _adagrad,
    RMSProp: _rmsprop,
}
