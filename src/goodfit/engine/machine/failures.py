"""What may be raised while networks are computed: memory is short, or the user's code raises."""

from __future__ import annotations

import torch

from goodfit.errors import GoodfitError, ModelError

_SAYINGS = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory was short; torch has no type of its own for it on a CPU.

    Example:
        >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."))
        True
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAYINGS)


def tells_enough(error: Exception) -> bool:
    """Tell whether an error says by itself what to do, or is dealt with elsewhere."""
    return isinstance(error, GoodfitError) or is_out_of_memory(error)


def raised_in_forward(error: Exception, *, num_rows: int) -> ModelError:
    """Say what a network's ``forward`` raised on some rows, and what to do.

    Example:
        >>> raised_in_forward(ValueError("Expected more than 1 value per channel"), num_rows=1).fix
        'give a larger batch size: what normalises over rows needs more than one'
    """
    rows, fix = "rows", "mend its forward: it must take every row of the data"
    if num_rows == 1:
        rows, fix = "row", "give a larger batch size: what normalises over rows needs more than one"
    return ModelError(f"the network raises {type(error).__name__} on {num_rows} {rows}: {error}", fix=fix)
