"""What is wrong with the start: units that are copies, weights of an odd scale, one row a step."""

from __future__ import annotations

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import Harness

LEAST_SCALE, MOST_SCALE = 0.02, 5.0
"""Deviation of the weights times the root of a unit's inputs: torch starts with 0.58, He with 1.41; weights
drawn with a deviation of 1 have 8 at 64 inputs."""


def twin_units(harness: Harness) -> Finding | None:
    """Layers whose units are copies of each other and stay so."""
    layers = harness.twin_layers
    if not layers:
        return None
    return CATALOGUE["GF042"].finding(
        f"after {harness.one_batch_steps} steps the units of {', '.join(layers[:3])} are still copies of "
        "each other: they receive the same gradients for ever",
        *(
            Evidence(what="units that are copies", value=1.0, limit=0.0, layer=layer, epoch=0)
            for layer in layers
        ),
    )


def odd_weights(harness: Harness) -> Finding | None:
    """Fresh weights far too large or too small; not judged where layers normalise their sums."""
    if harness.is_normalised:
        return None
    odd = [
        (layer, scale)
        for layer, scale in harness.initial_scales
        if (scale > MOST_SCALE or scale < LEAST_SCALE) and layer not in harness.twin_layers
    ]
    if not odd:
        return None
    layer, scale = odd[0]
    limit = MOST_SCALE if scale > MOST_SCALE else LEAST_SCALE
    return CATALOGUE["GF043"].finding(
        f"the fresh weights of {layer} have {scale:.2g} times the scale that keeps the size of a signal; "
        f"sound are {LEAST_SCALE:g} to {MOST_SCALE:g}",
        *(
            Evidence(
                what="deviation of the weights times the root of the inputs",
                value=scale,
                limit=limit,
                layer=layer,
                epoch=0,
            )
            for layer, scale in odd
        ),
    )


def lone_rows(harness: Harness) -> Finding | None:
    """Batch-norm with one row a step: its mean is the row itself."""
    if harness.batch_size != 1 or not harness.has_batch_norm:
        return None
    return CATALOGUE["GF024"].finding(
        "batch-norm normalises every step over one row, so its sums are zero whatever the row",
        Evidence(what="rows of a step", value=1.0, limit=2.0),
    )
