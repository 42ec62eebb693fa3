"""The pieces of a layer for K networks, each with its forward and its backward pass written by hand.

Letters: K candidates, N rows, D inputs, U units or weighted sums, P pieces of a Maxout unit.

A piece remembers what its backward pass needs, so the two are called in turn. It may overwrite what it is
handed: the sums before an activation, and the slope of the loss on the way back. Nothing records a graph.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from goodfit.engine.machine.products import Product, WeightedSums, is_numpys
from goodfit.engine.machine.workspace import Workspace

LARGE_WEIGHTS = 30_000
"""Weights from which a product is written into the gradient buffer at once.

Torch has no batched product into rows that lie apart on a processor, and makes one call for each candidate
instead; a copy of few weights is cheaper than that, a copy of many is not. NumPy has one, and a GPU too.
"""

_aten = torch.ops.aten
_LEAK = 0.01


class Piece(abc.ABC):
    """One operation of a layer."""

    @abc.abstractmethod
    def forward(self, z_KNU: Tensor) -> Tensor:
        """Compute the piece; what is handed over may be overwritten."""

    @abc.abstractmethod
    def backward(self, d_KNU: Tensor) -> Tensor:
        """Turn the slope of the loss for what came out into that for what went in, and note gradients."""


class _Sums:
    """Weights and biases, and how their gradients are noted.

    Args:
        name: Names their memory.
        values: Weight ``(K, U, D)`` and bias ``(K, U)``.
        gradients: Where their gradients go.
        room: Memory.
    """

    _h_KND: Tensor

    def __init__(
        self, name: str, values: tuple[Tensor, Tensor], gradients: tuple[Tensor, Tensor], room: Workspace
    ) -> None:
        self._name, self._room = name, room
        self._weight_KUD, self._bias_KU = values
        self._weight_slope_KUD, self._bias_slope_KU = gradients
        self._is_direct = (
            is_numpys(self._weight_KUD)
            or self._weight_KUD[0].numel() >= LARGE_WEIGHTS
            or self._weight_slope_KUD.is_contiguous()
            or self._weight_slope_KUD.is_cuda
        )

    def _note_weight(self, product: Product, d: Tensor) -> None:
        if self._is_direct:
            product(d, self._h_KND, out=self._weight_slope_KUD)
        else:
            beside_KUD = self._room.take(f"{self._name} weights", *self._weight_KUD.shape)
            self._weight_slope_KUD.copy_(product(d, self._h_KND, out=beside_KUD))

    def _inputs_slope(self, product: Product, d: Tensor) -> Tensor:
        d_KND = self._room.take(f"{self._name} inputs", *self._h_KND.shape)
        return product(d, self._weight_KUD, out=d_KND)


@final
class Affine(_Sums):
    """Weighted sums ``h W^T + b`` of a hidden layer."""

    def __init__(
        self, name: str, values: tuple[Tensor, Tensor], gradients: tuple[Tensor, Tensor], room: Workspace
    ) -> None:
        super().__init__(name, values, gradients, room)
        self._sums = WeightedSums(*values)
        self._to_weight, self._to_inputs = Product(values[0], turned="left"), Product(values[0])

    def forward(self, h_KND: Tensor) -> Tensor:
        """Compute the sums; ``h_KND`` must stay as it is until :meth:`backward`."""
        self._h_KND = h_KND
        num_candidates, num_units = self._bias_KU.shape
        z_KNU = self._room.take(f"{self._name} sums", num_candidates, h_KND.shape[1], num_units)
        self._sums.turn()
        return self._sums(h_KND, out=z_KNU)

    def backward(self, d_KNU: Tensor) -> None:
        """Note the gradients of weight and bias."""
        self._note_weight(self._to_weight, d_KNU)
        torch.sum(d_KNU, 1, out=self._bias_slope_KU)

    def inputs_slope(self, d_KNU: Tensor) -> Tensor:
        """Give the slope for the inputs."""
        return self._inputs_slope(self._to_inputs, d_KNU)


@final
class Output(_Sums):
    """Weighted sums of the last layer, its few units before the rows, as the slopes of losses want them."""

    def __init__(
        self, name: str, values: tuple[Tensor, Tensor], gradients: tuple[Tensor, Tensor], room: Workspace
    ) -> None:
        super().__init__(name, values, gradients, room)
        self._bias_KO1 = self._bias_KU.unsqueeze(2)
        self._sums = Product(values[0], turned="right")
        self._to_weight, self._to_inputs = Product(values[0]), Product(values[0], turned="left")

    def forward(self, h_KND: Tensor) -> Tensor:
        """Compute the scores ``(K, O, N)``."""
        self._h_KND = h_KND
        num_candidates, num_outputs = self._bias_KU.shape
        scores_KON = self._room.take(f"{self._name} sums", num_candidates, num_outputs, h_KND.shape[1])
        return self._sums(self._weight_KUD, h_KND, out=scores_KON, plus=self._bias_KO1)

    def backward(self, d_KON: Tensor) -> None:
        """Note the gradients of weight and bias."""
        self._note_weight(self._to_weight, d_KON)
        torch.sum(d_KON, 2, out=self._bias_slope_KU)

    def inputs_slope(self, d_KON: Tensor) -> Tensor:
        """Give the slope for the inputs ``(K, N, D)``."""
        return self._inputs_slope(self._to_inputs, d_KON)


def _of_result(slope: Callable[..., Tensor], *numbers: float | bool) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda d, a: slope(d, a, *numbers, grad_input=d)


IN_PLACE: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relu": (torch.relu_, _of_result(_aten.threshold_backward.grad_input, 0)),
    "leaky-relu": (
        lambda z: torch.nn.functional.leaky_relu_(z, _LEAK),
        _of_result(_aten.leaky_relu_backward.grad_input, _LEAK, True),
    ),
    "sigmoid": (torch.sigmoid_, _of_result(_aten.sigmoid_backward.grad_input)),
    "tanh": (torch.tanh_, _of_result(_aten.tanh_backward.grad_input)),
}
"""Activations that may stand where the sums stood, and their slopes from the activation alone."""
# activation beside the sums, and the slope from the sums
_BESIDE: dict[str, tuple[Callable[..., Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "gelu": (_aten.gelu.out, _of_result(_aten.gelu_backward.grad_input)),
    "silu": (_aten.silu.out, _of_result(_aten.silu_backward.grad_input)),
}
BY_HAND = frozenset({*IN_PLACE, *_BESIDE, "prelu", "maxout"})
"""Activations that are differentiated here."""


@final
class Elementwise(Piece):
    """An activation of one number; ``kind`` is its name."""

    def __init__(self, name: str, kind: str, room: Workspace) -> None:
        self._name, self._room = name, room
        self._is_in_place = kind in IN_PLACE
        functions: tuple[Callable[..., Tensor], Callable[[Tensor, Tensor], Tensor]]
        functions = IN_PLACE[kind] if self._is_in_place else _BESIDE[kind]
        self._function, self._slope = functions

    def forward(self, z_KNU: Tensor) -> Tensor:
        """Bend the sums."""
        if self._is_in_place:
            self._kept_KNU = self._function(z_KNU)
            return self._kept_KNU
        self._kept_KNU = z_KNU
        return self._function(z_KNU, out=self._room.take(f"{self._name} bent", *z_KNU.shape))

    def backward(self, d_KNU: Tensor) -> Tensor:
        """Multiply by the activation's slope."""
        return self._slope(d_KNU, self._kept_KNU)


@final
class PRelu(Piece):
    """A leaky ReLU whose slope below zero, ``(K, 1)``, is learnt."""

    def __init__(self, name: str, slope_K1: Tensor, gradient_K1: Tensor, room: Workspace) -> None:
        self._name, self._room = name, room
        self._slope_K11, self._gradient_K1 = slope_K1.unsqueeze(1), gradient_K1

    def forward(self, z_KNU: Tensor) -> Tensor:
        """Bend the sums."""
        self._z_KNU = z_KNU
        a_KNU = self._room.take(f"{self._name} bent", *z_KNU.shape)
        below_KNU = torch.clamp(z_KNU, max=0, out=self._room.take(f"{self._name} below", *z_KNU.shape))
        torch.clamp(z_KNU, min=0, out=a_KNU)
        self._below_KNU = below_KNU
        return a_KNU.addcmul_(below_KNU, self._slope_K11)

    def backward(self, d_KNU: Tensor) -> Tensor:
        """Multiply by one or by the learnt slope."""
        torch.sum(self._below_KNU.mul_(d_KNU).flatten(1), 1, keepdim=True, out=self._gradient_K1)
        return torch.where(self._z_KNU > 0, d_KNU, d_KNU * self._slope_K11)


@final
class MaxoutPieces(Piece):
    """The largest of the pieces of each unit; the winner alone receives the slope."""

    def __init__(self, name: str, pieces: int, room: Workspace) -> None:
        self._name, self._pieces, self._room = name, pieces, room

    def forward(self, z_KNU: Tensor) -> Tensor:
        """Let the largest piece speak."""
        a_KNU, self._winner_KNU = z_KNU.unflatten(-1, (-1, self._pieces)).max(dim=-1)
        return a_KNU

    def backward(self, d_KNU: Tensor) -> Tensor:
        """Hand the slope to the winners."""
        num_candidates, num_rows, num_units = d_KNU.shape
        pieces_KNU = self._room.take(
            f"{self._name} pieces", num_candidates, num_rows, num_units * self._pieces
        )
        pieces_KNUP = pieces_KNU.zero_().unflatten(-1, (num_units, self._pieces))
        pieces_KNUP.scatter_(-1, self._winner_KNU.unsqueeze(-1), d_KNU.unsqueeze(-1))
        return pieces_KNU
