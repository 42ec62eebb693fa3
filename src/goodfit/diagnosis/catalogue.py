"""Every finding there is: its code, its sign, and the remedies made for it."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.resources

from goodfit.diagnosis.finding import Evidence, Finding, Question, Severity
from goodfit.errors import GoodfitError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One pattern that can be found.

    Attributes:
        code: ``"GF0.."`` before training, ``"GF1.."`` on training data, ``"GF2.."`` on testing data.
        name: The pattern, never the remedy.
        question: Which question of the recipe it belongs to.
        severity: How bad it usually is.
        sign: What one sees, in a line.
        remedies: Codes of the remedies made for it, in the order to try them.
    """

    code: str
    name: str
    question: Question
    severity: Severity
    sign: str
    remedies: tuple[str, ...]

    def finding(self, message: str, *evidence: Evidence, severity: Severity | None = None) -> Finding:
        """Make the finding, with the sentence and the measured values of this run."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            question=self.question,
            message=message,
            evidence=evidence,
            remedies=self.remedies,
        )


def _entry(
    code: str, name: str, severity: Severity, sign: str, remedies: str = "", question: Question = "training"
) -> Entry:
    return Entry(
        code=code,
        name=name,
        question=question,
        severity=severity,
        sign=sign,
        remedies=tuple(remedies.split()),
    )


BEFORE_TRAINING = (
    _entry(
        "GF001",
        "odd-initial-loss",
        "warning",
        "the fresh network's loss is far above that of a network that knows nothing",
        "he-init scale-inputs xavier-init batch-norm",
        "harness",
    ),
    _entry(
        "GF002",
        "one-batch-not-learnt",
        "warning",
        "the network cannot learn even one small batch by heart",
        "relu adam he-init batch-norm lr-up lr-down skip",
        "harness",
    ),
    _entry("GF003", "constant-inputs", "info", "some inputs never change", "", "harness"),
    _entry(
        "GF004",
        "unscaled-inputs",
        "warning",
        "inputs differ wildly in scale, or are far from zero",
        "scale-inputs batch-norm",
        "harness",
    ),
    _entry("GF005", "non-finite-inputs", "error", "inputs hold NaN or infinity", "", "harness"),
    _entry(
        "GF006", "repeated-rows", "warning", "validation rows stand in the training rows too", "", "harness"
    ),
    _entry("GF007", "imbalanced-classes", "info", "one class holds nearly all rows", "", "harness"),
    _entry(
        "GF008",
        "sample-leak",
        "error",
        "a sample's output depends on the other samples of its batch",
        "layer-norm",
        "harness",
    ),
    _entry("GF009", "unused-parameters", "warning", "parameters receive no gradient", "", "harness"),
)

ON_TRAINING = (
    _entry(
        "GF101",
        "vanishing-gradients",
        "error",
        "gradients shrink on their way back to the first layers",
        "relu leaky-relu adam batch-norm skip maxout he-init rmsprop gelu layer-norm shallower xavier-init",
    ),
    _entry(
        "GF102",
        "exploding-gradients",
        "error",
        "gradients grow beyond the size of the weights",
        "clip he-init scale-inputs batch-norm lr-down adam xavier-init layer-norm warm-up shallower",
    ),
    _entry(
        "GF103",
        "dying-units",
        "error",
        "most units of a layer are zero for every row",
        "leaky-relu prelu maxout lr-down he-init batch-norm gelu adam",
    ),
    _entry(
        "GF104",
        "saturated-units",
        "warning",
        "most activations sit at the bounds of their range",
        "relu he-init xavier-init batch-norm scale-inputs layer-norm lr-down leaky-relu",
    ),
    _entry(
        "GF105",
        "dead-layers",
        "error",
        "a layer says the same for every row",
        "relu leaky-relu batch-norm skip he-init shallower lr-down layer-norm maxout",
    ),
    _entry(
        "GF106",
        "updates-too-small",
        "error",
        "all steps together could hardly have moved the weights",
        "lr-up adam rmsprop adagrad longer",
    ),
    _entry(
        "GF107",
        "updates-too-large",
        "warning",
        "one step changes the weights by a large part of their size",
        "lr-down adam clip warm-up cosine adagrad",
    ),
    _entry(
        "GF108",
        "plateau",
        "warning",
        "the training loss stopped falling while it was still high",
        "adam momentum rmsprop lr-up nesterov relu batch-norm cross-entropy wider",
    ),
    _entry(
        "GF109",
        "slow-convergence",
        "warning",
        "the training loss was still falling steadily at the end",
        "lr-up adam momentum longer rmsprop nesterov batch-norm adagrad",
    ),
    _entry(
        "GF110",
        "oscillation",
        "warning",
        "the training loss jumps up and down",
        "lr-down cosine adam adagrad clip averaging",
    ),
    _entry(
        "GF111",
        "divergence",
        "error",
        "the training loss grew beyond where it started, or beyond all numbers",
        "lr-down clip adam scale-inputs he-init warm-up batch-norm",
    ),
    _entry(
        "GF112",
        "capacity-too-small",
        "warning",
        "training ended smoothly, with healthy gradients, on a high loss",
        "wider deeper expand-inputs maxout",
    ),
)

ON_TESTING = (
    _entry(
        "GF201",
        "overfitting",
        "warning",
        "validation scores lie below training scores, beyond chance",
        "early-stopping dropout weight-decay l2 l1 ensemble label-smoothing averaging smaller",
        "testing",
    ),
    _entry(
        "GF202",
        "overtraining",
        "warning",
        "the validation loss turned up before the end",
        "early-stopping dropout weight-decay l2 label-smoothing averaging smaller",
        "testing",
    ),
    _entry(
        "GF203",
        "validation-too-small",
        "info",
        "too few validation rows to tell good from bad",
        "",
        "testing",
    ),
    _entry(
        "GF204",
        "no-gap",
        "info",
        "validation scores are as high as training scores: regularisation has nothing to give back",
        "ensemble averaging",
        "testing",
    ),
)

CATALOGUE = {entry.code: entry for entry in (*BEFORE_TRAINING, *ON_TRAINING, *ON_TESTING)}
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
    by_name = {entry.name: entry.code for entry in CATALOGUE.values()}
    key = by_name.get(wanted.lower(), wanted.upper())
    if key not in CATALOGUE:
        close = difflib.get_close_matches(wanted.lower(), [*by_name, *(c.lower() for c in CATALOGUE)], n=1)
        hint = f"did you mean {close[0].upper() if close[0][:2] == 'gf' else close[0]}? " if close else ""
        raise GoodfitError(f"there is no finding {code!r}", fix=f"{hint}use one of {', '.join(CATALOGUE)}")
    return importlib.resources.files("goodfit.diagnosis").joinpath("pages", f"{key}.md").read_text("utf-8")
