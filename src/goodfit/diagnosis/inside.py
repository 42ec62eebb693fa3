"""Findings from inside the layers: gradients, units and updates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from goodfit.diagnosis import measures
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import History, LayerHistory

LEAST_GRADIENT_RATIO = 1e-3
"""Ten sigmoid layers have 1e-8, six have 3e-5; healthy networks of one to nine layers had 0.2 and more."""
MOST_GRADIENT_RATIO = 30.0
MOST_GRADIENT_SIZE = 100.0
"""Gradient norm over weight norm; healthy networks stay below 3, rarely 30; exploding ones have hundreds."""
MOST_DEAD = 0.5
MOST_SATURATED = 0.5
LEAST_STEADINESS = 1e-3
LEAST_MOVEMENT = 0.02
MOST_UPDATE = 0.1
LEARNT = 0.1
"""Share of the first loss below which a network has learnt, whatever its units look like."""


def vanishing_gradients(histories: Sequence[History]) -> Finding | None:
    """Gradients of the first layer far below those of the last."""
    ratio = measures.over_seeds(histories, measures.gradient_ratio)
    if not ratio < LEAST_GRADIENT_RATIO:
        return None
    depth = len(histories[0].layers)
    return CATALOGUE["GF101"].finding(
        f"the first of {depth} layers receives {ratio:.1e} of the gradient of the last; "
        f"below {LEAST_GRADIENT_RATIO:g} it cannot learn",
        Evidence(
            what="gradient of the first layer over that of the last",
            value=ratio,
            limit=LEAST_GRADIENT_RATIO,
            layer=histories[0].layers[0].layer,
        ),
    )


def exploding_gradients(histories: Sequence[History]) -> Finding | None:
    """Gradients larger than the weights, or growing on their way back."""
    size_L = _layers_over_seeds(histories, measures.gradient_sizes)
    ratio = measures.over_seeds(histories, measures.gradient_ratio)
    if len(size_L) and np.nanmax(np.append(size_L, 0)) > MOST_GRADIENT_SIZE:
        worst = int(np.nanargmax(size_L))
        layer, value = histories[0].layers[worst].layer, float(size_L[worst])
        return CATALOGUE["GF102"].finding(
            f"the gradient of {layer} reached {value:.3g} times the size of its weights; "
            f"{MOST_GRADIENT_SIZE:g} is far too much",
            Evidence(
                what="gradient norm over weight norm", value=value, limit=MOST_GRADIENT_SIZE, layer=layer
            ),
        )
    if ratio > MOST_GRADIENT_RATIO:
        what = "gradient of the first layer over that of the last"
        return CATALOGUE["GF102"].finding(
            f"gradients grow {ratio:.3g}-fold from the last layer to the first; "
            f"limit {MOST_GRADIENT_RATIO:g}",
            Evidence(what=what, value=ratio, limit=MOST_GRADIENT_RATIO, layer=histories[0].layers[0].layer),
        )
    return None


def dying_units(histories: Sequence[History]) -> Finding | None:
    """Units that are zero for every row."""
    shares = _above(histories, lambda layer: measures.final(layer.dead_share), MOST_DEAD)
    return _finding_of_layers("GF103", "share of units that are zero for every row", shares, MOST_DEAD)


def saturated_units(histories: Sequence[History]) -> Finding | None:
    """Activations at the bounds of their range, in a network that has not learnt."""
    if has_learnt(histories):
        return None
    shares = _above(
        histories, lambda layer: measures.typical(measures.array(layer.saturated_share)), MOST_SATURATED
    )
    return _finding_of_layers("GF104", "share of activations at their bounds", shares, MOST_SATURATED)


def dead_layers(histories: Sequence[History]) -> Finding | None:
    """Layers whose output does not depend on the row, though their units are not zero."""
    dying = {
        layer for layer, _ in _above(histories, lambda layer: measures.final(layer.dead_share), MOST_DEAD)
    }
    steady = [
        (layer, -value)
        for layer, value in _above(histories, lambda layer: -measures.steadiness(layer), -LEAST_STEADINESS)
        if layer not in dying
    ]
    return _finding_of_layers(
        "GF105", "spread of the output over rows, as a share of its size", steady, LEAST_STEADINESS
    )


def updates_too_small(histories: Sequence[History]) -> Finding | None:
    """Steps that cannot have moved any layer, in a network that has gradients."""
    moved = measures.over_seeds(histories, measures.movement)
    if not moved < LEAST_MOVEMENT or _above(histories, lambda layer: measures.final(layer.dead_share), 0.99):
        return None
    return CATALOGUE["GF106"].finding(
        f"all steps together could have moved the fastest layer by {moved:.2g} of its size; "
        f"learning needs {LEAST_MOVEMENT:g} and more",
        Evidence(what="steps times update over weight norm", value=moved, limit=LEAST_MOVEMENT),
    )


def updates_too_large(histories: Sequence[History]) -> Finding | None:
    """Steps of the size of the weights, in a network that has not learnt."""
    update = measures.over_seeds(histories, measures.largest_update)
    if not update > MOST_UPDATE or has_learnt(histories):
        return None
    return CATALOGUE["GF107"].finding(
        f"one step changed a layer by {update:.2g} of its size; "
        f"{MOST_UPDATE:g} is the most that keeps its way",
        Evidence(what="update over weight norm", value=update, limit=MOST_UPDATE),
    )


def has_learnt(histories: Sequence[History]) -> bool:
    """Whether the training loss fell to a tenth of what it was before any step."""
    return measures.over_seeds(histories, measures.growth) < LEARNT


def _layers_over_seeds(histories: Sequence[History], measure: Callable[[History], np.ndarray]) -> np.ndarray:
    """Median over the seeds for each layer, shape ``(L,)``; a layer that no seed measured is NaN."""
    values_SL = np.array([measure(history) for history in histories], dtype=float)
    return np.array([measures.typical(values_S) for values_S in values_SL.T])


def _above(
    histories: Sequence[History], measure: Callable[[LayerHistory], float], limit: float
) -> list[tuple[str, float]]:
    """Hidden layers whose median over the seeds lies above a limit, the worst first."""
    value_L = _layers_over_seeds(
        histories, lambda history: np.array([measure(layer) for layer in measures.hidden(history)])
    )
    names = [layer.layer for layer in measures.hidden(histories[0])]
    found = [(name, float(value)) for name, value in zip(names, value_L, strict=True) if value > limit]
    return sorted(found, key=lambda pair: -pair[1])


def _finding_of_layers(
    code: str, what: str, values: Sequence[tuple[str, float]], limit: float
) -> Finding | None:
    if not values:
        return None
    layer, value = values[0]
    count = "1 layer" if len(values) == 1 else f"{len(values)} layers"
    return CATALOGUE[code].finding(
        f"{count} beyond the limit of {limit:g}, {layer} the most: {what} {value:.2g}",
        *(Evidence(what=what, value=v, limit=limit, layer=name) for name, v in values),
    )


DETECTORS = (
    vanishing_gradients,
    exploding_gradients,
    dying_units,
    saturated_units,
    dead_layers,
    updates_too_small,
    updates_too_large,
)
