"""Patterns that only a training script can show: its loss, its loop, its modes, its optimizer."""

from __future__ import annotations

from goodfit.diagnosis.entry import Entry, entry
from goodfit.diagnosis.finding import Severity


def _harness(code: str, name: str, severity: Severity, sign: str, remedies: str = "") -> Entry:
    return entry(code, name, severity, sign, remedies, "harness")


IN_SCRIPTS = (
    _harness(
        "GF010",
        "probabilities-into-loss",
        "error",
        "probabilities go into a loss that makes them itself",
        "plain-output",
    ),
    _harness(
        "GF011",
        "scores-into-loss",
        "error",
        "raw scores go into a loss that needs probabilities",
        "usual-loss",
    ),
    _harness("GF012", "broadcast-in-loss", "error", "outputs and targets of different shapes are spread out"),
    _harness(
        "GF013",
        "targets-out-of-reach",
        "error",
        "the last activation cannot reach the targets",
        "plain-output",
    ),
    _harness(
        "GF014",
        "lone-class",
        "error",
        "softmax over one unit: the answer is always the same",
        "usual-loss plain-output",
    ),
    _harness("GF015", "stale-gradients", "error", "steps use the gradients of earlier batches too"),
    _harness(
        "GF016", "training-in-eval-mode", "warning", "dropout and batch-norm are switched off in training"
    ),
    _harness("GF017", "evaluation-in-train-mode", "warning", "dropout or batch-norm disturb the evaluation"),
    _harness("GF018", "parameters-left-out", "warning", "trainable parameters are in no optimizer"),
    _harness("GF019", "parameters-stand-still", "warning", "parameters have not moved at all"),
    _harness(
        "GF020",
        "odd-learning-rate",
        "warning",
        "the learning rate is far from what its rule is used with",
        "lr-down lr-up adam",
    ),
    _harness(
        "GF021",
        "non-finite-loss",
        "error",
        "the loss became NaN or infinite",
        "lr-down clip scale-inputs he-init",
    ),
    _harness("GF022", "negated-loss", "error", "the loss is sent backward with its sign turned"),
    _harness("GF023", "early-scheduler", "warning", "the scheduler steps before the optimizer"),
    _harness("GF024", "lone-rows", "warning", "batch-norm is trained with one row at a time", "layer-norm"),
    _harness("GF025", "constant-targets", "error", "every target is the same"),
    _harness("GF026", "constant-outputs", "error", "the network answers the same for every row"),
    _harness("GF027", "targets-out-of-domain", "error", "the loss is not defined for these targets"),
    _harness(
        "GF028",
        "unscaled-targets",
        "warning",
        "targets are far larger than a fresh network's answers",
        "scale-targets",
    ),
    _harness("GF029", "unrelated-targets", "warning", "nothing in the inputs tells the targets"),
    _harness("GF030", "summed-loss", "warning", "the loss is summed over a batch, not its mean"),
    _harness("GF031", "graphs-kept", "warning", "losses are gathered with all that made them"),
    _harness("GF032", "parameters-listed-twice", "warning", "an optimizer holds parameters more than once"),
    _harness("GF033", "rate-at-zero", "warning", "the learning rate is next to zero long before the end"),
    _harness("GF034", "decay-on-vectors", "info", "weight decay falls on biases and norms"),
    _harness("GF035", "coupled-decay", "info", "an adaptive rule adds weight decay to the gradients"),
    _harness("GF036", "unshuffled-batches", "warning", "rows come sorted by their targets"),
    _harness("GF037", "same-streams", "warning", "workers of a loader draw the same random numbers"),
    _harness("GF038", "spare-outputs", "info", "there are more outputs than classes"),
    _harness("GF039", "frozen-parameters", "warning", "parameters of a trained network ask for no gradients"),
    entry(
        "GF113",
        "no-better-than-guess",
        "error",
        "the loss never fell below that of an answer that ignores the inputs",
        "lr-up lr-down adam scale-inputs scale-targets he-init batch-norm relu",
    ),
    entry(
        "GF114",
        "behind-references",
        "warning",
        "a straight line or the nearest neighbours answer better",
        "adam lr-up lr-down scale-inputs wider relu batch-norm longer",
    ),
    entry("GF115", "few-steps", "warning", "training ended after a few steps, on its way down", "longer"),
)
"""Entries of scripts."""
