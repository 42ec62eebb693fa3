"""Every finding there is: its code, its sign, and the remedies made for it."""

from __future__ import annotations

import difflib
import importlib.resources

from goodfit.diagnosis.entry import Entry, entry
from goodfit.diagnosis.in_comparisons import IN_COMPARISONS
from goodfit.diagnosis.in_scripts import IN_SCRIPTS
from goodfit.errors import GoodfitError

BEFORE_TRAINING = (
    entry(
        "GF001",
        "odd-initial-loss",
        "warning",
        "the fresh network's loss is far above that of a network that knows nothing",
        "he-init scale-inputs xavier-init batch-norm",
        "harness",
    ),
    entry(
        "GF002",
        "one-batch-not-learnt",
        "warning",
        "the network cannot learn even one small batch by heart",
        "relu adam he-init batch-norm lr-up lr-down skip",
        "harness",
    ),
    entry("GF003", "constant-inputs", "info", "some inputs never change", "", "harness"),
    entry(
        "GF004",
        "unscaled-inputs",
        "warning",
        "inputs differ wildly in scale, or are far from zero",
        "scale-inputs batch-norm",
        "harness",
    ),
    entry("GF005", "non-finite-inputs", "error", "inputs hold NaN or infinity", "", "harness"),
    entry(
        "GF006", "repeated-rows", "warning", "validation rows stand in the training rows too", "", "harness"
    ),
    entry("GF007", "imbalanced-classes", "info", "one class holds nearly all rows", "", "harness"),
    entry(
        "GF008",
        "sample-leak",
        "error",
        "a sample's output depends on the other samples of its batch",
        "layer-norm",
        "harness",
    ),
    entry("GF009", "unused-parameters", "warning", "parameters receive no gradient", "", "harness"),
    entry("GF040", "repeated-inputs", "info", "training rows stand there more than once", "", "harness"),
    entry("GF041", "sorted-targets", "info", "neighbouring rows have like targets", "", "harness"),
    entry(
        "GF042",
        "twin-units",
        "error",
        "units of a layer are copies of each other and stay so",
        "he-init xavier-init",
        "harness",
    ),
    entry(
        "GF043",
        "odd-weights",
        "warning",
        "fresh weights are far too large or too small",
        "he-init xavier-init batch-norm layer-norm",
        "harness",
    ),
)

ON_TRAINING = (
    entry(
        "GF101",
        "vanishing-gradients",
        "error",
        "gradients shrink on their way back to the first layers",
        "relu leaky-relu adam batch-norm skip maxout he-init rmsprop gelu layer-norm shallower xavier-init",
    ),
    entry(
        "GF102",
        "exploding-gradients",
        "error",
        "gradients grow beyond the size of the weights",
        "clip he-init scale-inputs scale-targets batch-norm lr-down adam xavier-init layer-norm shallower",
    ),
    entry(
        "GF103",
        "dying-units",
        "error",
        "most units of a layer are zero for every row",
        "leaky-relu prelu maxout lr-down he-init batch-norm gelu adam",
    ),
    entry(
        "GF104",
        "saturated-units",
        "warning",
        "most activations sit at the bounds of their range",
        "relu he-init xavier-init batch-norm scale-inputs layer-norm lr-down leaky-relu",
    ),
    entry(
        "GF105",
        "dead-layers",
        "error",
        "a layer says the same for every row",
        "relu leaky-relu batch-norm skip he-init shallower lr-down layer-norm maxout",
    ),
    entry(
        "GF106",
        "updates-too-small",
        "error",
        "all steps together could hardly have moved the weights",
        "adam rmsprop adagrad momentum lr-up longer",
    ),
    entry(
        "GF107",
        "updates-too-large",
        "warning",
        "one step changes the weights by a large part of their size",
        "adam lr-down rmsprop momentum clip cosine adagrad",
    ),
    entry(
        "GF108",
        "plateau",
        "warning",
        "the training loss stopped falling while it was still high",
        "adam momentum scale-targets rmsprop lr-up nesterov relu batch-norm cross-entropy wider",
    ),
    entry(
        "GF109",
        "slow-convergence",
        "warning",
        "the training loss was still falling steadily at the end",
        "lr-up adam momentum longer scale-targets rmsprop nesterov batch-norm adagrad cross-entropy",
    ),
    entry(
        "GF110",
        "oscillation",
        "warning",
        "the training loss jumps up and down",
        "lr-down cosine adam adagrad clip averaging",
    ),
    entry(
        "GF111",
        "divergence",
        "error",
        "the training loss grew beyond where it started, or beyond all numbers",
        "adam lr-down clip rmsprop scale-inputs he-init batch-norm",
    ),
    entry(
        "GF112",
        "capacity-too-small",
        "warning",
        "training ended smoothly, with healthy gradients, on a high loss",
        "wider deeper expand-inputs maxout",
    ),
)

ON_TESTING = (
    entry(
        "GF201",
        "overfitting",
        "warning",
        "validation scores lie below training scores, beyond chance",
        "ensemble dropout early-stopping input-dropout weight-decay l2 l1 label-smoothing averaging "
        "larger-steps smaller",
        "testing",
    ),
    entry(
        "GF202",
        "overtraining",
        "warning",
        "the validation loss turned up before the end",
        "early-stopping dropout input-dropout weight-decay l2 label-smoothing averaging smaller",
        "testing",
    ),
    entry(
        "GF203",
        "validation-too-small",
        "info",
        "too few validation rows to tell good from bad",
        "",
        "testing",
    ),
    entry(
        "GF204",
        "no-gap",
        "info",
        "validation scores are as high as training scores: regularisation has nothing to give back",
        "ensemble averaging",
        "testing",
    ),
    entry(
        "GF206",
        "shifted-validation",
        "warning",
        "validation rows can be told from training rows",
        "",
        "testing",
    ),
    entry(
        "GF208",
        "poor-calibration",
        "info",
        "the probabilities are not those of being right",
        "label-smoothing ensemble early-stopping weight-decay averaging",
        "testing",
    ),
)

CATALOGUE: dict[str, Entry] = {
    known.code: known for known in (*BEFORE_TRAINING, *IN_SCRIPTS, *ON_TRAINING, *ON_TESTING, *IN_COMPARISONS)
}
"""Entries by code."""


def page(code: str) -> str:
    """Return the page of one finding: sign, harm, measure, remedies, false alarms, reference.

    Args:
        code: Such as ``"GF101"``, or the finding's name.

    Returns:
        Markdown.

    Raises:
        GoodfitError: There is no such finding.

    Example:
        >>> page("gf101").splitlines()[0]
        '# GF101 vanishing-gradients'
    """
    wanted = code.strip()
    by_name = {known.name: known.code for known in CATALOGUE.values()}
    key = by_name.get(wanted.lower(), wanted.upper())
    if key not in CATALOGUE:
        close = difflib.get_close_matches(wanted.lower(), [*by_name, *(c.lower() for c in CATALOGUE)], n=1)
        hint = f"did you mean {close[0].upper() if close[0][:2] == 'gf' else close[0]}? " if close else ""
        raise GoodfitError(f"there is no finding {code!r}", fix=f"{hint}use one of {', '.join(CATALOGUE)}")
    return importlib.resources.files("goodfit.diagnosis").joinpath("pages", f"{key}.md").read_text("utf-8")
