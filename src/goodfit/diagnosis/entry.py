"""One pattern of the catalogue."""

from __future__ import annotations

import dataclasses

from goodfit.diagnosis.finding import Evidence, Finding, Question, Severity


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


def entry(
    code: str, name: str, severity: Severity, sign: str, remedies: str = "", question: Question = "training"
) -> Entry:
    """Write an entry in a few words; ``remedies`` are separated by spaces."""
    return Entry(
        code=code,
        name=name,
        question=question,
        severity=severity,
        sign=sign,
        remedies=tuple(remedies.split()),
    )
