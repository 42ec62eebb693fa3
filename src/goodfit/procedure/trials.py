"""Trials of one plan: which treatments were tried, with what time and on how many seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from goodfit.evidence.arms import Question, TrainedArm
from goodfit.evidence.trial import FIRST_SHARE, Trial, look_again, try_out
from goodfit.procedure.case import Case
from goodfit.procedure.costs import Costs
from goodfit.procedure.questions import Bar
from goodfit.recipe.remedy import Treatment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trials:
    """Holds trials beside one control, within what the budget allows.

    Attributes:
        case: The data, and what may be used.
        bar: What "good" means.
        arm: The control: the plan so far, trained on all seeds.
        costs: What trials cost; learns from each.
        round: How often the loop has come back.
        most_seeds: Seeds that every arm may have, if trials run in heats.
    """

    case: Case
    bar: Bar
    arm: TrainedArm
    costs: Costs
    round: int
    most_seeds: int

    def hold(
        self,
        chosen: Sequence[Treatment],
        question: Question,
        *,
        tried: int,
        estimate: float,
        begun: Sequence[TrainedArm] = (),
    ) -> Trial:
        """Try some treatments, and look again at what is undecided where that is allowed for.

        Args:
            chosen: The treatments.
            question: The question that they are for.
            tried: Treatments that were tried beside this control before.
            estimate: Seconds that they were expected to take; 0 if part of them is trained already.
            begun: Arms of an earlier trial of them, which goes on.
        """
        start, before = self.case.budget.spent, {arm.name: len(arm.members) for arm in begun}
        # a chance of a false alarm that is kept for a second look is lost where none can follow
        looks_again = self.may_look_again(chosen) and self._can_look_again(chosen, behind=estimate)
        trial = try_out(
            chosen,
            self.arm,
            self.case.split,
            question=question,
            round=self.round,
            tried=tried,
            share=FIRST_SHARE if looks_again else 1.0,
            in_heats=self.costs.in_heats,
            bar=self.bar.score,
            begun=begun,
            deadline=self.case.budget.trial_deadline,
            progress=self.case.progress(f"trying {len(chosen)} remedies for {question} data"),
            workers=self.case.workers,
        )
        trained = zip(chosen, trial.arms, strict=True)
        self.case.budget.used += sum(
            max(0, len(arm.members) - before.get(arm.name, 0)) for t, arm in trained if t.remedy.trains
        )
        self.costs.learn(estimate=estimate, taken=self.case.budget.spent - start)
        return self._look_again(trial, question, tried=tried) if looks_again else trial

    def may_look_again(self, chosen: Sequence[Treatment]) -> bool:
        """Whether a trial may be given more seeds.

        In heats only up to those of a lengthened one, and where time is short only in a trial of wholes: of
        what promises to repair most, more seeds tell more than further remedies.
        """
        if self.case.budget.is_short:
            return all(treatment.remedy.parts for treatment in chosen)
        return not self.costs.in_heats or len(self.arm.members) < self.most_seeds

    def _can_look_again(self, chosen: Sequence[Treatment], *, behind: float) -> bool:
        """Whether half of the treatments could be given more seeds behind a trial of them all."""
        to_train = [treatment for treatment in chosen if treatment.remedy.trains]
        half = to_train[: -(-len(to_train) // 2)]
        return bool(half) and self.costs.can_repeat(half, self.arm, behind=behind)

    def _look_again(self, trial: Trial, question: Question, *, tried: int) -> Trial:
        """Train more seeds of what is undecided, the likeliest first, as far as that can be afforded."""
        places = sorted(trial.undecided, key=lambda place: trial.verdicts[place].p_value)
        while places and not self.costs.can_repeat([trial.treatments[p] for p in places], self.arm):
            places.pop()
        if not places:
            return trial
        num_seeds = len(self.arm.members)
        longer = look_again(
            trial,
            self.case.split,
            places=sorted(places),
            tried=tried,
            deadline=self.case.budget.trial_deadline,
            progress=self.case.progress(f"trying {len(places)} remedies on more seeds"),
            workers=self.case.workers,
        )
        more = dataclasses.replace(longer.control, members=longer.control.members[num_seeds:])
        self.case.journal.keep_arm(more, round=self.round, question=question)
        self.case.budget.used += num_seeds * (1 + len(places))
        return longer
