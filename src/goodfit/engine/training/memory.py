"""How much memory a candidate takes in a stack, and how much there is.

Cutting a population into waves changes no candidate's numbers, so that how many there are may depend on what
is free at the moment.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from goodfit.data.split import Split
from goodfit.engine.machine.device import placement
from goodfit.engine.plan import Plan
from goodfit.engine.ways.construction import num_parameters, sizes_of

KEPT_BUFFERS = 6
"""Numbers for each parameter: the weight, its gradient, two of the rule, the best, the mean."""
LOOKED_AT_ROWS = 4_000
"""Rows whose scores and probabilities a look at the curves holds."""
FLOAT_BYTES = 4
WORTH_TAKING = 0.5
"""Share of the free memory that stacks are planned for; estimates leave out what torch keeps to itself."""
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_ORDERS, _ORDER_BYTES = 4, 8
"""Copies of the order of an epoch's rows that a GPU holds while it is shuffled and written down."""
_ACTIVATIONS = 4
"""Numbers that a recorded step keeps of each unit and row, where a processor keeps those of one group."""
_ROOM_BYTES = 1e9
"""What a look at the curves takes there at most, however many candidates there are."""


def candidate_floats(plan: Plan, split: Split) -> int:
    """Count the floats that one candidate keeps in weights, gradients and the state of its rule."""
    return KEPT_BUFFERS * num_parameters(plan, split)


def candidate_bytes(plan: Plan, split: Split) -> int:
    """Estimate what a candidate adds to a stack: what it keeps, the rows of a step, the scores of a look."""
    sizes = sizes_of(plan, split)
    rows = plan.batch_size * sizes.num_inputs + 3 * LOOKED_AT_ROWS * sizes.outputs
    needed = FLOAT_BYTES * (candidate_floats(plan, split) + rows)
    return needed + _bytes_on_gpu(plan, split) if placement().is_gpu else needed


def _bytes_on_gpu(plan: Plan, split: Split) -> int:
    """What a candidate takes there besides: the rows of an epoch in their order, and a step's activations."""
    num_rows = len(split.rows("train", plan.inputs))
    units = num_parameters(plan, split) // max(1, sizes_of(plan, split).num_inputs)
    return _ORDERS * _ORDER_BYTES * num_rows + FLOAT_BYTES * _ACTIVATIONS * plan.batch_size * units


def most_candidates(plan: Plan, split: Split, *, hands: int) -> int:
    """Tell how many candidates of a structure memory may hold at once, at least one.

    Args:
        plan: The structure.
        split: The data.
        hands: Processes that hold as many each.
    """
    share = WORTH_TAKING * free_bytes() / hands
    return sys.maxsize if share == math.inf else int(max(1, share // candidate_bytes(plan, split)))


def free_bytes() -> float:
    """Read how much memory is free where populations are computed.

    Of a processor's, the machine and the container tell; infinity where neither does.
    """
    if placement().is_gpu:
        return _of_gpu(placement().device)
    found = [_of_container(*limit) for limit in _LIMITS]
    return min([_of_machine(), *found])


def give_back() -> None:
    """Give back what is kept for later: of a GPU's memory by torch, else of the machine's by the C library.

    The latter keeps freed pieces of up to 32 MB, which after scikit-learn are many.
    """
    if placement().is_gpu:
        gc.collect()
        torch.cuda.empty_cache()
    else:
        _trim()(0)


@functools.cache
def _trim() -> Callable[[int], Any]:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library, which keeps less
        return lambda keep: None


def _of_gpu(device: str) -> float:
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(0.0, torch.cuda.mem_get_info(device)[0] + kept - _ROOM_BYTES)


def _of_machine() -> float:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable"):
            return 1024.0 * int(line.split()[1])
    return math.inf


def _of_container(limit: str, used: str) -> float:
    most, taken = _number(_read(limit)), _number(_read(used))
    return math.inf if most is None or taken is None else max(0.0, most - taken)


def _number(text: str) -> float | None:
    """Read a number of bytes; a container without a limit says ``max``."""
    return float(text) if text.strip().isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
