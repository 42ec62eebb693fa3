"""A finding in a script: what is wrong, where, and what to do about it."""

from __future__ import annotations

import dataclasses

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding, Severity
from goodfit.watch.uses import Place

ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sighting:
    """One finding of a watched script.

    Attributes:
        finding: What is wrong.
        place: The line of the script that it is about, where known.
        advice: What to do, as an imperative sentence.
    """

    finding: Finding
    place: Place | None
    advice: str


def sighting(
    code: str,
    message: str,
    *evidence: Evidence,
    place: Place | None,
    advice: str,
    severity: Severity | None = None,
) -> Sighting:
    """Make a sighting of the catalogue's entry ``code``."""
    found = CATALOGUE[code].finding(message, *evidence, severity=severity)
    return Sighting(finding=found, place=place, advice=advice)


def measured(what: str, value: float, limit: float, *, layer: str | None = None) -> Evidence:
    """Write one measured value beside its limit."""
    return Evidence(what=what, value=value, limit=limit, layer=layer)
