"""Targets of rows that were mixed: they go where targets go, and a loss takes its share of both.

Letters: K candidates, N rows.
"""

from __future__ import annotations

import dataclasses
from typing import final

import torch
from torch import Tensor


@final
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Blend:
    r"""The targets of two rows for each row, and how much the first of them counts.

    .. math:: \ell(s, y, y') = \lambda \, \ell(s, y) + (1 - \lambda) \, \ell(s, y')

    Cross-entropy is linear in its target, and the gradient of a squared distance is too, so that this is to
    learn from the mixed target.

    Attributes:
        own_KN: Target of the row itself.
        other_KN: Target of the row that was mixed into it.
        share_K1: The share :math:`\lambda` of the first, per candidate.
    """

    own_KN: Tensor
    other_KN: Tensor
    share_K1: Tensor

    @property
    def shape(self) -> torch.Size:
        """Shape of the targets of either kind."""
        return self.own_KN.shape

    def dim(self) -> int:
        """Axes of the targets of either kind."""
        return self.own_KN.dim()

    def __getitem__(self, candidates: slice) -> Blend:
        """Pick neighbours in the stack."""
        return Blend(
            own_KN=self.own_KN[candidates],
            other_KN=self.other_KN[candidates],
            share_K1=self.share_K1[candidates],
        )

    def expand(self, *sizes: int) -> Blend:
        """Give the targets to as many candidates as ``sizes`` says; they have their own already."""
        return Blend(
            own_KN=self.own_KN.expand(*sizes), other_KN=self.other_KN.expand(*sizes), share_K1=self.share_K1
        )


Targets = Tensor | Blend
"""What a loss is told to come near to."""
