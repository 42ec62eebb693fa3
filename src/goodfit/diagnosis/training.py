"""Why is training not good? Asked only after question one was answered "no"."""

from __future__ import annotations

from collections.abc import Sequence

from goodfit.diagnosis import curves, inside
from goodfit.diagnosis.finding import Finding
from goodfit.engine.history import History

ORDER = {"error": 0, "warning": 1, "info": 2}


def findings(histories: Sequence[History]) -> tuple[Finding, ...]:
    """Find what keeps one plan from good results on its training data.

    Call it only when question one was answered "no". A healthy network raises nothing, but one that has
    learnt all there is to learn in noisy data also looks stuck, and only the answer tells the two apart.

    Args:
        histories: The seeds of one arm. Every measure is a median over them.

    Returns:
        Findings, errors first, then in the order of the catalogue.

    Example:
        >>> findings([])
        ()
    """
    histories = [history for history in histories if history.epochs]
    if not histories:
        return ()
    inner = [found for detect in inside.DETECTORS if (found := detect(histories))]
    outer = [found for detect in curves.DETECTORS if (found := detect(histories))]
    if not inner and (found := curves.capacity_too_small(histories)):
        outer.append(found)
    return tuple(sorted([*inner, *outer], key=lambda finding: (ORDER[finding.severity], finding.code)))
