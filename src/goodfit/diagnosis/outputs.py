"""Whether the outputs of a network are what the loss was made for.

What a loss of the user's own needs is not known, and is not judged here.
"""

from __future__ import annotations

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import Harness

PROBABILITIES = ("softmax", "sigmoid")
MOST_OUTSIDE = 0.02


def probabilities_into_loss(harness: Harness) -> Finding | None:
    """Probabilities where the loss makes them itself."""
    is_of_classes = harness.majority_share is not None and harness.expected_loss is not None
    if not is_of_classes or harness.output_operation not in PROBABILITIES:
        return None
    return CATALOGUE["GF010"].finding(
        f"the network ends in {harness.output_operation}, and the loss makes probabilities of its outputs "
        "once more: leave it out",
        Evidence(what="times that outputs become probabilities", value=2.0, limit=1.0),
    )


def lone_class(harness: Harness) -> Finding | None:
    """Softmax over a single unit, which is 1 whatever the unit says."""
    if harness.output_operation != "softmax" or harness.num_outputs != 1:
        return None
    return CATALOGUE["GF014"].finding(
        "the network ends in softmax over one unit, and so it always answers 1",
        Evidence(what="units that share the probability", value=1.0, limit=2.0),
    )


def targets_out_of_reach(harness: Harness) -> Finding | None:
    """Targets that the last activation cannot answer."""
    share = harness.share_out_of_reach
    if share is None or harness.expected_loss is None or not share > MOST_OUTSIDE:
        return None
    return CATALOGUE["GF013"].finding(
        f"the network ends in {harness.output_operation}, and {share:.0%} of the scaled targets lie out of "
        f"its reach; limit {MOST_OUTSIDE:.0%}",
        Evidence(what="share of targets out of reach", value=share, limit=MOST_OUTSIDE),
    )
