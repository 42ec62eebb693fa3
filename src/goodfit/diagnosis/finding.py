"""What is wrong, with the measured value and the limit it crossed."""

from __future__ import annotations

import dataclasses
from typing import Literal

Severity = Literal["info", "warning", "error"]
Question = Literal["harness", "training", "testing"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured value behind a finding.

    Attributes:
        what: The quantity, such as ``"gradient norm, first over last layer"``.
        value: What was measured.
        limit: The value it must not cross.
        layer: Where, if it is about one layer.
        epoch: When, if it is about one epoch.
    """

    what: str
    value: float
    limit: float
    layer: str | None = None
    epoch: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One pattern of the catalogue, seen in this run.

    Attributes:
        code: Catalogue code, such as ``"GF101"``.
        name: The pattern, such as ``"vanishing-gradients"``; never the remedy.
        severity: How bad it is for the result.
        question: Which question of the recipe it belongs to.
        message: One sentence with the measured value and the limit.
        evidence: The values behind it, worst first.
        remedies: Codes of the remedies made for it, in the order to try them.
    """

    code: str
    name: str
    severity: Severity
    question: Question
    message: str
    evidence: tuple[Evidence, ...]
    remedies: tuple[str, ...]
