"""What is wrong before any long training: the harness, not the network's learning."""

from __future__ import annotations

import math

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.diagnosis.input_scale import LARGEST_INPUT, LARGEST_STD, STD_RATIO
from goodfit.diagnosis.outputs import lone_class, probabilities_into_loss, targets_out_of_reach
from goodfit.diagnosis.rows import repeated_inputs, repeated_rows, sorted_targets
from goodfit.diagnosis.weights import lone_rows, odd_weights, twin_units
from goodfit.engine.history import Harness

MOST_INITIAL = 8.0
"""Fresh loss over expected loss; healthy networks on two dozen tables had 1.0 to 1.8, and 5.5 once."""
LEARNT_BATCH = 0.9
MAJORITY = 0.9
LEAK = 1e-4


def findings(harness: Harness) -> tuple[Finding, ...]:
    """Find what is wrong with the start, the inputs and the wiring.

    Args:
        harness: What the checks measured; what they could not measure is not judged.

    Returns:
        Findings in the order of the catalogue.
    """
    detectors = (
        odd_initial_loss,
        one_batch_not_learnt,
        constant_inputs,
        unscaled_inputs,
        non_finite_inputs,
        repeated_rows,
        imbalanced_classes,
        sample_leak,
        unused_parameters,
        probabilities_into_loss,
        targets_out_of_reach,
        lone_class,
        lone_rows,
        repeated_inputs,
        sorted_targets,
        twin_units,
        odd_weights,
    )
    return tuple(found for detect in detectors if (found := detect(harness)))


def odd_initial_loss(harness: Harness) -> Finding | None:
    """A fresh network that is confidently wrong."""
    loss, expected = harness.initial_loss, harness.expected_loss
    if expected is None or expected <= 0:
        return None
    ratio = math.inf if loss is None else loss / expected
    if not ratio > MOST_INITIAL:
        return None
    said = "not a number" if loss is None else f"{loss:.3g}"
    return CATALOGUE["GF001"].finding(
        f"the loss before any step is {said}; a network that knows nothing has {expected:.3g}, "
        f"and {MOST_INITIAL:g} times that is the limit",
        Evidence(what="loss before any step", value=_number(loss), limit=MOST_INITIAL * expected, epoch=0),
    )


def one_batch_not_learnt(harness: Harness) -> Finding | None:
    """A network and rule that cannot learn a handful of rows by heart."""
    score = harness.one_batch_score
    if score is None or score >= LEARNT_BATCH:
        return None
    return CATALOGUE["GF002"].finding(
        f"{harness.one_batch_steps} steps on the same {harness.one_batch_rows} rows reached a score of "
        f"{score:.2f}; {LEARNT_BATCH:g} shows that they can be learnt",
        Evidence(what="score on one batch", value=score, limit=LEARNT_BATCH),
    )


def constant_inputs(harness: Harness) -> Finding | None:
    """Inputs without information."""
    count = harness.num_constant_inputs
    if not count:
        return None
    return CATALOGUE["GF003"].finding(
        f"{count} {'input never changes' if count == 1 else 'inputs never change'} on the training rows",
        Evidence(what="inputs that never change", value=float(count), limit=0.0),
    )


def unscaled_inputs(harness: Harness) -> Finding | None:
    """Inputs whose scales an update rule cannot serve with one learning rate."""
    largest, smallest, most = harness.input_std_max, harness.input_std_min, harness.input_abs_max
    evidence = []
    if largest is not None and largest > LARGEST_STD:
        evidence.append(
            Evidence(what="largest standard deviation of an input", value=largest, limit=LARGEST_STD)
        )
    # one far value in a scaled column is an outlier; many of them show in the standard deviation
    if most is not None and largest is not None and most > LARGEST_INPUT * max(1.0, largest):
        evidence.append(Evidence(what="largest input", value=most, limit=LARGEST_INPUT * max(1.0, largest)))
    if largest and smallest and largest > 1.5 and largest / smallest > STD_RATIO:
        evidence.append(
            Evidence(what="largest over smallest deviation", value=largest / smallest, limit=STD_RATIO)
        )
    if not evidence:
        return None
    first = evidence[0]
    return CATALOGUE["GF004"].finding(
        f"the inputs are not scaled: {first.what} is {first.value:.3g}, limit {first.limit:.3g}", *evidence
    )


def non_finite_inputs(harness: Harness) -> Finding | None:
    """NaN or infinity among the inputs."""
    count = harness.num_nonfinite_inputs
    if not count:
        return None
    return CATALOGUE["GF005"].finding(
        f"{count} input {'value is' if count == 1 else 'values are'} NaN or infinite; "
        "every loss they touch is too",
        Evidence(what="input values that are NaN or infinite", value=float(count), limit=0.0),
    )


def imbalanced_classes(harness: Harness) -> Finding | None:
    """One class so frequent that accuracy says little."""
    share = harness.majority_share
    if share is None or not share > MAJORITY:
        return None
    return CATALOGUE["GF007"].finding(
        f"{share:.1%} of the rows are of one class; above {MAJORITY:.0%} accuracy hides "
        "what happens to the others",
        Evidence(what="share of the most frequent class", value=share, limit=MAJORITY),
    )


def sample_leak(harness: Harness) -> Finding | None:
    """Outputs that look at other samples, in evaluation mode."""
    leak = harness.sample_leak
    if leak is None or not leak > LEAK:
        return None
    return CATALOGUE["GF008"].finding(
        f"a sample's output changes with other samples' inputs, {leak:.2g} times as much as with its own",
        Evidence(what="gradient for other samples over that for its own", value=leak, limit=LEAK),
    )


def unused_parameters(harness: Harness) -> Finding | None:
    """Parameters that the loss does not depend on."""
    names = harness.unused_parameters
    if not names:
        return None
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return CATALOGUE["GF009"].finding(
        f"no gradient reaches {', '.join(names[:3])}{more}",
        Evidence(what="parameters without gradient", value=float(len(names)), limit=0.0, layer=names[0]),
    )


def _number(value: float | None) -> float:
    """A loss beyond all numbers as the largest one that strict JSON can hold."""
    return 1.7976931348623157e308 if value is None else value
