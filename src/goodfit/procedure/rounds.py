"""The loop of the recipe: ask, find, treat, prove, and ask again.

The first question comes first every time: a remedy for testing may have spoilt training.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

from goodfit.diagnosis import testing, training
from goodfit.diagnosis.finding import Finding
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import CONTROL, Question, TrainedArm, train_arms
from goodfit.evidence.trial import FIRST_SHARE, Trial, look_again, try_out
from goodfit.procedure.case import Case
from goodfit.procedure.costs import Costs
from goodfit.procedure.final import with_epochs
from goodfit.procedure.lengths import SEEDS_OF_HEATS, longer_epochs, of_any_length, projected_score
from goodfit.procedure.lessons import Lessons
from goodfit.procedure.questions import Bar, ask
from goodfit.procedure.run import Answer
from goodfit.procedure.winners import ahead_on_leaving, best_of
from goodfit.recipe.order import remedies_for, treatments
from goodfit.recipe.remedy import Remedy, Treatment
from goodfit.recipe.together import in_short_time

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
        on_its_way: The plan for which remedies made for what was found do nothing on training data, and
            which the epochs that it asks for alone are to bring there, the way the learning curves go.
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
            projected=self._projected_score if question == "training" and self._is_on_its_way else None,
        )
        return self.case.journal.answer(answer)

    def _find(self, question: Question) -> Sequence[Finding]:
        catalogue = training if question == "training" else testing
        return self.case.journal.find(catalogue.findings(self.arm.histories))

    @property
    def _is_on_its_way(self) -> bool:
        """Whether the plan is the one that longer training alone is to bring to the bar."""
        return self.on_its_way == of_any_length(self.arm.plan)

    @property
    def _projected_score(self) -> float:
        """Training score after the epochs that the plan asks for, the way the learning curves go."""
        plan = self.arm.plan
        if self.shortening == 1 or not self.costs.in_heats or plan.loss.scoring is not None:
            return -math.inf
        usual = zip(self.arm.histories, ~self.arm.few_diverged_S, strict=True)
        histories = [history for history, is_usual in usual if is_usual]
        return projected_score(histories, epochs=round(plan.epochs / self.shortening))

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
            progress=self._progress("training the plan so far for longer"),
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
        tried, groups = 0, self._groups(question)
        for number, remedies in enumerate(groups, start=1):
            if question == "training" and self.round > 1 and number == len(groups) - 1:
                if self._projected_score >= self.bar.score:
                    self.on_its_way = of_any_length(self.arm.plan)
                    return
                self.decided_epochs = self._longer_epochs()
                if self.decided_epochs:
                    return
            for rank in self._ranks(remedies, question):
                if not any(remedy.parts for remedy in remedies):  # wholes come first, and repair most
                    self.costs.keep_for_final(self.arm, shortening=self.shortening)
                wanted = [t for t in rank if self.lessons.leave_open(t)]
                chosen, seconds = self.costs.affordable(wanted, self.arm)
                if not chosen:
                    continue
                trial = self._try_out(chosen, question, tried=tried, estimate=seconds)
                yield trial
                tried += len(chosen)
                ahead = ahead_on_leaving(trial, num_seeds=len(self.arm.members))
                again, _ = self.costs.affordable(ahead, self.arm)
                if again:
                    others = tried - len(again)
                    # part of it is trained already, so its seconds teach nothing about the next trial
                    yield self._try_out(again, question, tried=others, estimate=0.0, begun=trial.arms)

    def _ranks(self, remedies: Sequence[Remedy], question: Question) -> tuple[tuple[Treatment, ...], ...]:
        """Treatments at usual doses, then at others; these wait where trials can still be made longer."""
        ranks = treatments(remedies, self.arm.plan, without=self._without())
        return ranks[:1] if question == "training" and self._longer_epochs() else ranks

    def _groups(self, question: Question) -> tuple[tuple[Remedy, ...], ...]:
        """Remedies for what was found, one group a finding, and all others.

        Where trials are dear, those that need no trainings of their own come first of all, the others for
        testing data stand in one group, and those for training data in two: the lecture's own, and what came
        after it.
        """
        # where trials are dear few remedies see a plan, and what promised to help waits until it is in one
        promising = self.lessons.take_promising(keep=self.costs.in_heats)
        groups = remedies_for(question, self._find(question), first=promising)
        if self.case.prescription is not None:
            return (self.case.prescription.remedies(question, without=self.unsuited),)
        if self.case.budget.is_short:
            return in_short_time(question, groups, self.arm.plan, without=self.unsuited)
        if not self.costs.in_heats:
            return groups
        free = tuple(remedy for group in groups for remedy in group if not remedy.trains)
        *made_for_findings, rest = [tuple(remedy for remedy in group if remedy.trains) for group in groups]
        if question == "testing":
            return (free, (*itertools.chain(*made_for_findings), *rest))
        taught = tuple(remedy for remedy in rest if remedy.source == "lecture")
        return (free, *made_for_findings, taught, tuple(remedy for remedy in rest if remedy not in taught))

    def _without(self) -> set[str]:
        """Codes not to be tried: what cannot be, and what is in the plan, unless more of it may help more."""
        kept = [verdict for verdict in self.case.journal.verdicts if verdict.kept]
        # where trials are short the final training is longer in any case, and keeps its best weights
        is_short = self.costs.in_heats and self.shortening < 1
        in_the_end = {"longer", "early-stopping"} if is_short else set()
        return {
            *self.unsuited,
            *in_the_end,
            *(verdict.remedy for verdict in kept if verdict.question == "training"),
        }

    def _try_out(
        self,
        chosen: Sequence[Treatment],
        question: Question,
        *,
        tried: int,
        estimate: float,
        begun: Sequence[TrainedArm] = (),
    ) -> Trial:
        start, before = self.case.budget.spent, {arm.name: len(arm.members) for arm in begun}
        trial = try_out(
            chosen,
            self.arm,
            self.case.split,
            question=question,
            round=self.round,
            tried=tried,
            share=FIRST_SHARE if self._may_look_again() else 1.0,
            in_heats=self.costs.in_heats,
            bar=self.bar.score,
            begun=begun,
            deadline=self.case.budget.trial_deadline,
            progress=self._progress(f"trying {len(chosen)} remedies for {question} data"),
            workers=self.case.workers,
        )
        trained = zip(chosen, trial.arms, strict=True)
        self.case.budget.used += sum(
            max(0, len(arm.members) - before.get(arm.name, 0)) for t, arm in trained if t.remedy.trains
        )
        self.costs.learn(estimate=estimate, taken=self.case.budget.spent - start)
        return self._look_again(trial, question, tried=tried)

    def _may_look_again(self) -> bool:
        """Whether a trial may be given more seeds: in heats only up to those of a lengthened one."""
        if self.case.budget.is_short:
            return False
        return not self.costs.in_heats or len(self.arm.members) < self.most_seeds

    def _look_again(self, trial: Trial, question: Question, *, tried: int) -> Trial:
        """Train more seeds of what is undecided, if a second look is allowed for and can be afforded."""
        places = trial.undecided if self._may_look_again() else []
        again = [trial.treatments[place] for place in places]
        if not again or not self.costs.can_repeat(again, self.arm):
            return trial
        num_seeds = len(self.arm.members)
        longer = look_again(
            trial,
            self.case.split,
            tried=tried,
            deadline=self.case.budget.trial_deadline,
            progress=self._progress(f"trying {len(again)} remedies on more seeds"),
            workers=self.case.workers,
        )
        more = dataclasses.replace(longer.control, members=longer.control.members[num_seeds:])
        self.case.journal.keep_arm(more, round=self.round, question=question)
        self.case.budget.used += num_seeds * (1 + len(again))
        return longer

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
