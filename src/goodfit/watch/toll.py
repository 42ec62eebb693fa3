"""What watching costs where nothing measures it: the way into the wrappers and hooks, and out again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.module import (
    _has_any_global_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

NUM_PASSES = 50
NUM_ROUNDS = 5
OPTIONS = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
"""As many as a loss module hands to its function."""


def toll_of(wrap: Callable[[Any], Any]) -> float:
    """Measure what one call of a wrapped function takes longer than one of the function itself.

    Args:
        wrap: Makes the wrapper of a function.

    Returns:
        Seconds; never below zero.
    """
    wrapped = wrap(_nothing)
    with_wrapper = _seconds(lambda: wrapped(None, None, **OPTIONS))
    return max(0.0, with_wrapper - _seconds(lambda: _nothing(None, None, **OPTIONS)))


def toll_of_call(listen: Callable[..., None]) -> float:
    """Measure what two global hooks add to one call of a module.

    Args:
        listen: A hook that does nothing with what it is told.

    Returns:
        Seconds; never below zero.
    """
    if _has_any_global_hook():  # somebody else's, which must not be called in vain
        return 2 * _seconds(listen)
    module = nn.Identity()
    plain = _seconds(lambda: module(None))
    hooks = [register_module_forward_pre_hook(listen), register_module_forward_hook(listen)]
    try:
        return max(0.0, _seconds(lambda: module(None)) - plain)
    finally:
        for hook in hooks:
            hook.remove()


def _seconds(call: Callable[[], Any]) -> float:
    """Median over rounds of the seconds of one call."""
    rounds = []
    for _ in range(NUM_ROUNDS):
        started = time.perf_counter()
        for _ in range(NUM_PASSES):
            call()
        rounds.append((time.perf_counter() - started) / NUM_PASSES)
    return statistics.median(rounds)


def _nothing(*_: Any, **__: Any) -> None:
    return None
