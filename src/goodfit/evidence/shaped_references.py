"""Reference models where a row has several targets: numbers, labels, or a class for each place.

All of them are regressions of what a network would put out, classes as 0 and 1, so that one score serves
both. scikit-learn is imported when a model is built.

Letters: N rows, F inputs of one row in a line, O outputs, P places, C classes of a place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

MOST_ENTRIES = 40_000_000
"""Entries of rows times outputs that a model learns from at most."""
MOST_PLACES = 20_000
NUM_TREES = 50


def wanted_outputs(y_NP: np.ndarray, *, kind: str, num_classes: int) -> np.ndarray:
    """Write targets as a perfect network would put them out, ``(N, O)``; a place that does not count is 0.

    Example:
        >>> wanted_outputs(np.array([[1, -100]]), kind="places", num_classes=2)
        array([[0., 1., 0., 0.]], dtype=float32)
    """
    if kind != "places":
        return y_NP.astype(np.float32)
    is_class_NPC = y_NP[..., None] == np.arange(num_classes)
    return is_class_NPC.reshape(len(y_NP), -1).astype(np.float32)


def shaped_models(
    *, kind: str, num_rows: int, num_outputs: int, places: Places | None, seed: int
) -> tuple[tuple[str, Any, int], ...]:
    """Make the models: name, estimator, and the rows that it may learn from."""
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    most = max(1, min(num_rows, MOST_ENTRIES // num_outputs))
    neighbours = KNeighborsRegressor(n_neighbors=min(5, most), weights="distance")
    trees = ExtraTreesRegressor(n_estimators=NUM_TREES, min_samples_leaf=2, random_state=seed)
    models = [
        ("mean" if kind == "numbers" else "majority", DummyRegressor(), num_rows),
        ("linear", Ridge(), most),
        ("k nearest neighbours", neighbours, most),
        ("extra trees", trees, max(1, most // 10) if num_outputs > 1000 else most),
    ]
    if places is not None:
        models.append(("every place alone", places, num_rows))
    return tuple(models)


class Places:
    """Boosted trees that see one place of a row at a time: a time step, a pixel.

    Args:
        shape: Shape of one row of the inputs.
        places: Shape of one row of the targets, the first or the last axes of ``shape``.
        num_classes: C.
        seed: Of what is drawn.
    """

    def __init__(
        self, *, shape: tuple[int, ...], places: tuple[int, ...], num_classes: int, seed: int
    ) -> None:
        self.shape, self.places, self.num_classes, self.seed = shape, places, num_classes, seed

    @staticmethod
    def can_see(shape: tuple[int, ...], places: tuple[int, ...]) -> bool:
        """Whether the inputs lie along the targets."""
        return places in (shape[: len(places)], shape[len(shape) - len(places) :])

    def fit(self, x_NF: np.ndarray, outputs_NO: np.ndarray) -> Places:
        """Learn from at most 20,000 places that count."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        share_MC = outputs_NO.reshape(-1, self.num_classes)
        chosen_M = np.flatnonzero(share_MC.any(axis=1))
        chosen_M = np.random.default_rng(self.seed).permutation(chosen_M)[:MOST_PLACES]
        self.model_ = HistGradientBoostingClassifier(
            max_iter=50, early_stopping=False, random_state=self.seed
        )
        self.model_.fit(self._each(x_NF)[chosen_M], share_MC[chosen_M].argmax(1))
        return self

    def predict(self, x_NF: np.ndarray) -> np.ndarray:
        """Predict the shares of all classes in all places, ``(N, P * C)``."""
        share_MC = np.zeros((len(x_NF) * math.prod(self.places), self.num_classes), dtype=np.float32)
        share_MC[:, self.model_.classes_] = self.model_.predict_proba(self._each(x_NF))
        return share_MC.reshape(len(x_NF), -1)

    def _each(self, x_NF: np.ndarray) -> np.ndarray:
        x = x_NF.reshape(len(x_NF), *self.shape)
        if self.shape[: len(self.places)] != self.places:
            x = np.moveaxis(x, range(1, x.ndim - len(self.places)), range(len(self.places) + 1, x.ndim))
        return x.reshape(len(x) * math.prod(self.places), -1)
