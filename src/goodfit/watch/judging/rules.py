"""The update rule as a script sets it up: what it holds, how it decays, and where its rate goes."""

from __future__ import annotations

from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting
from goodfit.watch.uses import OptimizerUse

MOST_IDLE = 0.1
FEWEST_IDLE = 20


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find what is odd about the optimizers."""
    several = [
        detect(use)
        for use in observation.optimizers
        for detect in (parameters_listed_twice, decay_on_vectors, coupled_decay)
    ]
    if observation.is_over:
        several += [rate_at_zero(use, observation) for use in observation.optimizers]
    return tuple(found for found in several if found is not None)


def parameters_listed_twice(use: OptimizerUse) -> Sighting | None:
    """Parameters that every step moves twice."""
    if not use.num_twice:
        return None
    return sighting(
        "GF032",
        f"{use.kind} holds {use.num_twice} of its parameters more than once and moves them as often",
        measured("parameters listed more than once", float(use.num_twice), 0.0),
        place=use.place,
        advice="list every parameter once; model.parameters() of the outermost module does",
    )


def rate_at_zero(use: OptimizerUse, observation: Observation) -> Sighting | None:
    """A schedule that ends before the training does."""
    if use.num_idle < FEWEST_IDLE or use.num_idle < MOST_IDLE * observation.num_steps:
        return None
    share = use.num_idle / observation.num_steps
    return sighting(
        "GF033",
        f"the learning rate of {use.kind} was next to zero in the last {use.num_idle} of "
        f"{observation.num_steps} steps: they changed nothing",
        measured("share of steps with a rate next to zero", share, MOST_IDLE),
        place=use.place,
        advice="make the schedule as long as the training, and step it once an epoch or once a step as it "
        "was made for",
    )


def decay_on_vectors(use: OptimizerUse) -> Sighting | None:
    """Weight decay that pulls biases and the scales of norms to zero."""
    if not use.num_decayed_vectors or not use.num_decayed_matrices:
        return None
    return sighting(
        "GF034",
        f"weight decay of {use.weight_decay:g} falls on {use.num_decayed_vectors} biases and scales of norms "
        "too, which hold no capacity to take away",
        measured("vectors under weight decay", float(use.num_decayed_vectors), 0.0),
        place=use.place,
        advice="put parameters with one axis into a group with weight_decay=0",
    )


def coupled_decay(use: OptimizerUse) -> Sighting | None:
    """L2 in the gradient of an adaptive rule, which its own scaling undoes where gradients are large."""
    if not use.is_coupled:
        return None
    return sighting(
        "GF035",
        f"{use.kind} adds weight decay of {use.weight_decay:g} to the gradients and then scales them: "
        "weights with large gradients hardly decay",
        measured("weight decay inside the gradient", use.weight_decay, 0.0),
        place=use.place,
        advice="use AdamW if decay is meant",
    )
