"""Whether there are kernels for a tensor, and which: a GPU with Triton has them, everything else has not."""

from __future__ import annotations

import functools
import importlib
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor


def kernels_on(like: Tensor) -> ModuleType | None:
    """Find :mod:`goodfit.engine.machine.triton_kernels` where it can work on a tensor.

    Returns:
        The module; ``None`` on a processor, for other numbers than float32, and where Triton is not installed
        or cannot compile. What a kernel does can then be done by operations of torch.
    """
    if not like.is_cuda or like.dtype != torch.float32:
        return None
    return _kernels(str(like.device))


@functools.cache
def _kernels(device: str) -> ModuleType | None:
    if find_spec("triton") is None:
        return None
    try:
        kernels = importlib.import_module("goodfit.engine.machine.triton_kernels")
        kernels.try_out(torch.device(device))
    except Exception:  # no compiler, an unknown driver: whatever it is, torch's own operations do without
        return None
    return kernels
