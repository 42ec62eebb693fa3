"""What made a tensor, read from autograd's record of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from torch import Tensor

MOST_OPERATIONS = 12
SHAPES = (
    *("view", "reshapealias", "unsafeview", "squeeze", "unsqueeze", "transpose", "t", "permute", "select"),
    *("slice", "index", "clone", "tocopy", "expand", "alias", "asstrided", "contiguous"),
)
"""Operations that change no number."""
ENDS = (
    *("addmm", "mm", "bmm", "baddbmm", "linear", "convolution", "mkldnnconvolution", "embedding"),
    "nativelayernorm",
)
"""A layer with weights: what lies before it is not the output's own making."""


def operations(tensor: Tensor) -> tuple[str, ...]:
    """Name the operations that made a tensor, the last one first, back to the last layer with weights.

    Example:
        >>> import torch
        >>> operations(torch.softmax(torch.ones(2, 3, requires_grad=True) * 2, dim=1).clamp(min=1e-7))
        ('clamp', 'softmax', 'mul')
    """
    names: list[str] = []
    for node in _line(tensor):
        name = _name(node)
        if name not in SHAPES:
            names.append(name)
        if name in ENDS or len(names) == MOST_OPERATIONS:
            break
    return tuple(names)


def is_negated(total: Tensor, loss: Tensor) -> bool:
    """Whether ``total`` was made from ``loss`` with its sign turned, whatever was added to it.

    Example:
        >>> import torch
        >>> loss = torch.ones(3, requires_grad=True).square().mean()
        >>> is_negated(-loss + 1, loss), is_negated(2 * loss, loss)
        (True, False)
    """
    num_turns = 0
    for node in itertools.islice(_line(total), MOST_OPERATIONS):
        if node is loss.grad_fn:
            return num_turns % 2 == 1
        num_turns += _name(node) == "neg"
    return False


def _line(tensor: Tensor) -> Iterator[Any]:
    """Walk from a tensor to what it was made from, along the first tensor of each operation."""
    node = tensor.grad_fn
    while node is not None and not node.name().lower().endswith("accumulategrad"):
        yield node
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)


def _name(node: Any) -> str:
    return re.sub(r"Backward\d*$", "", node.name()).lower()
