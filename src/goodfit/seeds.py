"""One root seed fans out to named, independent streams of random numbers.

A stream is named by what it is for, so that adding a consumer never shifts the numbers of another,
and two arms of a trial that share a seed share their batches whatever else differs between them.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(root: int, *names: str | int) -> int:
    """Derive the seed of one named stream from the root seed.

    The names and the root are hashed (SHA-256), and the first 63 bits are the seed.

    Args:
        root: The seed that the user gave.
        names: The path of the stream, such as ``("batches", 3)``.

    Returns:
        An integer in ``[0, 2**63)``.

    Example:
        >>> derive(0, "batches", 1) == derive(0, "batches", 1)
        True
        >>> derive(0, "batches", 1) == derive(0, "dropout", 1)
        False
    """
    text = "/".join(str(part) for part in (root, *names))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_stream(root: int, *names: str | int) -> np.random.Generator:
    """Open the NumPy generator of one named stream (arguments as in :func:`derive`)."""
    return np.random.default_rng(derive(root, *names))
