"""What a loss function expects, and what it was given instead."""

from __future__ import annotations

import math

from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting
from goodfit.watch.uses import LossUse

ELEMENTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
REACH: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
}
MOST_OUTSIDE = 0.02
"""Share of targets beyond an activation's reach; a few may be outliers."""
TINY = 1e-5
CUTS = ("clamp", "clampmin", "clampmax")
UNBOUNDED = ("addmm", "mm", "bmm", "linear", "convolution", "relu", "elu", "leakyrelu", "gelu", "silu")


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find losses that are given what they are not made for."""
    detectors = (
        lone_class,
        probabilities_into_loss,
        scores_into_loss,
        broadcast,
        out_of_reach,
        out_of_domain,
    )
    seen = []
    for use in observation.losses:
        for detect in detectors:
            found = detect(use)
            if found is not None:
                seen.append(found)
        if (found := constant_targets(use, observation)) is not None:
            seen.append(found)
    return tuple(seen)


def last_activation(use: LossUse) -> str | None:
    """Name what bounds the outputs, when nothing but cuts stands between it and the loss."""
    rest = [name for name in use.operations if name not in CUTS]
    return rest[0] if rest else None


def lone_class(use: LossUse) -> Sighting | None:
    """Softmax over a single unit is 1 whatever the inputs are."""
    is_one_class = use.function == "cross_entropy" and len(use.output_shape) > 1 and use.output_shape[1] == 1
    is_steady = (
        use.output_high - use.output_low < TINY and min(abs(use.output_high), abs(use.output_high - 1)) < TINY
    )
    is_always_one = "softmax" in use.operations and is_steady
    if not (is_one_class or is_always_one) or use.num_calls < 3:
        return None
    return sighting(
        "GF014",
        f"softmax runs over a single unit before {use.function}, so the answer is always 1; "
        "it needs 2 units or more",
        measured("units under softmax", 1.0, 2.0),
        place=use.place,
        advice="use a sigmoid with binary cross-entropy for two classes, one unit per class for more, "
        "and no activation for numbers",
    )


def probabilities_into_loss(use: LossUse) -> Sighting | None:
    """Softmax or sigmoid before a loss that applies it itself."""
    wants_scores = use.function in ("cross_entropy", "binary_cross_entropy_with_logits")
    activation = last_activation(use)
    if not wants_scores or activation not in ("softmax", "sigmoid", "hardsigmoid"):
        return None
    if lone_class(use) is not None:
        return None
    own = "softmax" if use.function == "cross_entropy" else "a sigmoid"
    return sighting(
        "GF010",
        f"the outputs of {activation} ({use.output_low:.2g} to {use.output_high:.2g}) go into "
        f"{use.function}, which applies {own} itself",
        measured("range of the outputs", use.output_high - use.output_low, 1.0),
        place=use.place,
        advice=f"give {use.function} the raw scores, and apply {activation} only when predicting",
    )


def scores_into_loss(use: LossUse) -> Sighting | None:
    """Scores where probabilities or their logarithms are wanted."""
    rest = [name for name in use.operations if name not in CUTS]
    if use.function == "binary_cross_entropy":
        is_wrong = bool(rest) and rest[0] in UNBOUNDED and not use.is_distribution
        wanted = "probabilities"
    elif use.function == "nll_loss":
        before = [name for name in rest if name not in ("log", "div", "log1p")]
        rectified = "log" in rest and bool(before) and before[0] == "relu"
        is_wrong = rectified or ("log" not in rest and not use.is_distribution)
        wanted = "logarithms of probabilities"
    else:
        return None
    if not is_wrong:
        return None
    made_by = next((name for name in rest if name in UNBOUNDED), "no softmax or sigmoid")
    return sighting(
        "GF011",
        f"{use.function} needs {wanted} and is given outputs of {made_by} "
        f"({use.output_low:.3g} to {use.output_high:.3g})",
        measured("largest output", use.output_high, 1.0 if "binary" in use.function else 0.0),
        place=use.place,
        advice="use BCEWithLogitsLoss or CrossEntropyLoss on the raw scores",
    )


def broadcast(use: LossUse) -> Sighting | None:
    """Outputs and targets of different shapes, spread over each other."""
    outputs, targets = use.output_shape, use.target_shape
    if use.function not in ELEMENTWISE or outputs == targets:
        return None
    # one number for all, such as a GAN's label, is spread on purpose
    if math.prod(targets) <= 1 or math.prod(outputs) <= 1:
        return None
    return sighting(
        "GF012",
        f"{use.function} compares outputs of shape {outputs} with targets of shape {targets}: "
        "every target with outputs that are not its own",
        measured("compared pairs over targets", _pairs(outputs, targets) / math.prod(targets), 1.0),
        place=use.place,
        advice="give both the same shape, such as target.reshape(output.shape)",
    )


def out_of_reach(use: LossUse) -> Sighting | None:
    """Targets that the last activation cannot produce."""
    activation = last_activation(use)
    if use.function not in ELEMENTWISE or activation not in REACH or use.is_class_index:
        return None
    low, high = REACH[activation]
    below = use.below_zero if low == 0.0 else use.below_minus_one
    above = use.above_one if high == 1.0 else 0.0
    share, how = max((below, f"below {low:g}"), (above, f"above {high:g}"))
    if share <= MOST_OUTSIDE:
        return _sums_to_one(use, activation)
    return sighting(
        "GF013",
        f"{share:.0%} of the targets ({use.target_low:.3g} to {use.target_high:.3g}) lie {how}, "
        f"where {activation} cannot reach; limit {MOST_OUTSIDE:.0%}",
        measured(f"share of targets {how}", share, MOST_OUTSIDE),
        place=use.place,
        advice=f"end the network without {activation}, or scale the targets into its range",
    )


def _sums_to_one(use: LossUse, activation: str) -> Sighting | None:
    is_softmax = activation == "softmax" and use.is_target_distribution is False
    if not is_softmax or len(use.output_shape) != 2 or use.output_shape[1] < 2:
        return None
    return sighting(
        "GF013",
        f"softmax makes the {use.output_shape[1]} outputs of a row sum to one; rows of targets do not",
        measured("sum of a row of outputs", 1.0, 1.0),
        place=use.place,
        advice="end with a sigmoid for labels that do not exclude each other, with nothing for numbers",
    )


def out_of_domain(use: LossUse) -> Sighting | None:
    """Targets that binary cross-entropy is not made for."""
    if "binary_cross_entropy" not in use.function:
        return None
    if use.target_low >= 0.0 and use.target_high <= 1.0:
        return None
    return sighting(
        "GF027",
        f"{use.function} needs targets from 0 to 1 and is given {use.target_low:.3g} to "
        f"{use.target_high:.3g}; its value has no lower bound then",
        measured("largest target", use.target_high, 1.0),
        place=use.place,
        advice="use CrossEntropyLoss for class numbers, MSELoss for numbers, or targets from 0 to 1",
    )


def constant_targets(use: LossUse, observation: Observation) -> Sighting | None:
    """Nothing to tell apart: an error if there is but one row, for information if many have one target."""
    if not use.is_target_constant or use.num_calls < 10 or not observation.is_over:
        return None
    num_rows = max((network.num_rows for network in observation.networks), default=0)
    return sighting(
        "GF025",
        f"every target of {use.num_calls} calls was {use.target_low:.3g}",
        measured("range of the targets", 0.0, 0.0),
        place=use.place,
        advice="check how the targets are read, and that the training part holds more than one class",
        severity=None if num_rows == 1 else "info",
    )


def _pairs(outputs: tuple[int, ...], targets: tuple[int, ...]) -> int:
    longest = max(len(outputs), len(targets))
    padded = [(1,) * (longest - len(shape)) + tuple(shape) for shape in (outputs, targets)]
    return math.prod(max(a, b) for a, b in zip(*padded, strict=True))
