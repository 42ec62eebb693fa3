"""Which remedies to try for a question, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from goodfit.diagnosis.finding import Finding
from goodfit.engine.plan import Plan
from goodfit.recipe.beyond import BEYOND_ON_TESTING, BEYOND_ON_TRAINING
from goodfit.recipe.on_testing import ON_TESTING
from goodfit.recipe.on_training import ON_TRAINING
from goodfit.recipe.remedy import Remedy, Treatment

RECIPE = (*ON_TRAINING, *BEYOND_ON_TRAINING, *ON_TESTING, *BEYOND_ON_TESTING)


def remedies_for(question: str, findings: Sequence[Finding]) -> tuple[tuple[Remedy, ...], ...]:
    """List the remedies of one question in the order to try them: first those made for what was found.

    Args:
        question: ``"training"`` or ``"testing"``.
        findings: What was found; remedies of the other question that they may name are not listened to.

    Returns:
        Two groups: remedies that the findings name, in the findings' order, and all others in the
        recipe's order. The second is tried when the first does not help.
    """
    known = {remedy.code: remedy for remedy in RECIPE if remedy.question == question}
    named = dict.fromkeys(code for finding in findings for code in finding.remedies if code in known)
    first = tuple(known[code] for code in named)
    return first, tuple(remedy for code, remedy in known.items() if code not in named)


def treatments(
    remedies: Sequence[Remedy], plan: Plan, *, without: Collection[str] = ()
) -> tuple[Treatment, ...]:
    """Apply remedies to a plan, the usual dose of each before the second dose of any.

    Args:
        remedies: In the order to try them.
        plan: The plan to treat.
        without: Codes that are not to be tried.

    Returns:
        One treatment for each plan that differs from ``plan`` and from those before it.
    """
    most = max((len(remedy.doses) for remedy in remedies), default=0)
    plans, result = [plan], []
    for rank in range(most):
        for remedy in remedies:
            if remedy.code in without or rank >= len(remedy.doses):
                continue
            treated = remedy.treat(plan, remedy.doses[rank])
            if treated not in plans:
                plans.append(treated)
                result.append(Treatment(remedy=remedy, dose=remedy.doses[rank], plan=treated))
    return tuple(result)

