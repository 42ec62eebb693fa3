"""Findings for other programs: one JSON object, or SARIF for code review."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import os
from collections.abc import Sequence
from typing import Any

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.watch.sighting import Sighting

LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def to_object(
    sightings: Sequence[Sighting], *, not_checked: Sequence[str], overhead: float
) -> dict[str, Any]:
    """Write findings as plain values; every number is finite or ``None``.

    Args:
        sightings: What was found.
        not_checked: What was not, and why.
        overhead: Share of the wall time that watching took.
    """
    return {
        "findings": [_finding(seen) for seen in sightings],
        "not_checked": list(not_checked),
        "overhead": round(overhead, 4),
    }


def to_sarif(sightings: Sequence[Sighting]) -> dict[str, Any]:
    """Write findings as a SARIF 2.1.0 log."""
    codes = sorted({seen.finding.code for seen in sightings})
    driver = {
        "name": "goodfit",
        "version": importlib.metadata.version("goodfit"),
        "rules": [
            {
                "id": code,
                "name": CATALOGUE[code].name,
                "shortDescription": {"text": CATALOGUE[code].sign},
            }
            for code in codes
        ],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(seen) for seen in sightings]}],
    }


def _finding(seen: Sighting) -> dict[str, Any]:
    found = seen.finding
    return {
        "code": found.code,
        "name": found.name,
        "severity": found.severity,
        "message": found.message,
        "evidence": [_finite(dataclasses.asdict(evidence)) for evidence in found.evidence],
        "file": seen.place.file if seen.place else None,
        "line": seen.place.line if seen.place else None,
        "remedies": list(found.remedies),
        "advice": seen.advice,
    }


def _result(seen: Sighting) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": seen.finding.code,
        "level": LEVELS[seen.finding.severity],
        "message": {"text": f"{seen.finding.message}. To do: {seen.advice}."},
    }
    if seen.place is not None:
        uri = os.path.relpath(seen.place.file).replace(os.sep, "/")
        region = {"startLine": seen.place.line}
        result["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}]
    return result


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
