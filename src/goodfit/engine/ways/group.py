"""Neighbours in a stack that are computed together, layer by layer, forward and backward.

Letters: K candidates, N rows, C columns of codes, D inputs, U units, O outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.joined import Joined
from goodfit.engine.ways.norms import BatchNorm, LayerNorm
from goodfit.engine.ways.pieces import Affine, Elementwise, MaxoutPieces, Output, Piece, PRelu
from goodfit.nets.activations import features_per_unit
from goodfit.nets.mlp import MLP


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """Dropout masks of a step, ``None`` where nothing is silenced."""

    inputs_KND: Tensor | None
    hidden: Sequence[Tensor | None]

    def of(self, rows: slice) -> Masks:
        """Pick neighbours."""
        return Masks(
            inputs_KND=None if self.inputs_KND is None else self.inputs_KND[rows],
            hidden=[None if mask is None else mask[rows] for mask in self.hidden],
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
    """Values, gradients and buffers of some candidates, by name."""

    values: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    def pair(self, prefix: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Weight and bias of a module, and where their gradients go."""
        names = (f"{prefix}.weight", f"{prefix}.bias")
        (value, other), (slope, other_slope) = (
            [side[name] for name in names] for side in (self.values, self.gradients)
        )
        return (value, other), (slope, other_slope)

    def embeddings(self) -> list[tuple[Tensor, Tensor]]:
        """Tables of codes, and where their gradients go."""
        names = [name for name in self.values if name.startswith("embeddings.")]
        return [(self.values[name], self.gradients[name]) for name in names]


class Group:
    """Neighbours in the stack that are computed together, layer by layer."""

    def __init__(self, rows: slice, network: MLP, *, parameters: Parameters, room: Workspace) -> None:
        self.rows = rows
        self._joined = Joined(parameters.embeddings(), room)
        self._layers = [
            _Layer(f"layers.{index}", network, parameters=parameters, room=room)
            for index in range(len(network.widths))
        ]
        self._output = Output("output", *parameters.pair("output"), room)

    def inputs(self, x_KND: Tensor, codes_KNC: Tensor | None, masks: Masks) -> None:
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

    def __init__(self, prefix: str, network: MLP, *, parameters: Parameters, room: Workspace) -> None:
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


def _normalisation(name: str, network: MLP, parameters: Parameters, room: Workspace) -> list[Piece]:
    if network.normalisation is None:
        return []
    values, gradients = parameters.pair(name)
    if network.normalisation == "layer":
        return [LayerNorm(name, values, gradients, room)]
    running = (parameters.buffers[f"{name}.running_mean"], parameters.buffers[f"{name}.running_var"])
    return [BatchNorm(name, values, gradients, room, running=running)]


def _activation(name: str, network: MLP, parameters: Parameters, room: Workspace) -> Piece:
    if network.activation == "maxout":
        return MaxoutPieces(name, network.pieces, room)
    if network.activation == "prelu":
        weight = f"{name}.weight"
        return PRelu(name, parameters.values[weight], parameters.gradients[weight], room)
    return Elementwise(name, network.activation, room)
