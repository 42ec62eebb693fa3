"""Numbers about trainings that findings are made of.

Every measure takes one history and gives one number (or one for each layer); :func:`over_seeds` takes the
median over the seeds, so that one unlucky start is no finding. Letters: E epochs, L layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from goodfit.engine.history import Curve, History, LayerHistory


def array(curve: Curve) -> np.ndarray:
    """Turn a curve into numbers, NaN where it has none."""
    return np.array(curve, dtype=float)


def over_seeds(histories: Sequence[History], measure: Callable[[History], float]) -> float:
    """Take the median of a measure over the seeds that have it; NaN if none has."""
    values = np.array([measure(history) for history in histories], dtype=float)
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def typical(numbers: np.ndarray) -> float:
    """Median of what is known; NaN if nothing is."""
    known = numbers[~np.isnan(numbers)]
    return float(np.median(known)) if len(known) else float("nan")


def final(curve: Curve) -> float:
    """Last known number of a curve; NaN if none is known."""
    known = [value for value in curve if value is not None]
    return known[-1] if known else float("nan")


def hidden(history: History) -> tuple[LayerHistory, ...]:
    """Layers with an activation behind them."""
    return tuple(layer for layer in history.layers if layer.activation is not None)


def gradient_ratio(history: History) -> float:
    r"""Gradient that reaches the first layer over that of the last, by root mean squares over their weights.

    .. math:: \frac{\lVert g_1 \rVert / \sqrt{n_1}}{\lVert g_L \rVert / \sqrt{n_L}}

    The median over the probed epochs; NaN for fewer than three layers, or without gradients.
    """
    if len(history.layers) < 3:
        return float("nan")
    first_E, last_E = (
        array(layer.gradient_norm) / np.sqrt(layer.num_weights)
        for layer in (history.layers[0], history.layers[-1])
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return typical(np.where(last_E > 0, first_E / last_E, np.nan))


def gradient_sizes(history: History) -> np.ndarray:
    """Largest gradient norm over weight norm of each layer, at any probed epoch, shape ``(L,)``."""
    sizes_L = []
    for layer in history.layers:
        with np.errstate(invalid="ignore", divide="ignore"):
            size_E = array(layer.gradient_norm) / array(layer.weight_norm)
        sizes_L.append(_most(size_E[np.isfinite(size_E)]))
    return np.array(sizes_L)


def movement(history: History) -> float:
    """How far all steps together could have moved the fastest layer, as a share of its size."""
    num_steps = history.steps_per_epoch * (history.epochs[-1] if history.epochs else 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a layer that was never measured
        mean_L = [np.nanmean(array(layer.update_ratio)) for layer in history.layers]
    return _most(np.array([value for value in mean_L if np.isfinite(value)])) * num_steps


def largest_update(history: History) -> float:
    """Median over the epochs of the share of its size by which the fastest layer moves in one step."""
    return _most(np.array([typical(array(layer.update_ratio)) for layer in history.layers]))


def steadiness(layer: LayerHistory) -> float:
    """How much a layer's output differs from row to row, as a share of its size, at the last probe."""
    std, mean = final(layer.output_std), final(layer.output_mean)
    return std / (std + abs(mean)) if std + abs(mean) > 0 else (0.0 if std == 0 else float("nan"))


def fall(history: History, start: float, end: float = 1.0) -> float:
    """Fall of the training loss between two shares of the training, as a share of the loss at the first.

    Means over an eighth of the epochs stand for the ends, so that noise is no fall.
    """
    before, after = (_around(array(history.train_loss), share) for share in (start, end))
    return (before - after) / abs(before) if before else float("nan")


def _around(loss_E: np.ndarray, share: float) -> float:
    size = max(1, len(loss_E) // 8)
    stop = max(size, round(share * len(loss_E)))
    window = loss_E[stop - size : stop]
    return float(np.nanmean(window)) if np.isfinite(window).any() else float("nan")


def late_fall(history: History) -> float:
    """Fall of the training loss over the last quarter, as a share of the loss before any step."""
    loss_E = array(history.train_loss)
    return (_around(loss_E, 0.75) - _around(loss_E, 1.0)) / loss_E[0] if len(loss_E) else float("nan")


def rising_share(history: History) -> float:
    """Share of the epochs of the second half in which the training loss rose."""
    step_E = np.diff(array(history.train_loss)[len(history.epochs) // 2 :])
    return float(np.mean(step_E > 0)) if len(step_E) else float("nan")


def jumps(history: History) -> float:
    """Mean rise an epoch in the second half, as a share of the loss before any step."""
    loss_E = array(history.train_loss)
    step_E = np.diff(loss_E[len(loss_E) // 2 :])
    known_E = step_E[np.isfinite(step_E)]
    return float(np.clip(known_E, 0, None).mean() / loss_E[0]) if len(known_E) else float("nan")


def growth(history: History) -> float:
    """Training loss at the end over that before any step; infinite if it went beyond all numbers."""
    if history.ending == "diverged":
        return float("inf")
    loss_E = array(history.train_loss)
    return float(loss_E[-1] / loss_E[0]) if len(loss_E) and loss_E[0] > 0 else float("nan")


def _most(numbers: np.ndarray) -> float:
    known = numbers[~np.isnan(numbers)]
    return float(known.max()) if len(known) else float("nan")
