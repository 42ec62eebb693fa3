"""Weights of rows: how often each counts.

Letters: N rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from goodfit.data.arrays import as_array
from goodfit.errors import DataError


def checked_weights(said: Any, *, num_rows: int) -> np.ndarray:
    """Read weights that the user gave.

    Args:
        said: One number of at least 0 for each row, in anything that becomes an array.
        num_rows: N.

    Returns:
        float64 weights, ``(N,)``, as they are; a copy.

    Raises:
        DataError: They are no numbers, not one a row, negative, NaN, infinite, or all zero.

    Example:
        >>> checked_weights([2, 0, 1], num_rows=3)
        array([2., 0., 1.])
    """
    try:
        weight_N = np.array(as_array(said), dtype=np.float64)
    except (DataError, TypeError, ValueError) as error:
        raise DataError(
            f"sample_weight is {said!r:.60}, which is no array of numbers",
            fix="give an array with one number a row; of a column its values, as in frame['w']",
        ) from error
    if weight_N.shape != (num_rows,):
        raise DataError(
            f"sample_weight has shape {weight_N.shape}, there are {num_rows} rows",
            fix="give one weight a row",
        )
    is_odd_N = ~(np.isfinite(weight_N) & (weight_N >= 0))
    if is_odd_N.any():
        row = int(is_odd_N.argmax())
        raise DataError(
            f"sample_weight is {weight_N[row]:g} in row {row + 1}",
            fix="give finite weights of at least 0; 0 leaves a row out",
        )
    if not weight_N.any():
        raise DataError("sample_weight is zero in every row", fix="give some row a weight above 0")
    return weight_N


def relative(weight_N: np.ndarray) -> np.ndarray | None:
    """Scale weights so that their mean is 1; ``None`` where all are equal, which is no weighing.

    Example:
        >>> relative(np.array([1.0, 3.0])), relative(np.array([2.0, 2.0]))
        (array([0.5, 1.5]), None)
    """
    scaled_N: np.ndarray = weight_N / weight_N.mean()
    return None if np.allclose(scaled_N, 1, rtol=0, atol=1e-9) else scaled_N
