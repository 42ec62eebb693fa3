"""What the charts show, as numbers: curves over epochs with their spread over seeds.

Letters: S seeds, E epochs, L layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from goodfit.engine.history import Curve, History

MOST_POINTS = 48


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Band:
    """A curve's middle and its spread over seeds; NaN where no seed has a number.

    Attributes:
        epochs_E: Where it was measured.
        mean_E: Mean over seeds.
        low_E: Smallest of the seeds.
        high_E: Largest of the seeds.
    """

    epochs_E: np.ndarray
    mean_E: np.ndarray
    low_E: np.ndarray
    high_E: np.ndarray


def band(histories: Sequence[History], name: str) -> Band:
    """Collect one curve of all seeds.

    A seed that stopped early counts as far as it went.

    Args:
        histories: One per seed.
        name: Field of :class:`~goodfit.engine.history.History`, such as ``"train_score"``.
    """
    epochs_E = np.array(max((history.epochs for history in histories), key=len))
    values_SE = np.full((len(histories), len(epochs_E)), np.nan)
    for row_E, history in zip(values_SE, histories, strict=True):
        values: Curve = getattr(history, name)
        row_E[: len(values)] = np.array(values, dtype=float)
    chosen_E = thinned(len(epochs_E))
    values_SE = np.ma.masked_invalid(values_SE[:, chosen_E])
    middle_E, low_E, high_E = (reduce(axis=0).filled(np.nan) for reduce in _reductions(values_SE))
    return Band(epochs_E=epochs_E[chosen_E], mean_E=middle_E, low_E=low_E, high_E=high_E)


def layer_grid(histories: Sequence[History], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Collect what the probes measured, averaged over seeds.

    Args:
        histories: One per seed.
        name: Field of :class:`~goodfit.engine.history.LayerHistory`, such as ``"gradient_norm"``.

    Returns:
        The probed epochs, shape ``(E,)``, and the values, shape ``(L, E)``, NaN where there are none.
    """
    epochs_E = np.array(max((history.probed_epochs for history in histories), key=len), dtype=int)
    num_layers = max(len(history.layers) for history in histories)
    values_SLE = np.full((len(histories), num_layers, len(epochs_E)), np.nan)
    for values_LE, history in zip(values_SLE, histories, strict=True):
        for row_E, layer in zip(values_LE, history.layers, strict=False):
            values: Curve = getattr(layer, name)
            row_E[: len(values)] = np.array(values, dtype=float)
    chosen_E = thinned(len(epochs_E))
    mean_LE = np.ma.masked_invalid(values_SLE[:, :, chosen_E]).mean(axis=0)
    return epochs_E[chosen_E], np.ma.filled(mean_LE, np.nan)


def thinned(num_points: int) -> np.ndarray:
    """Choose at most 48 places of a curve, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, num_points - 1), min(num_points, MOST_POINTS)).round().astype(int))


def _reductions(values_SE: np.ma.MaskedArray) -> tuple:
    return values_SE.mean, values_SE.min, values_SE.max
