"""What a loader hands to its workers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

STREAMS = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator)
"""Python, NumPy and torch seed their global streams anew in every worker; an object's own they cannot."""


def shared_stream(loader: Any) -> str | None:
    """Name a generator of a dataset that several workers would copy in the same state.

    Args:
        loader: A loader of torch.

    Returns:
        Such as ``"Augmented.rng"``; ``None`` without workers, with a function that prepares each of them, or
        without such a generator.

    Example:
        >>> class Noisy(torch.utils.data.Dataset):
        ...     rng = None
        ...     def __len__(self): return 4
        >>> data = Noisy()
        >>> data.rng = np.random.default_rng(0)
        >>> shared_stream(torch.utils.data.DataLoader(data, num_workers=2))
        'Noisy.rng'
    """
    if loader.num_workers < 2 or loader.worker_init_fn is not None:
        return None
    dataset = loader.dataset
    for holder in (dataset, *_parts(dataset)):
        for name, value in getattr(holder, "__dict__", {}).items():
            if isinstance(value, STREAMS):
                return f"{type(holder).__name__}.{name}"
    return None


def _parts(dataset: Any) -> list[Any]:
    """What a dataset is made of, such as its transform, or the dataset that it is a part of."""
    return list(getattr(dataset, "__dict__", {}).values())
