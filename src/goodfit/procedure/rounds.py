"""The loop of the recipe: ask, find, treat, prove, and ask again.

The first question comes first every time: a remedy for testing may have spoilt training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from goodfit.diagnosis import testing, training
from goodfit.diagnosis.finding import Finding
from goodfit.engine.candidate import Candidate
from goodfit.engine.loop import measure_pace
from goodfit.engine.plan import Plan
from goodfit.evidence.trial import CONTROL, Question, TrainedArm, Trial, try_out
from goodfit.procedure.case import Case
from goodfit.procedure.questions import Bar, ask
from goodfit.procedure.run import Answer
from goodfit.recipe.order import remedies_for, treatments
from goodfit.recipe.remedy import Treatment

PACE_SECONDS = 0.12
ROUND_SHARE = 0.6
"""Share of the time left for trials that one round may plan to use; the next rounds need some too."""
MAX_ROUNDS = 12
LEAST_CORRECTION, MOST_CORRECTION = 0.3, 1.5
"""How far the last trial may correct the next one's estimate: early stopping and idle cores make trials
cheaper than the pace of a few steps tells, but not every trial alike."""


@dataclasses.dataclass(kw_only=True)
class Rounds:
    """One patient's way through the recipe.

    Attributes:
        case: The data, and what may be used.
        bar: What "good" means.
        unsuited: Remedies that cannot be tried on this data, with the reason.
        arm: The plan so far, trained on all seeds.
        round: How often the loop has come back.
        hopeless: Testing treatments not shown to help; they are not tried again. A training remedy that
            did nothing may do much once another has opened the way.
        harmful_doses: The dose at which a remedy harmed; it is not tried again at that dose or a stronger
            one.
        left_behind: Plans that a proven remedy has replaced; no treatment leads back to one.
        correction: What the last trial took, over what it was estimated to take.
    """

    case: Case
    bar: Bar
    unsuited: dict[str, str]
    arm: TrainedArm
    round: int = 1
    hopeless: set[str] = dataclasses.field(default_factory=set)
    harmful_doses: dict[str, float] = dataclasses.field(default_factory=dict)
    left_behind: list[Plan] = dataclasses.field(default_factory=list)
    correction: float = 1.0

    def run(self) -> str:
        """Go round until both answers are yes or nothing more can be done; returns why it ended."""
        while True:
            question = self._question_to_treat()
            if question is None:
                return "both answers are yes"
            if self.round > MAX_ROUNDS:
                return f"{MAX_ROUNDS} rounds of trials are over"
            if not any(self._keep_best(trial) for trial in self._try_remedies(question)):
                return self._give_up(question)
            self.round += 1

    def _question_to_treat(self) -> Question | None:
        """Ask both questions in order; returns the first that is answered no."""
        if not self._ask("training").good:
            return "training"
        if not self._ask("testing").good:
            return "testing"
        return None

    def _ask(self, question: Question, *, nothing_left: bool = False) -> Answer:
        answer = ask(
            question, self.arm, self.bar, self.case.split, round=self.round, nothing_left=nothing_left
        )
        return self.case.journal.answer(answer)

    def _find(self, question: Question) -> Sequence[Finding]:
        catalogue = training if question == "training" else testing
        return self.case.journal.find(catalogue.findings(self.arm.histories))

    def _try_remedies(self, question: Question) -> Iterator[Trial]:
        """Try one group of remedies after the other: those made for what was found, then the rest."""
        tried = 0
        groups = remedies_for(question, self._find(question))
        if self.case.prescription is not None:
            groups = (self.case.prescription.remedies(question),)
        for remedies in groups:
            for rank in treatments(remedies, self.arm.plan, without=self._without()):
                chosen, seconds = self._affordable(
                    [treatment for treatment in rank if self._is_worth_trying(treatment)]
                )
                if chosen:
                    yield self._try_out(chosen, question, tried=tried, estimate=seconds)
                    tried += len(chosen)

    def _is_worth_trying(self, treatment: Treatment) -> bool:
        """Whether nothing seen so far speaks against it: not its own trial, not one at a gentler dose."""
        harmed = self.harmful_doses.get(treatment.remedy.code)
        return (
            treatment.name not in self.hopeless
            and treatment.plan not in self.left_behind
            and (harmed is None or treatment.dose < harmed)
        )

    def _without(self) -> set[str]:
        return {*self.unsuited, *(verdict.remedy for verdict in self.case.journal.verdicts if verdict.kept)}

    def _try_out(
        self, chosen: Sequence[Treatment], question: Question, *, tried: int, estimate: float
    ) -> Trial:
        start = self.case.budget.spent
        trial = try_out(
            chosen,
            self.arm,
            self.case.split,
            question=question,
            round=self.round,
            tried=tried,
            deadline=self.case.budget.trial_deadline,
            progress=self._progress(f"trying {len(chosen)} remedies for {question} data"),
            workers=self.case.workers,
        )
        self.case.budget.used += len(self.arm.members) * sum(t.remedy.trains for t in chosen)
        if estimate:
            ratio = (self.case.budget.spent - start) / estimate
            self.correction = min(MOST_CORRECTION, max(LEAST_CORRECTION, ratio))
        return trial

    def _affordable(self, wanted: Sequence[Treatment]) -> tuple[list[Treatment], float]:
        """Choose, in order, the treatments that time and the number of trainings allow.

        Returns:
            The treatments, and the seconds they would take at the pace of a few steps.
        """
        num_seeds = len(self.arm.members)
        trainings = self.case.budget.trainings_left(keep=num_seeds)
        seconds = ROUND_SHARE * self.case.budget.left_for_trials() / self.correction
        estimate = 0.0
        chosen = [treatment for treatment in wanted if not treatment.remedy.trains and num_seeds > 2]
        for group in _by_structure([treatment for treatment in wanted if treatment.remedy.trains]):
            cost = self._cost(group) if self.case.budget.is_timed else 0.0
            for treatment in group:
                if num_seeds > trainings:
                    self.case.journal.untried[treatment.name] = "no trainings left"
                elif cost / len(group) > seconds:
                    self.case.journal.untried[treatment.name] = "no time left"
                else:
                    chosen.append(treatment)
                    trainings -= num_seeds
                    seconds -= cost / len(group)
                    estimate += cost / len(group)
        return [treatment for treatment in wanted if treatment in chosen], estimate

    def _cost(self, group: Sequence[Treatment]) -> float:
        population = [
            Candidate(arm=t.name, seed=m.candidate.seed, plan=t.plan) for t in group for m in self.arm.members
        ]
        return measure_pace(population, self.case.split, seconds=PACE_SECONDS) * group[0].plan.epochs

    def _keep_best(self, trial: Trial) -> bool:
        """Put the proven treatment with the best result into the plan; the loop then goes on from there."""
        helped = [
            (round(verdict.treated, 3), -place)
            for place, verdict in enumerate(trial.verdicts)
            if verdict.outcome == "helped"
        ]
        self._learn_from(trial)
        best = -max(helped)[1] if helped else None
        self.case.journal.judge(trial, kept=None if best is None else trial.treatments[best].name)
        if best is None:
            return False
        chosen = trial.treatments[best]
        members = trial.arms[best].members
        self.left_behind.append(self.arm.plan)
        ensemble = self.arm.plan.ensemble or chosen.plan.ensemble
        plan = dataclasses.replace(chosen.plan, ensemble=ensemble)
        self.arm = TrainedArm(name=CONTROL, plan=plan, members=members)
        return True

    def _learn_from(self, trial: Trial) -> None:
        for treatment, verdict in zip(trial.treatments, trial.verdicts, strict=True):
            if verdict.outcome == "harmed":
                self.harmful_doses[treatment.remedy.code] = treatment.dose
            elif (verdict.outcome, verdict.question) == ("not shown", "testing"):
                self.hopeless.add(treatment.name)

    def _give_up(self, question: Question) -> str:
        out_of_budget = bool(self.case.journal.untried)
        answer = self._ask(question, nothing_left=not out_of_budget)
        if question == "training" and answer.good:
            answer = self._ask("testing", nothing_left=not out_of_budget)
        if question == "training" and not answer.good:
            self.case.journal.not_checked["testing remedies"] = (
                "training is not good: a bad test score is not overfitting until it is"
            )
        if answer.good:
            return "both answers are yes, and nothing left to try helps further"
        if out_of_budget:
            return f"the budget is spent while the answer on {question} data is no"
        return f"no remedy for {question} data is shown to help further"

    def _progress(self, what: str) -> Callable[[float], None]:
        start = self.case.budget.spent

        def report(fraction: float) -> None:
            spent = self.case.budget.spent
            ahead = (spent - start) / fraction - (spent - start) if fraction > 0.02 else None
            total = self.case.budget.seconds if self.case.budget.is_timed else None
            share = spent / total if total else 0.1 + 0.8 * fraction
            left = total - spent if total else ahead
            self.case.journal.doing(what, fraction=min(1.0, share), seconds_left=left)

        return report


def _by_structure(wanted: Sequence[Treatment]) -> list[list[Treatment]]:
    groups: dict[tuple[object, ...], list[Treatment]] = {}
    for treatment in wanted:
        groups.setdefault(treatment.plan.structure, []).append(treatment)
    return list(groups.values())
