"""How training went: the loss beside a guess, the answers beside references."""

from __future__ import annotations

from goodfit.watch.judging.standing import (
    FEWEST_STEPS,
    KEPT_BY_GUESSING,
    NUM_ERRORS,
    STILL_FALLING,
    best_score,
    ending,
    fall,
    is_behind,
    is_guessing,
    is_hopeless,
    kept,
    lead,
    least_lead,
    main_loss,
    margin,
)
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting

LEARNT = 0.5
"""Share of the guess's loss below which a network is clearly on its way."""
FEW_STEPS = 50
STEADY = 1e-4
FEWEST_FOR_RELATION = 100
MOST_GUESS = 0.6


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find what is wrong with the way the training went."""
    detectors = (no_better_than_guess, behind_references, few_steps, unrelated_targets, constant_outputs)
    return tuple(found for detect in detectors if (found := detect(observation)) is not None)


def no_better_than_guess(observation: Observation) -> Sighting | None:
    """A loss that stayed at, or above, the best answer that ignores the inputs."""
    use = main_loss(observation)
    if use is None or use.guess is None or not is_guessing(observation):
        return None
    return sighting(
        "GF113",
        f"{use.function} ended at {ending(use):.3g}; an answer that ignores the inputs has {use.guess:.3g}",
        measured("loss at the end over that of a guess", kept(observation), KEPT_BY_GUESSING),
        place=use.place,
        advice="overfit one batch first; if that fails, the wiring, the activations or the learning rate "
        "are at fault",
        severity="warning" if is_hopeless(observation) else None,
    )


def behind_references(observation: Observation) -> Sighting | None:
    """A network that a straight line or the nearest neighbours beat on its own training rows."""
    found = observation.comparison
    if found is None or not is_behind(observation):
        return None
    best, name = max((found.linear, "a straight line"), (found.neighbours, "the nearest neighbours"))
    metric = "accuracy" if found.task == "classes" else "R squared"
    use = main_loss(observation)
    return sighting(
        "GF114",
        f"{name} fitted to {found.num_rows} of the training rows reach {metric} {best:.3f} on rows left out; "
        f"the network ended at {best_score(found):.3f}",
        measured(f"lead of the best reference in {metric}", lead(found), least_lead(found)),
        place=use.place if use else None,
        advice="look at the other findings first; then the learning rate, the scale of the inputs and "
        "the size of the network",
    )


def few_steps(observation: Observation) -> Sighting | None:
    """A training that ended long before the loss had."""
    use = main_loss(observation)
    if use is None or observation.num_steps >= FEW_STEPS or len(use.curve) < 3:
        return None
    if not observation.is_whole or not fall(use) > STILL_FALLING or not kept(observation) > LEARNT:
        return None
    return sighting(
        "GF115",
        f"training ended after {observation.num_steps} steps with the loss still falling; "
        f"{kept(observation):.0%} of a guess's loss is left",
        measured("steps", float(observation.num_steps), float(FEW_STEPS)),
        place=use.place,
        advice="train for more epochs, or with smaller batches",
    )


def unrelated_targets(observation: Observation) -> Sighting | None:
    """Rows that nothing, and no network on rows it was not trained on, can answer."""
    found = observation.comparison
    if found is None or found.validation is None or not observation.is_whole:
        return None
    if found.num_rows < FEWEST_FOR_RELATION:
        return None
    if found.num_validation < FEWEST_FOR_RELATION // 2 or is_guessing(observation):
        return None
    if found.guess > MOST_GUESS:
        return None  # a frequent class leaves accuracy no room to tell
    best = max(found.linear, found.neighbours, found.validation)
    if best > found.guess + margin(found) / NUM_ERRORS:
        return None
    use = main_loss(observation)
    return sighting(
        "GF029",
        f"no better than a guess ({found.guess:.3f}): a straight line ({found.linear:.3f}), the nearest "
        f"neighbours ({found.neighbours:.3f}) and the network without gradients ({found.validation:.3f})",
        measured("best score over that of a guess", best - found.guess, margin(found) / NUM_ERRORS),
        place=use.place if use else None,
        advice="check that rows and targets still belong together: "
        "one may have been shuffled or sorted alone",
    )


def constant_outputs(observation: Observation) -> Sighting | None:
    """A network that does not look at its inputs."""
    use = main_loss(observation)
    if use is None or use.output_spread is None or use.is_target_constant or not use.num_calls > FEWEST_STEPS:
        return None
    if use.output_spread >= STEADY:
        return None
    return sighting(
        "GF026",
        f"the outputs of a batch differ by {use.output_spread:.1e} of their size; below {STEADY:g} they "
        "do not depend on the row",
        measured("spread of the outputs over rows, as a share of their size", use.output_spread, STEADY),
        place=use.place,
        advice="look for dead or saturated layers, a learning rate that is too high, and inputs that are "
        "not scaled",
    )
