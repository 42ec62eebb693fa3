"""What the next trial costs, and which treatments the time and the trainings left allow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from goodfit.engine.candidate import Candidate
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import measure_pace
from goodfit.engine.ways.construction import chain_in, num_parameters
from goodfit.evidence.arms import CONTROL, TrainedArm
from goodfit.evidence.heats import relative_cost
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network
from goodfit.procedure.case import Case
from goodfit.recipe.remedy import Treatment
from goodfit.rules.own import Own

PACE_SECONDS = 0.12
WORTH_MEASURING = 1.0
"""Seconds of an arm from which it pays to measure the pace of others; a shorter one tells its own price."""
WORTH_BUILDING = 10.0
"""Likewise for networks of the user's own: to measure one, all seeds of it are edited several times over."""
BY_MODULES = 5.0
"""What a small stack costs that is computed through its modules, over one that is computed by hand."""
BESIDE_STEPS = 1.6
"""What a training of few epochs costs over its steps: building, looking at rows, looking inside."""
FIRST_COSTS = 5.0
"""What a stack costs before its first network, in networks: many small ones cost little more than one."""
SMALL_PARAMETERS = 5000
"""Parameters whose arithmetic costs as much as what every network of a stack costs in any case."""
OTHER_STRUCTURE = 1.5
"""What another structure costs in the mean, over the plan's own; batch-norm costs up to three times."""
SAME_WORK = ("activation", "initialisation", "plain_output", "output_scale")
"""Fields of a network that leave its work as it is, unless they change the number of its parameters."""
FEW_ARMS = 6.0
"""Arms like the first one; where trials have time for fewer, each has to be a likely one."""
ROUND_SHARE, ONLY_ROUND_SHARE = 0.6, 0.9
"""Share of the time left for trials that one round may plan to use; the next rounds need some too, but in a
short time there is hardly a next one."""
MOST_OF_TIME = 0.85
"""Share of the time left that the final training plans to use; a measured pace is not a promise."""
CLOSING_SHARE = 0.05
"""Share of a short time that is kept for the report alone."""
MOST_KEPT = 0.6
"""Share of a short time that is kept for the final training at most."""
LEAST_CORRECTION, MOST_CORRECTION = 0.3, 1.5
"""How far the last trial may correct the next one's estimate: early stopping and idle cores make trials
cheaper than the pace of a few steps tells, but not every trial alike."""


@dataclasses.dataclass(kw_only=True)
class Costs:
    """Estimates trials, and learns from what they took.

    Attributes:
        case: The data, and what may be used.
        in_heats: Whether trials are run in heats, in which most arms train one seed only.
        correction: What the last trial took, over what it was estimated to take.
        first: The first arm that was asked about; it had a stack of its own, so its price is known.
        is_tight: Whether trials have time for a few arms like the first one only.
        first_seconds: What the first arm took with all that goes with a training: where time is short this
            is much more than its steps.
    """

    case: Case
    in_heats: bool = False
    correction: float = 1.0
    first: TrainedArm | None = None
    first_seconds: float | None = None
    is_tight: bool = False

    def affordable(self, wanted: Sequence[Treatment], arm: TrainedArm) -> tuple[list[Treatment], float]:
        """Choose, in order, the treatments that time and the number of trainings allow.

        Args:
            wanted: Treatments, the first wanted most.
            arm: The control, whose seeds they share.

        Returns:
            The treatments, and the seconds they would take at the pace of a few steps.
        """
        num_seeds = len(arm.members)
        trainings = self.case.budget.trainings_left(keep=num_seeds)
        seconds = self._may_plan(self.case.budget.left_for_trials())
        estimate = 0.0
        chosen = [treatment for treatment in wanted if not treatment.remedy.trains and num_seeds > 2]
        to_train = [treatment for treatment in wanted if treatment.remedy.trains]
        share = relative_cost(len(to_train), num_seeds=num_seeds) if self.in_heats and to_train else 1.0
        for group in _by_structure(to_train):
            cost = share * self._of_group(group, arm) / len(group) if self.case.budget.is_timed else 0.0
            for treatment in group:
                if num_seeds > trainings:
                    self.case.journal.untried[treatment.name] = "no trainings left"
                elif cost > seconds:
                    self.case.journal.untried[treatment.name] = "no time left"
                else:
                    chosen.append(treatment)
                    trainings -= num_seeds
                    seconds -= cost
                    estimate += cost
        return [treatment for treatment in wanted if treatment in chosen], estimate

    def can_repeat(self, treatments: Sequence[Treatment], arm: TrainedArm, *, behind: float = 0.0) -> bool:
        """Whether treatments and their control can be trained on as many seeds again.

        Args:
            treatments: The treatments.
            arm: Their control.
            behind: Seconds of a trial that comes before, as it was estimated.
        """
        num_seeds = len(arm.members)
        if (1 + len(treatments)) * num_seeds > self.case.budget.trainings_left(keep=num_seeds):
            return False
        if not self.case.budget.is_timed:
            return True
        plans = [arm.plan, *(treatment.plan for treatment in treatments)]
        seconds = sum(plan.epochs * self.of_epoch(plan, arm) for plan in plans)
        left = self.case.budget.left_for_trials() - self.correction * behind
        return seconds <= self._round_share * left

    def of_epoch(self, plan: Plan, arm: TrainedArm) -> float:
        """Seconds that one epoch of a plan takes on all seeds of an arm."""
        # in heats the last trial was as short as arms left early, which tells nothing of a single arm
        correction = max(1.0, self.correction) if self.in_heats else self.correction
        return correction * self._pace([plan], arm)

    def final_epochs(self, arm: TrainedArm) -> int:
        """Epochs of a final training for which there is time even if trials use all of theirs."""
        seconds = self.case.budget.left_for_final() - self.case.budget.left_for_trials()
        return int(MOST_OF_TIME * seconds / self.of_epoch(arm.plan, arm))

    def know_first(self, arm: TrainedArm, *, took: float) -> None:
        """Take the price of all arms from what the first one took, with all that goes with its training."""
        # who leaves diverged does so after an epoch or two, and these do not pay what goes with a training
        has_leavers = any(history.ending == "diverged" for history in arm.histories)
        self.first, self.first_seconds = arm, BESIDE_STEPS * arm.seconds if has_leavers else took

    def know_time(self, arm: TrainedArm) -> None:
        """See from the first arm whether there is time for a few more of a network of the user's own only.

        What a table needs is mostly one remedy, and is tried by itself; a script may have several faults.
        """
        few = FEW_ARMS * arm.seconds > self.case.budget.left_for_trials()
        self.is_tight = few and isinstance(arm.plan.network, Given)

    @property
    def holds_few(self) -> bool:
        """Whether the time holds so few trials that each has to be a likely one."""
        return self.case.budget.is_short or self.is_tight

    def learn(self, *, estimate: float, taken: float) -> None:
        """Correct what comes next by what a trial took."""
        if estimate:
            self.correction = min(MOST_CORRECTION, max(LEAST_CORRECTION, taken / estimate))

    def keep_for_final(self, arm: TrainedArm, *, shortening: float) -> None:
        """Keep, where time is short, as much as the epochs that the plan asks for take.

        Where nothing more helps, a plan that was trained for less would be handed back worse than it came.

        Args:
            arm: The plan so far, trained; the final training has as many seeds.
            shortening: Epochs of a trial over the epochs that the plan asks for.
        """
        budget = self.case.budget
        if not budget.is_short:
            return
        seconds = self.of_epoch(arm.plan, arm) * arm.plan.epochs / shortening / MOST_OF_TIME
        closing = budget.started + budget.seconds - budget.final_deadline
        budget.final_share = min(MOST_KEPT, max(budget.final_share, (seconds + closing) / budget.seconds))

    def make_room(self, wanted: Sequence[Treatment], arm: TrainedArm) -> None:
        """Give up the final training, where time holds few trials, if not even the likeliest fits in.

        The networks of a trial can be handed back as they are; without a trial nothing is repaired.

        Args:
            wanted: Treatments, the likeliest first.
            arm: The plan so far.
        """
        budget = self.case.budget
        if not wanted or not self.holds_few:
            return
        cost = self._of_group(wanted[:1], arm)
        if self._may_plan(budget.left_for_trials()) < cost <= self._may_plan(budget.left_for_final()):
            budget.final_share = CLOSING_SHARE

    def _may_plan(self, left: float) -> float:
        """Seconds, as estimates count them, that one round may plan to use of those that are left."""
        return self._round_share * left / self.correction

    @property
    def _round_share(self) -> float:
        return ONLY_ROUND_SHARE if self.holds_few else ROUND_SHARE

    def _of_group(self, group: Sequence[Treatment], arm: TrainedArm) -> float:
        return self._pace([treatment.plan for treatment in group], arm) * group[0].plan.epochs

    def _pace(self, plans: Sequence[Plan], arm: TrainedArm) -> float:
        """Seconds of one epoch of plans of one structure on all seeds of an arm."""
        was_own = self.first is not None and isinstance(self.first.plan.rule, Own)
        if self.first is None or (was_own and not isinstance(arm.plan.rule, Own)):
            self.first, self.first_seconds = arm, None  # steps of an optimizer of one's own cost more
        is_own = isinstance(plans[0].network, Given)
        worth_it = self.first.seconds >= (WORTH_BUILDING if is_own else WORTH_MEASURING)
        if not worth_it or self.case.budget.is_short:
            return self._price(plans, self.first, num_seeds=len(arm.members))
        population = [
            Candidate(arm=str(place), seed=member.candidate.seed, plan=plan)
            for place, plan in enumerate(plans)
            for member in arm.members
        ]
        seconds = self.case.budget.glance(PACE_SECONDS)
        return measure_pace(population, self.case.split, seconds=seconds, hands=self.case.hands)

    def _detour(self, plan: Plan, first: TrainedArm) -> float:
        """What edits cost that take a network out of what is computed by hand."""
        choice = first.histories[0].choice
        if not isinstance(plan.network, Given) or choice is None or choice.way != "stacked":
            return 1.0
        of_plan = Candidate(arm=CONTROL, seed=0, plan=plan)
        return 1.0 if chain_in(of_plan, self.case.split) is not None else BY_MODULES

    def _price(self, plans: Sequence[Plan], first: TrainedArm, *, num_seeds: int) -> float:
        """Estimate a stack by what the first arm took: by the number of its networks, and their size."""
        size, epochs = len(first.members), sum(history.epochs[-1] for history in first.histories)
        seconds = self.first_seconds or first.seconds
        split = self.case.split
        of_network = seconds / max(1, epochs) * size / (FIRST_COSTS + size)
        of_network *= self._detour(plans[0], first)
        stack = of_network * (FIRST_COSTS + num_seeds * len(plans))
        if (plans[0].network, plans[0].inputs) == (first.plan.network, first.plan.inputs):
            return stack
        before, after = (num_parameters(plan, split) for plan in (first.plan, plans[0]))
        if not self.case.budget.is_short:
            is_same = before == after and _does_same_work(plans[0].network, first.plan.network)
            return stack * (1.0 if is_same else max(OTHER_STRUCTURE, math.sqrt(after / before)))
        # where every trial counts the estimate has to be good both ways: calls and arithmetic apart
        calls = FIRST_COSTS * _relative_calls(plans[0].network, first.plan.network)
        larger = (SMALL_PARAMETERS + after) / (SMALL_PARAMETERS + before)
        return of_network * (calls + num_seeds * len(plans) * larger)


def _does_same_work(network: Network, first: Network) -> bool:
    """Whether networks differ in nothing that takes time."""
    if type(network) is not type(first):
        return False
    fields = {field.name for field in dataclasses.fields(first)} & set(SAME_WORK)
    return dataclasses.replace(network, **{name: getattr(first, name) for name in fields}) == first


def _relative_calls(network: Network, first: Network) -> float:
    """Calls of a step of one network over those of another: a normalised layer needs twice as many."""
    if not isinstance(network, MLP) or not isinstance(first, MLP):
        return 1.0
    calls = [(1 + (n.normalisation is not None)) * (1 + len(n.widths)) for n in (network, first)]
    return calls[0] / calls[1]


def _by_structure(wanted: Sequence[Treatment]) -> list[list[Treatment]]:
    groups: dict[tuple[object, ...], list[Treatment]] = {}
    for treatment in wanted:
        groups.setdefault(treatment.plan.structure, []).append(treatment)
    return list(groups.values())
