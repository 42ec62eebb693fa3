"""Functions of torch that have no hooks: which there are, and wrappers that stand in their place a while."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "kl_div",
)
SWITCHES = (torch.no_grad, torch.inference_mode)
SCHEDULERS = (torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.OneCycleLR)


def wrap(owner: Any, name: str, around: Callable[[Any], Any]) -> Callable[[], None]:
    """Put a wrapper in the place of a function; returns what puts the function back."""
    original = getattr(owner, name)
    wrapper = functools.wraps(original)(around(original))
    setattr(owner, name, wrapper)

    def restore() -> None:
        # somebody may have wrapped it again since: theirs stays, and ours only passes on
        if vars(owner).get(name) is wrapper:
            setattr(owner, name, original)

    return restore


def is_transformed() -> bool:
    """Whether ``torch.func`` is at work, such as ``vmap``: its tensors hold no numbers that could be read."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def site_of(caller: Any) -> object:
    """Where gradients are switched off: a line, or the function that ``@torch.no_grad()`` stands above."""
    if caller.f_code.co_name == "decorate_context":
        return caller.f_locals.get("func", caller.f_code)
    return caller.f_code, caller.f_lineno
