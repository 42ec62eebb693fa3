"""Which remedies are offered to a plan next, in which groups, and at which doses."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from goodfit.diagnosis.finding import Finding
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import Question
from goodfit.nets.given import Given
from goodfit.procedure.case import Case
from goodfit.procedure.lessons import Lessons
from goodfit.recipe.order import remedies_for, treatments
from goodfit.recipe.remedy import Remedy, Treatment
from goodfit.recipe.together import in_short_time, sound_remedies

LARGER_STEPS: Mapping[Question, str] = {"training": "lr-up", "testing": "larger-steps"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offers:
    """What may be tried, as far as the patient's way is known.

    Attributes:
        case: The data, and what may be used.
        in_heats: Whether trainings are dear, and trials run in heats.
        holds_few: Whether there is time for a few trials only, so that each has to be a likely one.
        is_shortened: Whether trials are shorter than the plan asks for.
        unsuited: Remedies that cannot be tried on this data, with the reason.
        lessons: What trials have taught of the remedies.
    """

    case: Case
    in_heats: bool
    holds_few: bool
    is_shortened: bool
    unsuited: Mapping[str, str]
    lessons: Lessons

    def groups(
        self, question: Question, findings: Sequence[Finding], plan: Plan, *, is_behind: bool = False
    ) -> tuple[tuple[Remedy, ...], ...]:
        """Group the remedies: those for what was found, one group a finding, and all others.

        Of a network of the user's own, what is put together for training stands in one trial with those
        for the first finding, the likeliest cause; of goodfit's, and where an error was found before
        training, behind them; where there is time for a few trials only, before all.

        Where trials are dear, those that need no trainings of their own come first of all, the others for
        testing data stand in one group, and those for training data in two: the lecture's own, and what came
        after it.

        Args:
            question: Which answer is no.
            findings: What was found.
            plan: The plan to treat.
            is_behind: Whether the shortness of trials may be all that is wrong. Then the same way in fewer
                steps is tried first.
        """
        # where trials are dear few remedies see a plan, and what promised to help waits until it is in one
        promising = self.lessons.take_promising(keep=self.in_heats)
        hurried = (LARGER_STEPS[question],) if is_behind else ()
        groups = remedies_for(question, findings, first=(*hurried, *promising))
        if self.case.prescription is not None:
            return (self.case.prescription.remedies(question, without=self.unsuited),)
        wholes = sound_remedies(plan, without=self.unsuited) if question == "training" else ()
        if self.holds_few:
            return in_short_time(wholes, groups, plan)
        several = tuple(whole for whole in wholes if len(whole.parts) > 1)
        if several and not is_behind:
            is_given = isinstance(plan.network, Given)
            groups = _with_wholes(several, groups, findings, is_given=is_given)
        return _for_heats(question, groups) if self.in_heats else groups

    def ranks(self, remedies: Sequence[Remedy], plan: Plan) -> tuple[tuple[Treatment, ...], ...]:
        """Apply a group of remedies: at their usual doses, then at their second ones, and so on."""
        return treatments(remedies, plan, without=self._without())

    def _without(self) -> set[str]:
        """Codes not to be tried: what cannot be, and what is in the plan, unless more of it may help more."""
        kept = [verdict for verdict in self.case.journal.verdicts if verdict.kept]
        # where trials are short the final training is longer in any case, and goes back if it must
        in_the_end = {"longer", "early-stopping"} if self.in_heats and self.is_shortened else set()
        return {
            *self.unsuited,
            *in_the_end,
            *(verdict.remedy for verdict in kept if verdict.question == "training"),
        }


def _with_wholes(
    wholes: tuple[Remedy, ...],
    groups: tuple[tuple[Remedy, ...], ...],
    findings: Sequence[Finding],
    *,
    is_given: bool,
) -> tuple[tuple[Remedy, ...], ...]:
    """Place what is put together, for several faults are not repaired by what was made for one of them.

    Scripts may have faults that no finding names, and what helps against one of two may lead nowhere. An
    error that was found before training is surely a fault, and is treated by itself first.
    """
    if not findings:
        return (wholes, *groups) if is_given else groups
    if is_given and (findings[0].question, findings[0].severity) != ("harness", "error"):
        return ((*wholes, *groups[0]), *groups[1:])
    return (groups[0], wholes, *groups[1:])


def _for_heats(question: Question, groups: tuple[tuple[Remedy, ...], ...]) -> tuple[tuple[Remedy, ...], ...]:
    free = tuple(remedy for group in groups for remedy in group if not remedy.trains)
    *made_for_findings, rest = [tuple(remedy for remedy in group if remedy.trains) for group in groups]
    if question == "testing":
        return (free, (*itertools.chain(*made_for_findings), *rest))
    taught = tuple(remedy for remedy in rest if remedy.source == "lecture")
    return (free, *made_for_findings, taught, tuple(remedy for remedy in rest if remedy not in taught))
