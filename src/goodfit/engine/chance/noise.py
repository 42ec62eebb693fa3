"""Random numbers of the training loop: one stream per seed, shared by all arms of that seed.

Because a stream belongs to a seed and not to a place in the stack, the order of candidates does not matter,
and control and treated arms of a trial see the same batches and the same dropout draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from goodfit.seeds import derive


class Streams:
    """One torch generator for each distinct seed, and which candidate listens to which.

    Args:
        root: The root seed of the run.
        purpose: What the numbers are for; streams of different purposes are independent.
        seeds: The seed of every candidate, in stack order.
    """

    def __init__(self, root: int, purpose: str, *, seeds: Sequence[int]) -> None:
        distinct = sorted(set(seeds))
        self._generators = {
            seed: torch.Generator().manual_seed(derive(root, purpose, seed)) for seed in distinct
        }
        self._seeds = list(seeds)

    def keep(self, index: Sequence[int]) -> None:
        """Forget the candidates that left; the streams of the others run on undisturbed."""
        self._seeds = [self._seeds[k] for k in index]
        remaining = set(self._seeds)
        self._generators = {seed: g for seed, g in self._generators.items() if seed in remaining}

    def permutations(self, num_rows: int) -> Tensor:
        """Shuffle ``range(num_rows)`` once per seed; returns ``(K, num_rows)``."""
        drawn = {seed: torch.randperm(num_rows, generator=g) for seed, g in self._generators.items()}
        return torch.stack([drawn[seed] for seed in self._seeds])

    def next_seeds(self) -> list[int]:
        """Draw a seed for every candidate whose module draws its own numbers; arms of one seed share it."""
        drawn = {seed: int(torch.randint(2**62, (), generator=g)) for seed, g in self._generators.items()}
        return [drawn[seed] for seed in self._seeds]

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Draw numbers from 0 to below 1, ``(K, *shape)``."""
        return self._drawn(torch.rand, torch.empty(len(self._seeds), *shape))

    def normal(self, shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
        """Draw numbers of mean 0 and standard deviation 1, ``(K, *shape)``."""
        return self._drawn(torch.randn, torch.empty(len(self._seeds), *shape, dtype=dtype))

    def _drawn(self, draw: Callable[..., Tensor], numbers: Tensor) -> Tensor:
        """Fill in each seed's numbers once, and copy them for its other candidates."""
        first: dict[int, int] = {}
        for place, seed in enumerate(self._seeds):
            if seed in first:
                numbers[place].copy_(numbers[first[seed]])
            else:
                first[seed] = place
                draw(numbers.shape[1:], generator=self._generators[seed], out=numbers[place])
        return numbers

    def dropout_mask(self, shape: tuple[int, ...], rate_K1: Tensor) -> Tensor:
        """Draw inverted-dropout masks ``(K, *shape)``: 0 with a candidate's rate, else 1 / (1 - rate)."""
        masks = self.uniform(shape)
        rate = rate_K1.view(-1, *[1] * len(shape)).to(masks.dtype)
        return masks.ge_(rate).div_(1 - rate).to(rate_K1.dtype)
