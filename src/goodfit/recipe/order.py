"""Which remedies to try for a question, and in which order."""

from __future__ import annotations

import itertools
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
        The treatments at each remedy's usual dose, then those at its second dose, and so on; of a remedy
        for testing data that is in the plan already, the next stronger dose takes the place of the usual one.
        A plan that equals ``plan``, or one that stands there already, is left out.
    """
    courses = [_doses(remedy, plan) for remedy in remedies if remedy.code not in without]
    seen, ranks = [plan], []
    for rank in itertools.zip_longest(*courses):
        chosen = []
        for treatment in rank:
            if treatment is not None and treatment.plan not in seen:
                seen.append(treatment.plan)
                chosen.append(treatment)
        ranks.append(tuple(chosen))
    return tuple(ranks)


def _doses(remedy: Remedy, plan: Plan) -> list[Treatment]:
    """Treatments by one remedy, in the order of its doses.

    More of what helps on testing data may help more. Doses of a remedy for training are rates beside the
    usual one, which come later however the plan came by it.
    """
    treated = [Treatment(remedy=remedy, dose=dose, plan=remedy.treat(plan, dose)) for dose in remedy.doses]
    if remedy.question == "training":
        return treated
    return [treatment for treatment in treated if treatment.plan != plan]
