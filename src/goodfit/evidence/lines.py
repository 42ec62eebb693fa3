"""Rows as scikit-learn takes them: each in a line, and in an order of which the first ones are a sample.

Letters: N rows, F inputs of one row in a line (numbers first, then codes of categories).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from goodfit.data.split import Rows

LARGE_BYTES = 32_000_000
"""Rows from which a copy of them all is too dear."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """Rows, and an order of them, shuffled; drawn by weight, where they have any.

    Nearest neighbours know no weights, but rows drawn by them are weighed for every model, and their plain
    training score is the weighted one.

    Attributes:
        x_NF: Inputs, as they lie.
        y_N: Targets.
        order_N: Places of rows, shuffled.
        is_whole: Whether every row is in the order, once.
    """

    x_NF: np.ndarray
    y_N: np.ndarray
    order_N: np.ndarray
    is_whole: bool

    @classmethod
    def of(cls, rows: Rows, *, stream: np.random.Generator) -> Lines:
        """Lay rows out, and draw their order."""
        order_N = stream.permutation(len(rows))
        if rows.weight_N is not None:
            order_N = _drawn_by_weight(rows, start=stream.random())[order_N]
        return cls(
            x_NF=matrix_of(rows),
            y_N=rows.y_N.numpy(),
            order_N=order_N,
            is_whole=rows.weight_N is None,
        )

    def __len__(self) -> int:
        return len(self.y_N)

    def first(self, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Take the first rows of the order: inputs ``(num_rows, F)`` and targets.

        Only as many are copied as are asked for, since a model may keep what it is given. All of them, if
        they are large, are given as they lie and not copied: an order matters where some are left out.
        """
        if self.is_whole and num_rows >= len(self) and self.x_NF.nbytes > LARGE_BYTES:
            return self.x_NF, self.y_N
        chosen_N = self.order_N[:num_rows]
        return self.x_NF[chosen_N], self.y_N[chosen_N]


def matrix_of(rows: Rows) -> np.ndarray:
    """Lay each row out in a line ``(N, F)``, codes behind numbers."""
    x_NF: np.ndarray = rows.x.flatten(1).numpy()
    return x_NF if rows.codes_NC is None else np.hstack([x_NF, rows.codes_NC.numpy()])


def weights_of(rows: Rows) -> np.ndarray | None:
    """Give the weights as an array; ``None`` where all are equal."""
    return None if rows.weight_N is None else rows.weight_N.numpy()


def _drawn_by_weight(rows: Rows, *, start: float) -> np.ndarray:
    """Places of as many rows as there are, each as often as it weighs."""
    import torch

    from goodfit.engine.goodness.weighting import drawn_by_weight

    assert rows.weight_N is not None
    places_N: np.ndarray = drawn_by_weight(rows.weight_N[None], torch.tensor([start]))[0].numpy()
    return places_N
