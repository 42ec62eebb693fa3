"""What a trial has shown: helped, harmed, or not shown."""

from __future__ import annotations

import dataclasses
from typing import Literal

Outcome = Literal["helped", "harmed", "not shown"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interval:
    """A measured value with the range that holds the true one at the stated level.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
        level: Coverage, such as 0.95.
    """

    value: float
    low: float
    high: float
    level: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judgement on one remedy, from control and treated arms on the same seeds.

    Attributes:
        remedy: Code of the remedy, such as ``"relu"``; ``"retrain"`` for the unchanged arm.
        sentence: What it does, for a person: ``"replace sigmoid by ReLU"``.
        question: ``"training"`` or ``"testing"``: which rows the effect was measured on.
        outcome: What was shown.
        effect: Treated minus control, in the metric's units, higher is better.
        p_value: Two-sided, before the correction for the number of remedies.
        p_adjusted: After Holm's correction.
        metric: What was measured, such as ``"training accuracy"``.
        control: Mean of the control arm.
        treated: Mean of the treated arm.
        num_seeds: Pairs of trainings behind it.
        num_rows: Rows on which the arms were compared.
        epochs: Epochs each arm trained for.
        seconds: What the treated arm cost.
        kept: Whether it entered the prescription.
        round: In which round of the recipe it was tried, from 1.
        steps: The remedies and doses behind it, as a prescription takes them along.
    """

    remedy: str
    sentence: str
    question: Literal["training", "testing"]
    outcome: Outcome
    effect: Interval
    p_value: float
    p_adjusted: float
    metric: str
    control: float
    treated: float
    num_seeds: int
    num_rows: int
    epochs: int
    seconds: float
    kept: bool
    round: int
    steps: tuple[tuple[str, float], ...] = ()
