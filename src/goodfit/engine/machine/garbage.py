"""Let Python look for no garbage for a while.

Hundreds of modules or histories are made at once, and all of them stay; Python looks through them again and
again, in vain. And nothing that a GPU holds may be freed while its operations are recorded.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Switch the garbage collector off, and on again if it was on.

    Example:
        >>> import gc
        >>> with uncollected():
        ...     gc.isenabled()
        False
        >>> gc.isenabled()
        True
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
