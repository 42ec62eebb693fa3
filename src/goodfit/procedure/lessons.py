"""What trials have taught of the remedies, so that no later round asks what is known already."""

from __future__ import annotations

import dataclasses
import math

from goodfit.engine.plan import Plan
from goodfit.evidence.judging import is_ahead
from goodfit.evidence.trial import Trial
from goodfit.recipe.remedy import Treatment


@dataclasses.dataclass(kw_only=True)
class Lessons:
    """What is known of treatments that were tried.

    Attributes:
        hopeless: Testing treatments not shown to help; they are not tried again on what was learnt so. A
            training remedy that did nothing may do much once another has opened the way.
        set_back: Training treatments that were worse than the plan beyond doubt; they are not tried again
            until another remedy for training data is in it.
        harmful_doses: The dose at which a remedy harmed; it is not tried again at that dose or a stronger
            one.
        too_strong: The dose at which a testing remedy was worse than the plan beyond doubt, if not beyond the
            correction for all that were tried; not tried at a stronger one until another remedy for training
            data is in the plan.
        promising: Remedies that helped without being the best; the next round begins with them.
        seen: Plans that have been trained and were not the best; no treatment leads back to one.
    """

    hopeless: set[str] = dataclasses.field(default_factory=set)
    set_back: set[str] = dataclasses.field(default_factory=set)
    harmful_doses: dict[str, float] = dataclasses.field(default_factory=dict)
    too_strong: dict[str, float] = dataclasses.field(default_factory=dict)
    promising: tuple[str, ...] = ()
    seen: list[Plan] = dataclasses.field(default_factory=list)

    def learn(self, trial: Trial, *, num_seeds: int) -> None:
        """Learn from the verdicts of a trial.

        Args:
            trial: The trial.
            num_seeds: Seeds of an arm that stood the whole trial; one with fewer left it.
        """
        promising = []
        for treatment, verdict in zip(trial.treatments, trial.verdicts, strict=True):
            left = verdict.num_seeds < num_seeds
            if verdict.outcome == "helped" or (left and is_ahead(verdict.effect, verdict.control)):
                promising.append(treatment.remedy.code)
            elif verdict.outcome == "harmed":
                self.harmful_doses[treatment.remedy.code] = treatment.dose
            elif verdict.question == "training" and verdict.effect.high < 0:
                self.set_back.add(treatment.name)
            elif verdict.question == "testing":
                self.hopeless.add(treatment.name)
                if verdict.effect.high < 0:
                    self.too_strong[treatment.remedy.code] = treatment.dose
        self.promising = tuple(dict.fromkeys((*self.promising, *promising)))

    def take_promising(self, *, keep: bool = False) -> tuple[str, ...]:
        """Name the promising remedies, once unless they are to be kept in mind."""
        promising = self.promising
        if not keep:
            self.promising = ()
        return promising

    def leave(self, plan: Plan, trial: Trial, *, chosen: Treatment) -> None:
        """Remember the plan that a trial improved on, and those that it did not choose."""
        if chosen.remedy.question == "training":
            # the network now learns in another way: what did nothing there may help here
            self.set_back.clear()
            self.hopeless.clear()
            self.too_strong.clear()
        self.seen += [plan, *(t.plan for t in trial.treatments if t is not chosen)]

    def leave_open(self, treatment: Treatment) -> bool:
        """Whether nothing seen so far speaks against it: not its own trial, not one at a gentler dose."""
        code = treatment.remedy.code
        limits = (self.harmful_doses.get(code, math.inf), self.too_strong.get(code, math.inf))
        return (
            treatment.name not in self.hopeless | self.set_back
            and treatment.plan not in self.seen
            and treatment.dose < min(limits)
        )
