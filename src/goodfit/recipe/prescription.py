"""A prescription to take along: remedies and doses, proven on one data set, to be tried on another."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from goodfit.errors import PlanError
from goodfit.recipe.order import RECIPE
from goodfit.recipe.remedy import Remedy, joined

PRESCRIPTION_FILE = "prescription.json"
PRESCRIBED = "prescribed"
"""Prefix of the code of the remedy that a whole prescription makes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prescription:
    """Remedies in the order in which they were kept.

    Attributes:
        steps: (code of the remedy, dose) pairs.

    Raises:
        PlanError: There is no such remedy.

    Example:
        >>> prescription = Prescription(steps=(("relu", 0.0), ("adam", 0.001), ("dropout", 0.25)))
        >>> [remedy.sentence for remedy in prescription.remedies("testing")]
        ['silence a share of 0.25 of the hidden units at each step']
    """

    steps: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        for code, _ in self.steps:
            if code not in _known():
                close = difflib.get_close_matches(code, _known(), n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise PlanError(
                    f"there is no remedy {code!r}", fix=f"{hint}use one of {', '.join(sorted(_known()))}"
                )

    def remedies(self, question: str, *, without: Collection[str] = ()) -> tuple[Remedy, ...]:
        """Put what the prescription holds for one question into one remedy, to be tried as a whole.

        Args:
            question: ``"training"`` or ``"testing"``.
            without: Codes that cannot be applied to the data at hand.

        Returns:
            The one remedy, or nothing if the prescription holds nothing for this question.
        """
        steps = [(_known()[code], dose) for code, dose in self.steps if code not in without]
        own = [(remedy, dose) for remedy, dose in steps if remedy.question == question]
        return (joined(own, code=f"{PRESCRIBED}-{question}"),) if own else ()

    def to_json(self) -> str:
        """Write the prescription, each remedy with its sentence."""
        steps = [
            {"remedy": code, "dose": dose, "sentence": _known()[code].say(dose)} for code, dose in self.steps
        ]
        return json.dumps({"prescription": steps}, indent=1) + "\n"


def read_prescription(path: str | Path) -> Prescription:
    """Read a prescription that a run wrote.

    Args:
        path: A run folder, or the ``prescription.json`` in it.

    Raises:
        PlanError: The file cannot be read, is no prescription, or names an unknown remedy.
    """
    file = Path(path)
    file = file / PRESCRIPTION_FILE if file.is_dir() else file
    try:
        steps = json.loads(file.read_text(encoding="utf-8"))["prescription"]
        pairs = tuple((str(step["remedy"]), float(step.get("dose", 0.0))) for step in steps)
    except OSError as error:
        raise PlanError(
            f"{file} cannot be read: {error.strerror or error}",
            fix=f"give a run folder, or the {PRESCRIPTION_FILE} of one",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(
            f"{file} is no prescription: {error!r}", fix=f"give the {PRESCRIPTION_FILE} that a run wrote"
        ) from error
    return Prescription(steps=pairs)


def prescription_of(kept: Sequence[tuple[tuple[str, float], ...]]) -> Prescription:
    """Make a prescription of the steps of the verdicts that were kept."""
    return Prescription(steps=tuple(step for steps in kept for step in steps))


@functools.cache
def _known() -> dict[str, Remedy]:
    return {remedy.code: remedy for remedy in RECIPE}
