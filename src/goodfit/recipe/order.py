"""Which remedies to try for a question, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from goodfit.diagnosis.finding import Finding
from goodfit.engine.plan import Plan
from goodfit.recipe.beyond_on_testing import BEYOND_ON_TESTING
from goodfit.recipe.beyond_on_training import BEYOND_ON_TRAINING
from goodfit.recipe.on_testing import ON_TESTING
from goodfit.recipe.on_training import ON_TRAINING
from goodfit.recipe.remedy import Remedy, Treatment

RECIPE = (*ON_TRAINING, *BEYOND_ON_TRAINING, *ON_TESTING, *BEYOND_ON_TESTING)


def remedies_for(
    question: str, findings: Sequence[Finding], *, first: Sequence[str] = ()
) -> tuple[tuple[Remedy, ...], ...]:
    """Group the remedies of one question in the order to try them.

    Args:
        question: ``"training"`` or ``"testing"``.
        findings: What was found, the cause before its consequences. Remedies of the other question that
            they may name are not listened to.
        first: Codes of remedies to try before all others, beside those made for the first finding.

    Returns:
        The remedies made for each finding, a group a finding, and last all others in the recipe's
        order. A group is for when those before it did not help; no remedy stands in two.
    """
    known = {remedy.code: remedy for remedy in RECIPE if remedy.question == question}
    made_for_findings = [finding.remedies for finding in findings] or [()]
    wanted = [(*first, *made_for_findings[0]), *made_for_findings[1:], tuple(known)]
    groups = [tuple(known.pop(code) for code in codes if code in known) for codes in wanted]
    return (*(group for group in groups[:-1] if group), groups[-1])


def treatments(
    remedies: Sequence[Remedy], plan: Plan, *, without: Collection[str] = ()
) -> tuple[tuple[Treatment, ...], ...]:
    """Apply a group of remedies to a plan.

    Args:
        remedies: In the order to try them.
        plan: The plan to treat.
        without: Codes that are not to be tried.

    Returns:
        The treatments at each remedy's usual dose, then those at its second dose, and so on. A plan that
        equals ``plan``, or one that stands there already, is left out.
    """
    most = max((len(remedy.doses) for remedy in remedies), default=0)
    plans = [plan]
    ranks: list[tuple[Treatment, ...]] = []
    for rank in range(most):
        chosen = []
        for remedy in remedies:
            if remedy.code in without or rank >= len(remedy.doses):
                continue
            treated = remedy.treat(plan, remedy.doses[rank])
            if treated not in plans:
                plans.append(treated)
                chosen.append(Treatment(remedy=remedy, dose=remedy.doses[rank], plan=treated))
        ranks.append(tuple(chosen))
    return tuple(ranks)
