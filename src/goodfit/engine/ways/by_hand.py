"""Gradients of multilayer networks, K at a time, without a graph: each product is written where it belongs.

Recording a graph and walking it back costs more than the arithmetic of a small network, and each of its
tensors is new memory. Here the operations of a step are fixed once, and so is the memory they write to.

Letters: K candidates, N rows, C columns of codes, D inputs, U units, O outputs, P parameters.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
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
from goodfit.engine.ways.joined import Joined
from goodfit.engine.ways.norms import BatchNorm, LayerNorm
from goodfit.engine.ways.pieces import Affine, Elementwise, MaxoutPieces, Output, Piece, PRelu
from goodfit.nets.activations import features_per_unit
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

    def _masks(self, num_rows: int, dropout: Dropout) -> _Masks:
        """Draw for all candidates in the order of the layers, before any group is computed."""
        drawn = [
            dropout.input_mask((num_rows, self._num_inputs)),
            *(dropout.hidden_mask((num_rows, width)) for width in self._network.widths),
        ]
        dtype = self._values_KP.dtype
        inputs_KND, *hidden = [None if mask is None else mask.to(dtype) for mask in drawn]
        return _Masks(inputs_KND=inputs_KND, hidden=hidden)

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
        return Group(rows, self._network, parameters=_Parameters(values, gradients, buffers), room=room)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Masks:
    """Dropout masks of a step, ``None`` where nothing is silenced."""

    inputs_KND: Tensor | None
    hidden: Sequence[Tensor | None]

    def of(self, rows: slice) -> _Masks:
        return _Masks(
            inputs_KND=None if self.inputs_KND is None else self.inputs_KND[rows],
            hidden=[None if mask is None else mask[rows] for mask in self.hidden],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Parameters:
    """Values, gradients and buffers of some candidates, by name."""

    values: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    def pair(self, prefix: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        names = (f"{prefix}.weight", f"{prefix}.bias")
        (value, other), (slope, other_slope) = (
            [side[name] for name in names] for side in (self.values, self.gradients)
        )
        return (value, other), (slope, other_slope)

    def embeddings(self) -> list[tuple[Tensor, Tensor]]:
        names = [name for name in self.values if name.startswith("embeddings.")]
        return [(self.values[name], self.gradients[name]) for name in names]


class Group:
    """Neighbours in the stack that are computed together, layer by layer."""

    def __init__(self, rows: slice, network: MLP, *, parameters: _Parameters, room: Workspace) -> None:
        self.rows = rows
        self._joined = Joined(parameters.embeddings(), room)
        self._layers = [
            _Layer(f"layers.{index}", network, parameters=parameters, room=room)
            for index in range(len(network.widths))
        ]
        self._output = Output("output", *parameters.pair("output"), room)

    def inputs(self, x_KND: Tensor, codes_KNC: Tensor | None, masks: _Masks) -> None:
        """Take in the rows of a step and its masks."""
        self._x_KND, self._masks = self._joined.forward(x_KND, codes_KNC, masks.inputs_KND), masks

    def forward(self) -> Tensor:
        """Compute the scores ``(K, O, N)``."""
        h_KNU = self._x_KND
        for layer, mask in zip(self._layers, self._masks.hidden, strict=True):
            h_KNU = layer.forward(h_KNU, mask)
        return self._output.forward(h_KNU)

    def backward(self, d_KON: Tensor) -> None:
        """Note the gradients of all parameters."""
        reaches_inputs = self._joined.has_parameters
        self._output.backward(d_KON)
        d_KNU = self._output.inputs_slope(d_KON) if self._layers or reaches_inputs else d_KON
        for index in reversed(range(len(self._layers))):
            d_KNU = self._layers[index].backward(d_KNU, is_last=index == 0 and not reaches_inputs)
        if reaches_inputs:
            self._joined.backward(d_KNU)


class _Layer:
    """Sums, normalisation, activation, dropout, and perhaps a skip."""

    def __init__(self, prefix: str, network: MLP, *, parameters: _Parameters, room: Workspace) -> None:
        self._name, self._room = prefix, room
        values, gradients = parameters.pair(f"{prefix}.linear")
        self._affine = Affine(prefix, values, gradients, room)
        num_units = values[0].shape[1] // features_per_unit(network.activation, pieces=network.pieces)
        self._has_skip = network.skip and values[0].shape[2] == num_units
        self._pieces = [
            *_normalisation(f"{prefix}.norm", network, parameters, room),
            _activation(f"{prefix}.activation", network, parameters, room),
        ]

    def forward(self, h_KND: Tensor, mask_KNU: Tensor | None) -> Tensor:
        a_KNU, self._mask_KNU = self._affine.forward(h_KND), mask_KNU
        for piece in self._pieces:
            a_KNU = piece.forward(a_KNU)
        if mask_KNU is not None:
            a_KNU = torch.mul(a_KNU, mask_KNU, out=self._room.take(f"{self._name} masked", *a_KNU.shape))
        if self._has_skip:
            a_KNU = torch.add(a_KNU, h_KND, out=self._room.take(f"{self._name} skipped", *a_KNU.shape))
        return a_KNU

    def backward(self, d_KNU: Tensor, *, is_last: bool) -> Tensor:
        straight_KNU = None
        if self._has_skip and not is_last:
            straight_KNU = self._room.take(f"{self._name} straight", *d_KNU.shape).copy_(d_KNU)
        if self._mask_KNU is not None:
            d_KNU = d_KNU.mul_(self._mask_KNU)
        for piece in reversed(self._pieces):
            d_KNU = piece.backward(d_KNU)
        self._affine.backward(d_KNU)
        if is_last:
            return d_KNU
        d_KND = self._affine.inputs_slope(d_KNU)
        return d_KND if straight_KNU is None else d_KND.add_(straight_KNU)


def _normalisation(name: str, network: MLP, parameters: _Parameters, room: Workspace) -> list[Piece]:
    if network.normalisation is None:
        return []
    values, gradients = parameters.pair(name)
    if network.normalisation == "layer":
        return [LayerNorm(name, values, gradients, room)]
    running = (parameters.buffers[f"{name}.running_mean"], parameters.buffers[f"{name}.running_var"])
    return [BatchNorm(name, values, gradients, room, running=running)]


def _activation(name: str, network: MLP, parameters: _Parameters, room: Workspace) -> Piece:
    if network.activation == "maxout":
        return MaxoutPieces(name, network.pieces, room)
    if network.activation == "prelu":
        weight = f"{name}.weight"
        return PRelu(name, parameters.values[weight], parameters.gradients[weight], room)
    return Elementwise(name, network.activation, room)
