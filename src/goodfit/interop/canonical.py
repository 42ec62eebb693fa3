"""Rows in a form in which a weight of 3 and three copies are the same data.

Letters: N rows, M different rows, G different inputs.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from goodfit.data.weights import checked_weights
from goodfit.seeds import numpy_stream

MOST_COPIES = 10_000_000
"""Rows that are written out at most."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """Rows that count.

    Attributes:
        inputs: Their inputs.
        targets_N: Their targets.
        weight_N: How often each counts, above 0; ``None`` where that is once each.
    """

    inputs: pd.DataFrame
    targets_N: np.ndarray
    weight_N: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets_N)

    def at(self, places_M: np.ndarray, weight_M: np.ndarray | None) -> Weighted:
        """Pick rows by place or by a mask, and give them weights."""
        inputs = self.inputs.iloc[places_M].reset_index(drop=True)
        return Weighted(inputs=inputs, targets_N=self.targets_N[places_M], weight_N=weight_M)


def counted(inputs: pd.DataFrame, targets_N: np.ndarray, sample_weight: Any) -> Weighted:
    """Read weights, and leave out rows of weight 0.

    Args:
        inputs: The rows.
        targets_N: Their targets.
        sample_weight: What the user gave.

    Raises:
        DataError: As in :func:`goodfit.data.weights.checked_weights`.
    """
    rows = Weighted(inputs=inputs, targets_N=targets_N)
    if sample_weight is None:
        return rows
    weight_N = checked_weights(sample_weight, num_rows=len(rows))
    if not weight_N.all():
        rows, weight_N = rows.at(weight_N > 0, None), weight_N[weight_N > 0]
    return rows if (weight_N == 1).all() else dataclasses.replace(rows, weight_N=weight_N)


def canonical(rows: Weighted, *, seed: int) -> Weighted:
    """Bring rows into the form that copies and weights share; rows that differ and count once are in it.

    Equal rows of equal targets become one of their summed weight, so that no copy of a training row is asked
    about in validation. Where most of the weight lies on inputs that carry several targets, or all inputs are
    words, copies are no repetition but tell how often each target and each word comes: a table of a few
    categories. Whole weights are then written out as so many rows, which may come into any part. Either way
    the order depends on the seed and on which rows there are, not on the order in which they were given.

    Args:
        rows: At least one.
        seed: Root seed of everything random.

    Example:
        >>> thrice = Weighted(inputs=pd.DataFrame({"x": [5, 5, 5, 7]}), targets_N=np.array([1, 1, 1, 0]))
        >>> merged = canonical(thrice, seed=0)
        >>> sorted(zip(merged.inputs["x"], merged.weight_N.tolist()))
        [(5, 3.0), (7, 1.0)]
    """
    columns = [rows.inputs.iloc[:, place] for place in range(rows.inputs.shape[1])]
    input_N = _ranks(columns, len(rows))
    pair_N = _ranks([pd.Series(input_N), pd.Series(rows.targets_N)], len(rows))
    _, first_M = np.unique(pair_N, return_index=True)
    if rows.weight_N is None and len(first_M) == len(rows):
        return rows
    weight_M = np.bincount(pair_N, weights=rows.weight_N).astype(np.float64)
    if _are_counts(weight_M, input_N[first_M], has_numbers=any(map(_is_number, columns))):
        first_M = first_M.repeat(weight_M.astype(int))
        weight_M = np.ones(len(first_M))
    # not in the order of their values, which a time or a source could be mistaken for
    order_M = numpy_stream(seed, "order of rows").permutation(len(first_M))
    is_plain = (weight_M == 1).all()
    return rows.at(first_M[order_M], None if is_plain else weight_M[order_M])


def _are_counts(weight_M: np.ndarray, input_M: np.ndarray, *, has_numbers: bool) -> bool:
    """Whether weights tell how often rows of a few categories came."""
    if (weight_M != weight_M.round()).any() or weight_M.sum() > MOST_COPIES:
        return False
    is_several_G = np.bincount(input_M) > 1
    return not has_numbers or bool(2 * weight_M[is_several_G[input_M]].sum() > weight_M.sum())


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)


def _ranks(columns: list[pd.Series], num_rows: int) -> np.ndarray:
    """Number rows in the order of their cells, column by column, equal rows alike."""
    rank_N = np.zeros(num_rows, dtype=np.int64)
    for column in columns:
        code_N = _codes(column)
        _, rank_N = np.unique(rank_N * (code_N.max() + 1) + code_N, return_inverse=True)
        if rank_N.max() == num_rows - 1:  # all differ already
            break
    return rank_N


def _codes(column: pd.Series) -> np.ndarray:
    """Number cells in their order, equal cells alike, missing ones 0."""
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        # cells of several types have no order, and those of some no equality
        column = column.map(lambda cell: f"{type(cell).__name__} {cell!r}", na_action="ignore")
    codes_N, _ = pd.factorize(column, sort=True)
    return codes_N.astype(np.int64) + 1
