"""What watching costs where nothing measures it: the way into the wrappers and hooks, and out again.

A training step leaves nothing of them in the nearer caches of a processor, so each call is timed behind a
sweep over memory.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.module import _has_any_global_hook

NUM_PASSES = 100
NUM_SWEPT = 1 << 18
"""Numbers of 4 bytes: a mebibyte."""
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
    return _extra(lambda: wrapped(None, None, **OPTIONS), lambda: _nothing(None, None, **OPTIONS))


def toll_of_call(listen: Callable[..., None]) -> float:
    """Measure what two hooks add to one call of a module.

    Args:
        listen: A hook that does nothing with what it is told.

    Returns:
        Seconds; never below zero.
    """
    if _has_any_global_hook():  # somebody else's, which must not be called in vain
        return 2 * _extra(listen, _nothing)
    with_hooks, without = nn.Identity(), nn.Identity()
    with_hooks.register_forward_pre_hook(listen)
    with_hooks.register_forward_hook(listen)
    return _extra(lambda: with_hooks(None), lambda: without(None))


def _extra(call: Callable[[], Any], plain: Callable[[], Any]) -> float:
    """Median of the seconds that one call takes longer than the other, called in turn."""
    swept = np.zeros(NUM_SWEPT, dtype=np.float32)
    extra = []
    for _ in range(NUM_PASSES):
        seconds = []
        for each in (call, plain):
            swept += 1
            started = time.perf_counter()
            each()
            seconds.append(time.perf_counter() - started)
        extra.append(seconds[0] - seconds[1])
    return max(0.0, statistics.median(extra))


def _nothing(*_: Any, **__: Any) -> None:
    return None
