"""Parameters of K networks in one flat buffer, and every parameter as a view of it.

Shape letters, everywhere in the package:

==  ===============================================
K   candidates of a population; always the first axis
N   samples (rows of a batch)
D   inputs of a layer or network
U   units of a layer
P   parameters of one candidate; in Maxout, pieces of a unit
C   columns of codes (categories as integers); in images, channels
H   height of an image
W   width of an image
==  ===============================================
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from goodfit.errors import ShapeError


def column(numbers: Sequence[float], like_KP: Tensor) -> Tensor:
    """Write one number for each candidate as a column ``(K, 1)`` of a buffer's type and device.

    Example:
        >>> column([0.1, 0.2], torch.zeros(2, 5)).shape
        torch.Size([2, 1])
    """
    return torch.tensor(numbers, dtype=like_KP.dtype, device=like_KP.device).unsqueeze(1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each parameter lies in a row of the flat buffer.

    Attributes:
        names: Parameter names, in the order of the buffer.
        shapes: Shape of each, without the candidate axis.
        offsets: Position of each one's first number.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor]) -> Layout:
        """Lay out one network's parameters in their own order."""
        shapes = tuple(tuple(tensor.shape) for tensor in parameters.values())
        *offsets, _ = itertools.accumulate(map(math.prod, shapes), initial=0)
        return cls(names=tuple(parameters), shapes=shapes, offsets=tuple(offsets))

    @property
    def num_parameters(self) -> int:
        """Numbers in one row of the buffer."""
        return sum(map(math.prod, self.shapes))

    def span(self, name: str) -> slice:
        """Find the columns of one parameter."""
        index = self.names.index(name)
        return slice(self.offsets[index], self.offsets[index] + math.prod(self.shapes[index]))

    def mask(self, *names: str) -> Tensor:
        """Mark the columns of the named parameters with 1, all others with 0; shape ``(P,)``."""
        mask_P = torch.zeros(self.num_parameters)
        for name in names:
            mask_P[self.span(name)] = 1.0
        return mask_P

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the parameters that penalties act on: those of two axes or more.

        Biases, normalisation and PReLU slopes have one axis; shrinking them costs fit and buys nothing.
        """
        return tuple(name for name, shape in zip(self.names, self.shapes, strict=True) if len(shape) > 1)


def common_layout(members: Sequence[Mapping[str, Tensor]]) -> Layout:
    """Find the layout that all networks of a population share.

    Raises:
        ShapeError: There is no member, or two differ in names or shapes.
    """
    if not members:
        raise ShapeError("a population of 0 networks has no parameters", fix="give at least one network")
    layout = Layout.of(members[0])
    for k, member in enumerate(members):
        if Layout.of(member) != layout:
            raise ShapeError(
                f"network {k} has other parameters than network 0: {_difference(member, members[0])}",
                fix="stack only networks of one structure",
            )
    return layout


def flatten_parameters(members: Sequence[Mapping[str, Tensor]]) -> tuple[Tensor, Layout]:
    """Copy the parameters of K networks into one contiguous buffer.

    Args:
        members: One mapping from name to tensor for each candidate, such as
            ``dict(module.named_parameters())``.

    Returns:
        The buffer, shape ``(K, P)``, without gradient history, and its layout.

    Raises:
        ShapeError: There is no member, or two differ in names or shapes.

    Example:
        >>> flat_KP, layout = flatten_parameters([{"w": torch.ones(2, 3), "b": torch.zeros(2)}] * 4)
        >>> flat_KP.shape, layout.offsets
        (torch.Size([4, 8]), (0, 6))
    """
    layout = common_layout(members)
    rows = [torch.cat([tensor.detach().reshape(-1) for tensor in member.values()]) for member in members]
    return torch.stack(rows), layout


def views(flat_KP: Tensor, layout: Layout) -> dict[str, Tensor]:
    """See each parameter of all candidates in the buffer, without copying.

    Args:
        flat_KP: Buffer of shape ``(K, P)``, or one row ``(P,)``.
        layout: The buffer's layout.

    Returns:
        Name to view, of shape ``(K, *shape)``; writing to a view writes to the buffer.

    Raises:
        ShapeError: The rows have another length than the layout.

    Example:
        >>> flat_KP, layout = flatten_parameters([{"w": torch.ones(2, 3)}] * 4)
        >>> views(flat_KP, layout)["w"].shape
        torch.Size([4, 2, 3])
    """
    *lead, length = flat_KP.shape
    if length != layout.num_parameters:
        raise ShapeError(
            f"the buffer has rows of {length} numbers, the layout {layout.num_parameters}",
            fix="use the layout that came with this buffer",
        )
    return {
        name: flat_KP[..., layout.span(name)].view((*lead, *shape))
        for name, shape in zip(layout.names, layout.shapes, strict=True)
    }


def unflatten_row(flat_P: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Copy one candidate's parameters out of the buffer, ready for ``load_state_dict``.

    Args:
        flat_P: One row of the buffer.
        layout: The buffer's layout.

    Returns:
        Name to tensor; later writes to the buffer do not reach them.
    """
    return {name: view.detach().clone() for name, view in views(flat_P, layout).items()}


def _difference(member: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> str:
    for name in (*first, *member):
        shapes = [tuple(side[name].shape) if name in side else None for side in (member, first)]
        if shapes[0] != shapes[1]:
            return f"{name} is {shapes[0] or 'absent'} against {shapes[1] or 'absent'}"
    return "the same, in another order"
