"""A remedy: one reversible edit of a plan, made for one of the two questions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Literal

from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP

Edit = Callable[[Plan, float], Plan]


def is_linear(plan: Plan) -> bool:
    """Tell whether there is no hidden layer, so that an edit of hidden layers would change nothing."""
    return isinstance(plan.network, MLP) and not plan.network.widths


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remedy:
    """One entry of the recipe.

    Attributes:
        code: Its name, such as ``"relu"``; findings name the remedies made for them by it.
        question: Which answer it can turn: ``"training"`` or ``"testing"``. It is never tried for the other.
        sentence: What it does, with ``{dose}`` where the dose belongs.
        edit: Makes the treated plan from a plan and a dose; returns the plan itself where it has nothing
            to change.
        doses: Strengths to try, the usual one first. A remedy without strengths has the one dose 0.
        source: ``"lecture"``, or ``"beyond"`` for what came later.
        trains: Whether it needs trainings of its own.
        parts: The remedies and doses it is made of, for one that puts several together.
    """

    code: str
    question: Literal["training", "testing"]
    sentence: str
    edit: Edit
    doses: tuple[float, ...] = (0.0,)
    source: Literal["lecture", "beyond"] = "lecture"
    trains: bool = True
    parts: tuple[tuple[str, float], ...] = ()

    def treat(self, plan: Plan, dose: float) -> Plan:
        """Apply the remedy; the result equals ``plan`` where it would change nothing."""
        return self.edit(plan, dose)

    def say(self, dose: float) -> str:
        """Say what the remedy does at this dose."""
        return self.sentence.format(dose=f"{dose:g}")


def joined(steps: Sequence[tuple[Remedy, float]], *, code: str) -> Remedy:
    """Put remedies of one question into one, to be tried, and shown to help, as a whole.

    Args:
        steps: Remedies with their doses, in the order in which they edit a plan; at least one.
        code: The name of the whole.
    """

    def edit(plan: Plan, dose: float) -> Plan:
        return functools.reduce(lambda treated, step: step[0].treat(treated, step[1]), steps, plan)

    return dataclasses.replace(
        steps[0][0],
        code=code,
        sentence=", ".join(remedy.say(dose) for remedy, dose in steps),
        edit=edit,
        doses=(0.0,),
        source="beyond",
        trains=any(remedy.trains for remedy, _ in steps),
        parts=tuple((remedy.code, dose) for remedy, dose in steps),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Treatment:
    """A remedy at one dose, applied to one plan: an arm of a trial.

    Attributes:
        remedy: The remedy.
        dose: Its strength.
        plan: The treated plan.
    """

    remedy: Remedy
    dose: float
    plan: Plan

    @property
    def name(self) -> str:
        """Name of the arm: the remedy's code, with the dose where there are several."""
        several = len(self.remedy.doses) > 1
        return f"{self.remedy.code} {self.dose:g}" if several else self.remedy.code

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """The remedies and doses behind it: its own, or those it is made of."""
        return self.remedy.parts or ((self.remedy.code, self.dose),)
