"""Inputs, targets and learning rates that do not fit each other; told aloud only if training suffered."""

from __future__ import annotations

from goodfit.diagnosis.finding import Severity
from goodfit.diagnosis.input_scale import LARGEST_INPUT, LARGEST_STD, STD_RATIO
from goodfit.watch.judging.standing import best_score, is_second, is_unfinished, main_loss
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting

MOST_OFFSET = 10.0
LARGEST_TARGET = 30.0
FAR = 3.0
MOSTLY_EXPLAINED = 0.85
"""R squared from which odd scales have done no harm worth a warning."""
HIGH_RATES = {"adaptive": 0.03, "plain": 1.0, "with momentum": 0.5}
LOW_RATES = {"adaptive": 3e-5, "plain": 1e-4, "with momentum": 1e-5}
ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "SparseAdam")
PLAIN = ("SGD", "ASGD")


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find scales that stood in the way."""
    detectors = (unscaled_inputs, unscaled_targets, odd_learning_rate)
    return tuple(found for detect in detectors if (found := detect(observation)) is not None)


def unscaled_inputs(observation: Observation) -> Sighting | None:
    """Inputs of scales that one learning rate cannot serve."""
    inputs = next((use.inputs for use in observation.networks if use.inputs and use.num_training), None)
    if inputs is None:
        return None
    evidence = []
    if inputs.std_max > LARGEST_STD:
        evidence.append(measured("largest standard deviation of an input", inputs.std_max, LARGEST_STD))
    if inputs.abs_max > LARGEST_INPUT * max(1.0, inputs.std_max):
        limit = LARGEST_INPUT * max(1.0, inputs.std_max)
        evidence.append(measured("largest input", inputs.abs_max, limit))
    if inputs.std_min and inputs.std_max / inputs.std_min > STD_RATIO:
        ratio = inputs.std_max / inputs.std_min
        evidence.append(measured("largest over smallest deviation", ratio, STD_RATIO))
    if inputs.mean_max > MOST_OFFSET and inputs.offset > MOST_OFFSET:
        evidence.append(measured("distance of an input from zero, in deviations", inputs.offset, MOST_OFFSET))
    if not evidence:
        return None
    worst = evidence[0]
    return sighting(
        "GF004",
        f"the inputs are not scaled: {worst.what} is {worst.value:.3g}, limit {worst.limit:.3g}",
        *evidence,
        place=next(use.place for use in observation.networks if use.inputs),
        advice="scale every input to mean 0 and deviation 1, with numbers taken from the training rows",
        severity=_severity(observation, is_far=False),
    )


def unscaled_targets(observation: Observation) -> Sighting | None:
    """Targets that a fresh network has to travel far to reach."""
    use = main_loss(observation)
    if use is None or use.is_class_index or not use.target_scale > LARGEST_TARGET:
        return None
    return sighting(
        "GF028",
        f"the targets have a size of {use.target_scale:.3g}; answers of a fresh network are near 1, "
        f"limit {LARGEST_TARGET:g}",
        measured("root mean square of the targets", use.target_scale, LARGEST_TARGET),
        place=use.place,
        advice="scale the targets to mean 0 and deviation 1, and scale the answers back",
        severity=_severity(observation, is_far=use.target_scale > FAR * LARGEST_TARGET),
    )


def odd_learning_rate(observation: Observation) -> Sighting | None:
    """A learning rate that its rule is hardly ever used with, in a training that was not good."""
    for use in observation.optimizers:
        family = _family(use.kind, use.momentum)
        if family is None:
            continue
        low, high = LOW_RATES[family], HIGH_RATES[family]
        if low <= use.lr <= high:
            continue
        limit, side = (high, "above") if use.lr > high else (low, "below")
        return sighting(
            "GF020",
            f"{use.kind} steps with lr {use.lr:g}, {side} {limit:g}",
            measured("learning rate", use.lr, limit),
            place=use.place,
            advice=f"try {'a tenth' if use.lr > high else 'ten times'} of it",
            severity=_severity(observation, is_far=use.lr > FAR * high),
        )
    return None


def _family(kind: str, momentum: float) -> str | None:
    if kind in ADAPTIVE:
        return "adaptive"
    if kind in PLAIN:
        return "with momentum" if momentum >= 0.5 else "plain"
    return None


def _severity(observation: Observation, *, is_far: bool) -> Severity | None:
    """The usual severity if training suffered, where far beyond the limit any lead of a reference counts."""
    suffered = is_unfinished(observation) or (is_far and is_second(observation))
    return None if suffered and not _explains_most(observation) else "info"


def _explains_most(observation: Observation) -> bool:
    """Whether numbers are told well, though a reference may tell them better."""
    found = observation.comparison
    return found is not None and found.task == "numbers" and best_score(found) >= MOSTLY_EXPLAINED
