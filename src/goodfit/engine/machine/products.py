"""Products of small matrices, many at a time, by the library that computes them fastest where they are.

Torch hands all matrices of a batch to its library in one call. NumPy calls its own for one pair after the
other; that writes into matrices that lie apart, and has kernels for small ones on processors with AVX-512.
On one thread it is the faster way unless the right side is transposed; on several, and on a GPU, torch
shares the matrices out.

Letters: K products, M rows, J terms of a sum, L columns; N rows, D inputs, U units of a layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, final

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

SMALL = 100**3
"""Multiplications of one product up to which OpenBLAS has kernels for small matrices, which copy nothing."""
WITH_SMALL_KERNELS = ("SkylakeX", "Cooperlake", "SapphireRapids")
"""Processors for which it has them, as OpenBLAS names them; newer ones of AMD are SkylakeX to it."""
TURNED_WEIGHTS = 64 * 64
"""Weights of a layer up to which it pays to transpose them first: they stay in the first cache meanwhile."""
TURNED_FOR_MANY_ROWS = 128 * 128
"""Likewise where many rows go through the same weights."""


@final
class Product:
    """The product of a left and a right matrix, K at a time, that a step takes again and again.

    Callers stand inside :func:`unwarned`.

    Args:
        like: A tensor of the type and on the device of both; threads are those that torch has by now.
        turned: The side that is transposed, if any.

    Example:
        >>> product = Product(torch.zeros(1), turned="left")
        >>> product(torch.ones(2, 4, 3), torch.ones(2, 4, 5), out=torch.empty(2, 3, 5)).unique()
        tensor([4.])
    """

    def __init__(self, like: Tensor, *, turned: Literal["left", "right"] | None = None) -> None:
        self._turned, self._is_numpys = turned, is_numpys(like)
        self._left: Tensor | None = None
        self._right: Tensor | None = None
        self._out: Tensor | None = None

    def __call__(
        self, left_KMJ: Tensor, right_KJL: Tensor, *, out: Tensor, plus: Tensor | None = None
    ) -> Tensor:
        """Compute the products into ``out``, whose matrices may lie apart, and add what is given to each."""
        if not self._is_numpys:
            left_KMJ = left_KMJ.mT if self._turned == "left" else left_KMJ
            right_KJL = right_KJL.mT if self._turned == "right" else right_KJL
            if plus is None:
                return torch.bmm(left_KMJ, right_KJL, out=out)
            return torch.baddbmm(plus, left_KMJ, right_KJL, out=out)
        # to see a tensor as an array takes as long as a small product, and most are those of the last step
        if out is not self._out:
            self._see_result(left_KMJ, out)
        if left_KMJ is not self._left:
            array = array_of(left_KMJ)
            array = array.swapaxes(1, 2) if self._turned == "left" else array
            self._left, self._left_array = left_KMJ, _cut(array, self._num_parts)
        if right_KJL is not self._right:
            array = array_of(right_KJL)
            array = array.swapaxes(1, 2) if self._turned == "right" else array
            self._right, self._right_array = right_KJL, array if self._num_parts == 1 else array[:, None]
        np.matmul(self._left_array, self._right_array, out=self._out_array)
        return out if plus is None else out.add_(plus)

    def _see_result(self, left: Tensor, out: Tensor) -> None:
        num_rows, num_columns = out.shape[1:]
        size = left[0].numel() * num_columns
        self._num_parts = 1 if self._turned == "right" else fewest_parts(num_rows, size)
        self._left = self._right = None
        self._out, self._out_array = out, _cut(array_of(out), self._num_parts)


@final
class WeightedSums:
    """``h W^T + b`` of a layer, K at a time, by weights that are transposed first where that pays.

    Args:
        weight_KUD: The weights; they stay where they are.
        bias_KU: The biases, likewise.
        most: Weights of one layer up to which they are transposed.
    """

    def __init__(self, weight_KUD: Tensor, bias_KU: Tensor, *, most: int = TURNED_WEIGHTS) -> None:
        self._weight_KDU, self._bias_K1U = weight_KUD.mT, bias_KU.unsqueeze(1)
        self._turned_KDU: Tensor | None = None
        if is_numpys(weight_KUD) and has_small_kernels() and weight_KUD[0].numel() <= most:
            self._turned_KDU = torch.empty_like(self._weight_KDU, memory_format=torch.contiguous_format)
            self._arrays = array_of(self._turned_KDU), array_of(self._weight_KDU)
            self._product = Product(weight_KUD)

    def turn(self) -> None:
        """Take in the weights as they are now."""
        if self._turned_KDU is not None:
            np.copyto(*self._arrays)

    def __call__(self, h_KND: Tensor, *, out: Tensor) -> Tensor:
        """Compute the sums ``(K, N, U)`` into ``out`` with the weights as they were when turned last."""
        if self._turned_KDU is None:
            return torch.baddbmm(self._bias_K1U, h_KND, self._weight_KDU, out=out)
        return self._product(h_KND, self._turned_KDU, out=out, plus=self._bias_K1U)


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Let both libraries use so many threads inside an operation for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with _libraries().limit(limits=count):
            yield
    finally:
        torch.set_num_threads(before)


def unwarned() -> np.errstate:
    """Let NumPy compute what is not finite without a warning, as torch does; looks at the curves find it."""
    return np.errstate(over="ignore", invalid="ignore")


def is_numpys(like: Tensor) -> bool:
    """Whether NumPy takes products of such tensors here: on one thread of the processor."""
    is_known = like.dtype in (torch.float32, torch.float64)
    return is_known and like.device.type == "cpu" and torch.get_num_threads() == 1


def fewest_parts(num_rows: int, num_multiplications: int) -> int:
    """Into how many equal parts the rows of a product are cut, so that each part is small.

    Example:
        >>> fewest_parts(64, 64**3)
        1
    """
    if not has_small_kernels() or num_multiplications <= SMALL:
        return 1
    return next((n for n in (2, 3, 4) if num_rows % n == 0 and num_multiplications <= n * SMALL), 1)


@cache
def has_small_kernels() -> bool:
    """Whether the library that NumPy uses has kernels for small matrices on this processor."""
    return any(library.get("architecture") in WITH_SMALL_KERNELS for library in _libraries().info())


def array_of(tensor: Tensor) -> np.ndarray:
    """See a tensor as an array that shares its memory."""
    return tensor.detach().numpy()


def _cut(array_KML: np.ndarray, num_parts: int) -> np.ndarray:
    """Cut the rows of each matrix, which copies nothing however they lie."""
    if num_parts == 1:
        return array_KML
    num_products, num_rows, num_columns = array_KML.shape
    return array_KML.reshape(num_products, num_parts, num_rows // num_parts, num_columns)


@cache
def _libraries() -> Any:
    return ThreadpoolController().select(user_api="blas")
