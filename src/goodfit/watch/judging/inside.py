"""What happened inside a network whose training was poor.

A network that learns is left in peace, whatever its units look like.
"""

from __future__ import annotations

from goodfit.diagnosis.inside import (
    LEAST_GRADIENT_RATIO,
    LEAST_MOVEMENT,
    MOST_DEAD,
    MOST_GRADIENT_SIZE,
    MOST_SATURATED,
)
from goodfit.watch.judging.standing import is_poor
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find what keeps layers from learning; nothing unless training was poor."""
    if not is_poor(observation):
        return ()
    detectors = (updates_too_small, vanishing_gradients, exploding_gradients, dying_units, saturated_units)
    return tuple(found for detect in detectors if (found := detect(observation)) is not None)


def updates_too_small(observation: Observation) -> Sighting | None:
    """Steps that hardly moved anything."""
    moved = [use.movement for use in observation.parameters if use.is_matrix and use.movement is not None]
    if not moved or not 0 < max(moved) < LEAST_MOVEMENT:
        return None
    return sighting(
        "GF106",
        f"{observation.num_steps} steps moved the fastest weights by {max(moved):.2g} of their size; "
        f"learning needs {LEAST_MOVEMENT:g} and more",
        measured("movement over size", max(moved), LEAST_MOVEMENT),
        place=observation.optimizers[0].place,
        advice="raise the learning rate, or train for longer",
    )


def vanishing_gradients(observation: Observation) -> Sighting | None:
    """Gradients of the first layer far below those of the last."""
    weights = [use for use in observation.parameters if use.is_matrix and use.had_gradient]
    if len(weights) < 3 or weights[-1].gradient == 0:
        return None
    ratio = weights[0].gradient / weights[-1].gradient
    if not ratio < LEAST_GRADIENT_RATIO:
        return None
    return sighting(
        "GF101",
        f"{weights[0].name} receives {ratio:.1e} of the gradient of {weights[-1].name}; "
        f"below {LEAST_GRADIENT_RATIO:g} it cannot learn",
        measured("gradient, first over last", ratio, LEAST_GRADIENT_RATIO, layer=weights[0].name),
        place=observation.networks[0].place,
        advice="use ReLU-like activations, batch-norm or skip connections, and fewer layers",
    )


def exploding_gradients(observation: Observation) -> Sighting | None:
    """Gradients far beyond the size of the weights."""
    weights = [use for use in observation.parameters if use.is_matrix]
    worst = max(weights, key=lambda use: use.relative_gradient, default=None)
    if worst is None or not worst.relative_gradient > MOST_GRADIENT_SIZE:
        return None
    return sighting(
        "GF102",
        f"the gradient of {worst.name} reached {worst.relative_gradient:.3g} times the size of its weights; "
        f"{MOST_GRADIENT_SIZE:g} is far too much",
        measured(
            "gradient norm over weight norm", worst.relative_gradient, MOST_GRADIENT_SIZE, layer=worst.name
        ),
        place=observation.optimizers[0].place if observation.optimizers else None,
        advice="scale inputs and targets, clip gradients, and lower the learning rate",
    )


def dying_units(observation: Observation) -> Sighting | None:
    """Units that are zero for every row."""
    worst = max(observation.layers, key=lambda layer: layer.dead_share, default=None)
    if worst is None or not worst.dead_share > MOST_DEAD:
        return None
    return sighting(
        "GF103",
        f"{worst.dead_share:.0%} of the units of {worst.kind} {worst.name} were zero for every row; "
        f"limit {MOST_DEAD:.0%}",
        measured("share of units that are zero", worst.dead_share, MOST_DEAD, layer=worst.name),
        place=observation.networks[0].place,
        advice="lower the learning rate, scale the inputs, or use leaky ReLU",
    )


def saturated_units(observation: Observation) -> Sighting | None:
    """Activations at their bounds."""
    hidden = [layer for layer in observation.layers if layer.saturated_share > MOST_SATURATED]
    worst = max(hidden, key=lambda layer: layer.saturated_share, default=None)
    if worst is None:
        return None
    return sighting(
        "GF104",
        f"{worst.saturated_share:.0%} of the activations of {worst.kind} {worst.name} sit at their bounds; "
        f"limit {MOST_SATURATED:.0%}",
        measured(
            "share of activations at their bounds", worst.saturated_share, MOST_SATURATED, layer=worst.name
        ),
        place=observation.networks[0].place,
        advice="scale the inputs, start from smaller weights, or use ReLU",
    )
