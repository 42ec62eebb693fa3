"""Random numbers that are computed from a seed and a count, for devices on which drawing must not be a call.

A generator of torch fills one tensor at a time, so that 512 seeds take 512 calls, and a recorded step would
draw the same numbers again and again. Here a number is a hash of its seed, of how many draws there were
before (which the device counts itself), and of its place in the draw; all seeds are one operation.

Letters: K candidates, S distinct seeds, N rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from goodfit.engine.chance.noise import Streams
from goodfit.engine.machine.kernels import kernels_on
from goodfit.seeds import derive

# SplitMix64 in two's complement: torch multiplies 64-bit integers with a sign, and the bits are the same
STEP = 0x9E3779B97F4A7C15 - 2**64
FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
SHIFTS = (30, 27, 31)
FRACTION_BITS = 24
"""Of a uniform number, as many as float32 holds."""


def streams_on(device: torch.device, root: int, purpose: str, *, seeds: Sequence[int]) -> Streams:
    """Open the streams that suit a device (arguments as in :class:`Streams`)."""
    if device.type == "cpu":
        return Streams(root, purpose, seeds=seeds)
    return CountedStreams(root, purpose, seeds=seeds, device=device)


@final
class CountedStreams(Streams):
    """Streams as :class:`Streams` has them, by other numbers.

    Args:
        root: As in :class:`Streams`.
        purpose: As in :class:`Streams`.
        seeds: As in :class:`Streams`.
        device: Where the numbers are needed.

    Reference:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 15.
    """

    def __init__(self, root: int, purpose: str, *, seeds: Sequence[int], device: torch.device) -> None:
        self._root, self._purpose, self._device = root, purpose, device
        self._count = torch.zeros((), dtype=torch.long, device=device)
        self._num_seeds_drawn = 0
        self._listen(seeds)

    def _listen(self, seeds: Sequence[int]) -> None:
        self._seeds = list(seeds)
        distinct = sorted(set(seeds))
        starts = [derive(self._root, self._purpose, seed) for seed in distinct]
        self._starts_S = torch.tensor(starts, dtype=torch.long, device=self._device)
        places = [distinct.index(seed) for seed in seeds]
        self._place_K = torch.tensor(places, dtype=torch.long, device=self._device)
        self._starts_K = self._starts_S[self._place_K]

    def keep(self, index: Sequence[int]) -> None:
        """Forget the candidates that left; the streams of the others run on undisturbed."""
        self._listen([self._seeds[k] for k in index])

    def permutations(self, num_rows: int) -> Tensor:
        """Shuffle ``range(num_rows)`` once per seed; returns ``(K, num_rows)``."""
        return self._bits(self._starts_S, num_rows).argsort(dim=1, stable=True)[self._place_K]

    def next_seeds(self) -> list[int]:
        """Draw a seed for every candidate whose module draws its own numbers; arms of one seed share it."""
        self._num_seeds_drawn += 1
        drawn = {
            seed: derive(self._root, self._purpose, seed, self._num_seeds_drawn) >> 1
            for seed in set(self._seeds)
        }
        return [drawn[seed] for seed in self._seeds]

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Draw numbers from 0 to below 1, ``(K, *shape)``."""
        bits_KN = _shifted(self._bits(self._starts_K, math.prod(shape)), 64 - FRACTION_BITS)
        return (bits_KN.float() * 2.0**-FRACTION_BITS).view(-1, *shape)

    def normal(self, shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
        """Draw numbers of mean 0 and standard deviation 1, ``(K, *shape)``, by the way of Box and Muller."""
        drawn = self.uniform((2, *shape)).to(dtype)
        radius, angle = (1 - drawn[:, 0]).log().mul(-2).sqrt(), drawn[:, 1] * (2 * math.pi)
        return radius * angle.cos()

    def dropout_mask(self, shape: tuple[int, ...], rate_K1: Tensor) -> Tensor:
        """Draw masks as :meth:`Streams.dropout_mask` does, by one operation where there is a kernel."""
        kernels = kernels_on(rate_K1)
        if kernels is None:
            return super().dropout_mask(shape, rate_K1)
        mask = kernels.dropout_mask(self._starts_K, self._count, rate_K1, num_units=math.prod(shape))
        self._count.add_(1)
        return mask.view(-1, *shape)

    def _bits(self, starts: Tensor, num_numbers: int) -> Tensor:
        """Hash seed, count and place into 64 bits; one row for each start."""
        keys = _mixed(_mixed(starts + self._count * STEP))
        self._count.add_(1)
        place_N = torch.arange(1, num_numbers + 1, device=self._device)
        return _mixed(keys.unsqueeze(1) + place_N * STEP)


def _mixed(bits: Tensor) -> Tensor:
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        bits = (bits ^ _shifted(bits, shift)) * factor
    return bits ^ _shifted(bits, SHIFTS[-1])


def _shifted(bits: Tensor, shift: int) -> Tensor:
    """Shift right with zeros coming in, where torch lets the sign come in."""
    return (bits >> shift) & (2 ** (64 - shift) - 1)
