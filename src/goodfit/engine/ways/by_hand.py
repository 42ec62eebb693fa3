"""Gradients of multilayer networks, K at a time, without a graph: each product is written where it belongs.

Recording a graph and walking it back costs more than the arithmetic of a small network, and each of its
tensors is new memory. Here the operations of a step are fixed once, and so is the memory they write to.

Letters: K candidates, N rows, C columns of codes, D inputs, U units, O outputs, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from goodfit.engine.goodness.blend import Targets
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.goodness.slopes import slopes
from goodfit.engine.machine.device import times_at_once
from goodfit.engine.machine.products import unwarned
from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.backend import Batch, Dropout
from goodfit.engine.ways.group import Group, Masks, Parameters
from goodfit.nets.mlp import MLP
from goodfit.tensors import Layout, views

NEAR_FLOATS = 4_000_000
"""Floats of candidates that are computed together: more would leave the last level of the cache.

Smaller groups, for the level before it, cost more in calls than they save (measured down to one candidate).
"""


@final
class ByHand:
    """Differentiates a stack of one structure.

    Candidates go through in groups that fit into the cache. The memory of a step is that of one group,
    beside the gradients.

    Args:
        network: The structure.
        flat_KP: The parameters; views of them are taken, so the buffer must stay where it is.
        layout: The buffer's layout.
        buffers: Running means and variances, likewise.
        dtype: Number type of what a step computes with; parameters and gradients keep theirs.
    """

    def __init__(
        self,
        network: MLP,
        flat_KP: Tensor,
        *,
        layout: Layout,
        buffers: Mapping[str, Tensor],
        dtype: torch.dtype | None = None,
    ) -> None:
        self._network, self._layout, self._buffers = network, layout, buffers
        self._flat_KP = flat_KP.detach()
        self._grad_KP = torch.empty_like(self._flat_KP)
        # the same two buffers, unless a step computes with shorter numbers than those that are kept
        self._values_KP, self._slopes_KP = self._flat_KP, self._grad_KP
        if dtype is not None and dtype != self._flat_KP.dtype:
            self._values_KP = self._flat_KP.to(dtype)
            self._slopes_KP = torch.empty_like(self._values_KP)
        self._shapes = dict(zip(layout.names, layout.shapes, strict=True))
        self._num_inputs = self._shapes["layers.0.linear.weight" if network.widths else "output.weight"][1]
        self._groups: dict[int, list[Group]] = {}

    @torch.no_grad()
    def gradients(
        self,
        batch: Batch,
        y_KN: Targets,
        *,
        loss: Loss,
        smoothing_K1: Tensor | None,
        dropout: Dropout,
    ) -> Tensor:
        """Differentiate as :meth:`goodfit.engine.ways.backend.Backend.loss_gradients` says, in training mode.

        Returns:
            Gradients ``(K, P)``, overwritten by the next call.
        """
        dtype = self._values_KP.dtype
        is_rounded = self._values_KP is not self._flat_KP
        if is_rounded:
            self._values_KP.copy_(self._flat_KP)
        x_KND, codes_KNC = self._rows(batch)
        x_KND = x_KND.to(dtype)
        num_rows = x_KND.shape[1]
        masks = self._masks(num_rows, dropout)
        y_KN = y_KN.expand(len(self._flat_KP), *y_KN.shape[1:])
        groups = self._grouped(num_rows)
        with unwarned():
            for group in groups:
                own = group.rows
                # where one group takes all, tensors stay those of the last step
                x_GND, masks_G = (x_KND, masks) if len(groups) == 1 else (x_KND[own], masks.of(own))
                group.inputs(x_GND, None if codes_KNC is None else codes_KNC[own], masks_G)
                scores_KON = group.forward().to(self._flat_KP.dtype)
                smoothing = None if smoothing_K1 is None else smoothing_K1[own]
                group.backward(slopes(loss, scores_KON, y_KN[own], smoothing_K1=smoothing).to(dtype))
        return self._grad_KP.copy_(self._slopes_KP) if is_rounded else self._grad_KP

    def _rows(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        x = batch.x.flatten(2 - batch.shared)
        if not batch.shared:
            return x, batch.codes
        num_candidates = len(self._flat_KP)
        codes = None if batch.codes is None else batch.codes.expand(num_candidates, -1, -1)
        return x.expand(num_candidates, -1, -1), codes

    def _masks(self, num_rows: int, dropout: Dropout) -> Masks:
        """Draw for all candidates in the order of the layers, before any group is computed."""
        drawn = [
            dropout.input_mask((num_rows, self._num_inputs)),
            *(dropout.hidden_mask((num_rows, width)) for width in self._network.widths),
        ]
        dtype = self._values_KP.dtype
        inputs_KND, *hidden = [None if mask is None else mask.to(dtype) for mask in drawn]
        return Masks(inputs_KND=inputs_KND, hidden=hidden)

    def _grouped(self, num_rows: int) -> list[Group]:
        if num_rows not in self._groups:
            num_candidates, num_parameters = self._flat_KP.shape
            # sums, activations and their slopes; weights and their gradients
            per_row = sum(shape[0] for name, shape in self._shapes.items() if name.endswith("linear.weight"))
            floats = num_rows * (3 * per_row + self._num_inputs) + 3 * num_parameters
            near_floats = NEAR_FLOATS * times_at_once(self._flat_KP.device)
            num_groups = min(num_candidates, math.ceil(num_candidates * floats / near_floats))
            size = math.ceil(num_candidates / num_groups)
            room = Workspace(self._values_KP)
            self._groups[num_rows] = [
                self._group(slice(start, start + size), room) for start in range(0, num_candidates, size)
            ]
        return self._groups[num_rows]

    def _group(self, rows: slice, room: Workspace) -> Group:
        buffers = {name: stacked[rows] for name, stacked in self._buffers.items()}
        values, gradients = (
            views(flat_KP[rows], self._layout) for flat_KP in (self._values_KP, self._slopes_KP)
        )
        return Group(rows, self._network, parameters=Parameters(values, gradients, buffers), room=room)
