"""The loop of the recipe: ask, find, treat, prove, and ask again.

The first question comes first every time: a remedy for testing may have spoilt training.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

from goodfit.diagnosis import testing, training
from goodfit.diagnosis.finding import Finding
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import CONTROL, Question, TrainedArm, train_arms
from goodfit.evidence.trial import Trial
from goodfit.procedure.case import Case
from goodfit.procedure.costs import Costs
from goodfit.procedure.lengths import (
    SEEDS_OF_HEATS,
    longer_epochs,
    of_any_length,
    projected_score,
    unshortened,
    with_epochs,
)
from goodfit.procedure.lessons import Lessons
from goodfit.procedure.offers import Offers
from goodfit.procedure.questions import Bar, ask
from goodfit.procedure.run import Answer
from goodfit.procedure.trials import Trials
from goodfit.procedure.winners import ahead_on_leaving, best_of

MAX_ROUNDS = 12


@dataclasses.dataclass(kw_only=True)
class Rounds:
    """One patient's way through the recipe.

    Attributes:
        case: The data, and what may be used.
        bar: What "good" means.
        unsuited: Remedies that cannot be tried on this data, with the reason.
        arm: The plan so far, trained on all seeds.
        costs: What trials cost.
        shortening: Epochs of a trial over the epochs that the plan asks for.
        round: How often the loop has come back.
        lessons: What trials have taught of the remedies.
        decided_epochs: Epochs of longer trials that are to come next, in place of further remedies.
        on_its_way: The plan which the epochs that it asks for alone are to bring to the bar on training data,
            the way the learning curves go: remedies made for what was found do nothing for it there, or it
            was good before a remedy for testing data slowed it down.
        most_seeds: Seeds of every arm from the first lengthening on, if trials then have fewer.
    """

    case: Case
    bar: Bar
    unsuited: dict[str, str]
    arm: TrainedArm
    costs: Costs
    shortening: float = 1.0
    round: int = 1
    lessons: Lessons = dataclasses.field(default_factory=Lessons)
    decided_epochs: int = 0
    on_its_way: Plan | None = None
    most_seeds: int = SEEDS_OF_HEATS

    def run(self) -> str:
        """Go round until both answers are yes or nothing more can be done; returns why it ended."""
        while True:
            question = self._question_to_treat()
            if question is None:
                return "both answers are yes"
            if self.round > MAX_ROUNDS:
                return f"{MAX_ROUNDS} rounds of trials are over"
            # a remedy for testing works against learning by heart, which a short training has not begun:
            # there it would seem to harm
            progressed = (
                (question == "testing" and self._lengthen(question))
                or any(self._keep_best(trial) for trial in self._try_remedies(question))
                or (question == "training" and self._is_on_its_way)
                or self._lengthen(question)
            )
            if not progressed:
                return self._give_up(question)
            self.round += 1

    @property
    def is_good(self) -> bool:
        """Whether the last answer to each question was yes."""
        last = self.case.journal.last_answers
        return last.get("training", False) and last.get("testing", False)

    def _question_to_treat(self) -> Question | None:
        """Ask both questions in order; returns the first that is answered no."""
        if not self._ask("training").good:
            self.on_its_way = None  # if it was, it no longer is
            return "training"
        if not self._ask("testing").good:
            return "testing"
        return None

    def _ask(self, question: Question, *, nothing_left: bool = False) -> Answer:
        answer = ask(
            question,
            self.arm,
            self.bar,
            self.case.split,
            round=self.round,
            nothing_left=nothing_left,
            projected=self._projected(question) if question == "training" and self._is_on_its_way else None,
        )
        return self.case.journal.answer(answer)

    def _find(self, question: Question) -> Sequence[Finding]:
        if question == "testing":
            return self.case.journal.find(testing.findings(self.arm.histories))
        found = self.case.journal.find(training.findings(self.arm.histories))
        return [*self.case.journal.causes, *found]

    @property
    def _is_on_its_way(self) -> bool:
        """Whether the plan is the one that longer training alone is to bring to the bar."""
        return self.on_its_way == of_any_length(self.arm.plan)

    def _projected(self, question: Question) -> float:
        """Score after the epochs that the plan asks for, the way the learning curves go."""
        plan = self.arm.plan
        if self.shortening == 1 or self.case.budget.is_short or plan.loss.scoring is not None:
            return -math.inf
        epochs = unshortened(plan.epochs, self.shortening)
        if not self.costs.in_heats:  # elsewhere trials are lengthened to what there is time for
            # where the final training's time is given away, there is what the trials have trained
            epochs = max(plan.epochs, min(epochs, self.costs.final_epochs(self.arm)))
        usual = zip(self.arm.histories, ~self.arm.few_diverged_S, strict=True)
        histories = [history for history, is_usual in usual if is_usual]
        return projected_score(histories, epochs=epochs, question=question)

    def _lengthen(self, question: Question) -> bool:
        """Train the plan so far for longer where trials had to be short; returns whether there was time."""
        plan, epochs = self.arm.plan, self.decided_epochs or self._longer_epochs()
        self.decided_epochs = 0
        if not epochs:
            return False
        self.case.journal.note(f"trials train {epochs} epochs from here on, in place of {plan.epochs}")
        self.shortening *= epochs / plan.epochs
        seeds = range(max(self.most_seeds, len(self.arm.members)))
        (self.arm,) = train_arms(
            [(CONTROL, with_epochs(plan, epochs))],
            self.case.split,
            seeds=seeds,
            deadline=self.case.budget.trial_deadline,
            progress=self.case.progress("training the plan so far for longer"),
            workers=self.case.workers,
        )
        self.case.budget.used += len(seeds)
        self.case.journal.keep_arm(self.arm, round=self.round + 1, question=question)
        return True

    def _longer_epochs(self) -> int:
        return longer_epochs(self.arm, self.costs, shortening=self.shortening)

    def _try_remedies(self, question: Question) -> Iterator[Trial]:
        """Try one group of remedies after the other: those made for what was found, then the rest.

        Where trials are short, what is left of the error may be the shortness alone. A training on which
        remedies for its findings do nothing is left as it is, if its learning curve goes to the bar;
        otherwise it is made longer before all other remedies are tried.
        """
        offers = self._offers
        tried, findings = 0, self._find(question)
        is_behind = self._is_only_behind(question, findings)
        groups = offers.groups(question, findings, self.arm.plan, is_behind=is_behind)
        for number, remedies in enumerate(groups, start=1):
            if (
                question == "training"
                and self.round > 1
                and number == len(groups) - 1
                and self.costs.in_heats
            ):
                if self._projected("training") >= self.bar.score:
                    self.on_its_way = of_any_length(self.arm.plan)
                    return
                self.decided_epochs = self._longer_epochs()
                if self.decided_epochs:
                    return
            ranks = offers.ranks(remedies, self.arm.plan)
            # other doses than the usual ones wait where trials can still be made longer
            waits = question == "training" and self._longer_epochs()
            for rank in ranks[:1] if waits else ranks:
                wanted = [t for t in rank if self.lessons.leave_open(t)]
                if any(remedy.parts for remedy in remedies):  # wholes come first, and repair most
                    self.costs.make_room(wanted, self.arm)
                else:
                    self.costs.keep_for_final(self.arm, shortening=self.shortening)
                chosen, seconds = self.costs.affordable(wanted, self.arm)
                if not chosen:
                    continue
                trial = self._trials.hold(chosen, question, tried=tried, estimate=seconds)
                yield trial
                tried += len(chosen)
                ahead = ahead_on_leaving(trial, num_seeds=len(self.arm.members))
                again, _ = self.costs.affordable(ahead, self.arm)
                if again:
                    others = tried - len(again)
                    # part of it is trained already, so its seconds teach nothing about the next trial
                    yield self._trials.hold(again, question, tried=others, estimate=0.0, begun=trial.arms)

    def _is_only_behind(self, question: Question, findings: Sequence[Finding]) -> bool:
        """Whether the shortness of trials that stay short may be all that keeps an answer from being yes."""
        if self.shortening == 1 or self.costs.in_heats or self.case.budget.is_short:
            return False
        is_ill = any(finding.severity != "info" for finding in findings)
        # the projection comes last, since it measures a pace
        return (question == "testing" and not is_ill) or self._projected(question) >= self.bar.score

    @property
    def _trials(self) -> Trials:
        return Trials(
            case=self.case,
            bar=self.bar,
            arm=self.arm,
            costs=self.costs,
            round=self.round,
            most_seeds=self.most_seeds,
        )

    @property
    def _offers(self) -> Offers:
        return Offers(
            case=self.case,
            in_heats=self.costs.in_heats,
            holds_few=self.costs.holds_few,
            is_shortened=self.shortening < 1,
            unsuited=self.unsuited,
            lessons=self.lessons,
        )

    def _keep_best(self, trial: Trial) -> bool:
        """Put the proven treatment with the best result into the plan; the loop then goes on from there."""
        self.lessons.learn(trial, num_seeds=len(self.arm.members))
        best = best_of(trial, are_dear=self.costs.in_heats, bar=self.bar.score)
        self.case.journal.judge(trial, kept=None if best is None else trial.treatments[best].name)
        if best is None:
            return False
        chosen = trial.treatments[best]
        members = trial.arms[best].members[: len(self.arm.members)]
        self.lessons.leave(self.arm.plan, trial, chosen=chosen)
        ensemble = self.arm.plan.ensemble or chosen.plan.ensemble
        plan = dataclasses.replace(chosen.plan, ensemble=ensemble)
        self.arm = TrainedArm(name=CONTROL, plan=plan, members=members)
        is_for_testing = chosen.remedy.question == "testing"
        if self.costs.in_heats and is_for_testing and self._projected("training") >= self.bar.score:
            # it hinders learning by heart, so a short training is slower, and need not be worse in the end
            self.on_its_way = of_any_length(plan)
        return True

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
