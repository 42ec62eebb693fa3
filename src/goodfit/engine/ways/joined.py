"""Inputs of K networks, and beside them what the codes of each column are embedded into.

Letters: K candidates, N rows, D inputs, C columns of codes, V codes of a column, E numbers of a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor

from goodfit.engine.machine.workspace import Workspace


@final
class Joined:
    """The inputs of a network, forward and backward.

    Args:
        tables: For each column of codes the tables ``(K, V, E)`` and where their gradients go.
        room: Memory.
    """

    def __init__(self, tables: Sequence[tuple[Tensor, Tensor]], room: Workspace) -> None:
        self._tables = [values for values, _ in tables]
        self._gradients = [gradients for _, gradients in tables]
        self._room = room

    @property
    def has_parameters(self) -> bool:
        """Whether the slope of the loss must come back this far."""
        return bool(self._tables)

    def forward(self, x_KND: Tensor, codes_KNC: Tensor | None, mask_KND: Tensor | None) -> Tensor:
        """Put embedded codes beside the numbers and silence some, if there is a mask."""
        self._mask_KND = mask_KND
        if self._tables and codes_KNC is not None:
            self._codes_KNC, self._num_plain = codes_KNC, x_KND.shape[-1]
            embedded = [embed(table, codes_KNC[..., i]) for i, table in enumerate(self._tables)]
            x_KND = torch.cat([x_KND, *embedded], dim=-1)
        if mask_KND is None:
            return x_KND
        return torch.mul(x_KND, mask_KND, out=self._room.take("masked inputs", *x_KND.shape))

    def backward(self, d_KND: Tensor) -> None:
        """Note the gradients of the tables: the sum over the rows that hold a code."""
        if self._mask_KND is not None:
            d_KND = d_KND.mul_(self._mask_KND)
        start = self._num_plain
        for i, gradient_KVE in enumerate(self._gradients):
            num_candidates, num_values, size = gradient_KVE.shape
            place_KN = _among_all(self._codes_KNC[..., i], num_values)
            d_KNE = d_KND[..., start : start + size]
            sums = d_KND.new_zeros(num_candidates * num_values, size)
            _add_rows(sums, place_KN.flatten(), d_KNE.reshape(-1, size))
            gradient_KVE.copy_(sums.view_as(gradient_KVE))
            start += size


def embed(table_KVE: Tensor, codes_KN: Tensor) -> Tensor:
    """Look codes up in each candidate's own table; returns ``(K, N, E)``."""
    num_values, size = table_KVE.shape[1:]
    return F.embedding(_among_all(codes_KN, num_values), table_KVE.reshape(-1, size))


def _among_all(codes_KN: Tensor, num_values: int) -> Tensor:
    """Where the codes are in the tables of all candidates put one behind the other."""
    return codes_KN + torch.arange(len(codes_KN), device=codes_KN.device).unsqueeze(1) * num_values


def _add_rows(sums: Tensor, place_R: Tensor, rows: Tensor) -> None:
    """Add rows where they belong, in an order that is the same every time."""
    if sums.device.type == "cpu":
        sums.index_add_(0, place_R, rows)
    else:  # adding to an index there is a race; putting sorts first
        sums.index_put_((place_R,), rows, accumulate=True)
