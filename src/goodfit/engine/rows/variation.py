"""Training rows as a step shows them: shifted, mirrored, mixed, noisy; each candidate by its own plan.

Only training sees them so; whatever is measured is measured on the rows as they are. Every kind of variation
draws from a stream of its own that belongs to the seed, so the arms of a trial are paired here too: a
stronger arm shifts the same images further, and adds the same noise times more.

Letters: K candidates, B rows of a batch, C channels, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from goodfit.engine.chance.counted import streams_on
from goodfit.engine.goodness.blend import Blend, Targets
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.plan import Plan
from goodfit.engine.ways.backend import Batch
from goodfit.errors import PlanError

IMAGE_AXES = 5
"""Axes of a batch of images: K, B, C, H, W."""
_KINDS = ("shift", "mirror", "mixup", "input_noise")


@final
class Variation:
    """Shows a population its training rows, each candidate in its own way.

    Args:
        plans: Of every candidate, in stack order.
        root: Root seed of the run.
        seeds: Of every candidate.
        kind: What is learnt; of numbers the targets themselves are mixed.
        dtype: Number type of shares and strengths.
        device: Where rows are varied.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        root: int,
        *,
        seeds: Sequence[int],
        kind: str,
        dtype: torch.dtype,
        device: torch.device = PROCESSOR,
    ) -> None:
        self._kind = kind
        self._read(
            {
                name: torch.tensor([getattr(plan, name) for plan in plans], dtype=dtype, device=device)
                for name in _KINDS
            }
        )
        self._streams = {name: streams_on(device, root, name, seeds=seeds) for name in self._used}

    def _read(self, strengths: dict[str, Tensor]) -> None:
        """Note once what is used: asking a tensor on a GPU means waiting for it."""
        self._strengths = strengths
        self._used = tuple(name for name, strength_K in strengths.items() if bool(strength_K.any()))

    @property
    def mixes(self) -> bool:
        """Whether a candidate learns from mixtures of rows."""
        return "mixup" in self._used

    def keep(self, places: Sequence[int]) -> None:
        """Forget the candidates that left."""
        self._read({name: strength_K[list(places)] for name, strength_K in self._strengths.items()})
        for streams in self._streams.values():
            streams.keep(places)

    def show(self, batch: Batch, y_KB: Tensor, *, share_K: Tensor | None = None) -> tuple[Batch, Targets]:
        """Vary the rows of one step.

        Args:
            batch: Rows of each candidate, not shared.
            y_KB: Their targets.
            share_K: How much the row itself counts in a mixture; by default drawn here and now.

        Returns:
            What the networks are to see, and what they are to say.

        Raises:
            PlanError: Rows that are no images are to be shifted or mirrored.
        """
        if not self._streams:
            return batch, y_KB
        x: Tensor = batch.x
        targets: Targets = y_KB
        if self._is_used("shift") or self._is_used("mirror"):
            x = self._moved(x)
        if self._is_used("mixup"):
            x, targets = self._mixed(x, y_KB, share_K)
        if self._is_used("input_noise"):
            noise = self._streams["input_noise"].normal(tuple(x.shape[1:]), dtype=x.dtype)
            x = torch.addcmul(x, noise, _spread(self._strengths["input_noise"], x))
        return Batch(x=x, codes=batch.codes, shared=False), targets

    def _is_used(self, name: str) -> bool:
        return name in self._used

    def _moved(self, x_KBCHW: Tensor) -> Tensor:
        """Shift and mirror images; what comes in at an edge repeats the edge."""
        if x_KBCHW.dim() != IMAGE_AXES:
            raise PlanError(
                f"rows of shape {tuple(x_KBCHW.shape[2:])} are to be shifted or mirrored",
                fix="let shift and mirror be 0 for rows that are no images (C, H, W)",
            )
        height, width = x_KBCHW.shape[-2:]
        down_KB1, right_KB1 = self._offsets(x_KBCHW.shape[1], height, width)
        rows_KBH = (torch.arange(height, device=x_KBCHW.device) - down_KB1).clamp_(0, height - 1)
        columns_KBW = (torch.arange(width, device=x_KBCHW.device) - right_KB1).clamp_(0, width - 1)
        if self._is_used("mirror"):
            drawn_KB1 = self._streams["mirror"].uniform((x_KBCHW.shape[1], 1))
            is_mirrored_KB1 = drawn_KB1 < self._strengths["mirror"].view(-1, 1, 1)
            columns_KBW = torch.where(is_mirrored_KB1, width - 1 - columns_KBW, columns_KBW)
        pixels_KBHW = rows_KBH.unsqueeze(-1) * width + columns_KBW.unsqueeze(-2)
        pixels = pixels_KBHW.flatten(2).unsqueeze(2).expand(*x_KBCHW.shape[:3], -1)
        return x_KBCHW.flatten(3).gather(-1, pixels).view_as(x_KBCHW)

    def _offsets(self, num_rows: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Whole pixels, all from minus the largest to the largest equally likely."""
        if not self._is_used("shift"):
            none = self._strengths["shift"].new_zeros(1, 1, 1, dtype=torch.long)
            return none, none
        drawn_KB2 = self._streams["shift"].uniform((num_rows, 2))
        shift_K1 = self._strengths["shift"].view(-1, 1)
        offsets = []
        for axis, size in enumerate((height, width)):
            most_K1 = (shift_K1 * size).round()
            offset_KB = (drawn_KB2[..., axis] * (2 * most_K1 + 1)).floor() - most_K1
            offsets.append(offset_KB.long().unsqueeze(-1))
        return offsets[0], offsets[1]

    def shares(self, num_steps: int) -> Tensor:
        """Draw how much a row itself counts in the mixtures of so many steps, ``(S, K)``."""
        return self._of_beta(self._streams["mixup"].uniform((num_steps,)).T)

    def _of_beta(self, drawn: Tensor) -> Tensor:
        """Turn even numbers, candidates last, into those of each one's Beta distribution."""
        from scipy.special import betaincinv  # other processes need SciPy for nothing else

        alpha_K = self._strengths["mixup"]
        alphas_K, chances = alpha_K.double().cpu(), drawn.double().cpu()
        share = torch.ones_like(chances)
        is_mixed_K = alphas_K > 0
        alpha_M = alphas_K[is_mixed_K].numpy()
        share[..., is_mixed_K] = torch.from_numpy(
            betaincinv(alpha_M, alpha_M, chances[..., is_mixed_K].numpy())
        )
        # a pair may be read from either end: the row itself has the larger share
        return torch.maximum(share, 1 - share).to(alpha_K)

    def _mixed(self, x: Tensor, y_KB: Tensor, share_K: Tensor | None) -> tuple[Tensor, Targets]:
        """Mix every row with another one of its batch.

        Codes of categories cannot be mixed; those of the row with the larger share stay.
        """
        streams = self._streams["mixup"]
        num_candidates, num_rows = x.shape[:2]
        other_KB = streams.permutations(num_rows)
        if share_K is None:
            share_K = self._of_beta(streams.uniform((1,)).flatten())
        place_K1 = torch.arange(num_candidates, device=x.device).unsqueeze(1)
        mixed = torch.lerp(x[place_K1, other_KB], x, _spread(share_K, x))
        own, other = y_KB.expand(num_candidates, *y_KB.shape[1:]), y_KB[place_K1, other_KB]
        if self._kind == "numbers":
            return mixed, torch.lerp(other, own, _spread(share_K, other))
        return mixed, Blend(own_KN=own, other_KN=other, share_K1=share_K.unsqueeze(1))


def _spread(strength_K: Tensor, x: Tensor) -> Tensor:
    """Give a number of each candidate the axes of ``x``."""
    return strength_K.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
