"""What a population must be before anything is built for it, with errors that name the candidate."""

from __future__ import annotations

from collections.abc import Sequence

from goodfit.engine.candidate import Candidate
from goodfit.engine.plan import Plan
from goodfit.errors import PlanError
from goodfit.rules.base import Rule

_OF_A_STRUCTURE = ("network", "loss", "inputs", "batch_size", "epochs", "precision")


def check_population(candidates: Sequence[Candidate]) -> None:
    """See that every candidate can be told from the others and has an update rule.

    Args:
        candidates: In any order; there may be none.

    Raises:
        PlanError: Two candidates have the same arm, seed and fold, or a rule is none.
    """
    known = set()
    for candidate in candidates:
        key = (candidate.arm, candidate.seed, candidate.fold)
        if key in known:
            raise PlanError(
                f"two candidates are {name_of(candidate)}",
                fix="give every arm another name, or every candidate of an arm another seed",
            )
        known.add(key)
        if not isinstance(candidate.plan.rule, Rule):
            raise PlanError(
                f"the update rule of {name_of(candidate)} is {candidate.plan.rule!r}",
                fix='make one with goodfit.rules.base.rule_named, such as rule_named("adam", lr=0.001)',
            )


def check_stack(candidates: Sequence[Candidate]) -> None:
    """See that candidates can share a stack.

    Args:
        candidates: In stack order.

    Raises:
        PlanError: There is none, or two differ in what a stack has in common.
    """
    if not candidates:
        raise PlanError("a stack of 0 candidates has nothing to train", fix="give at least one candidate")
    first = candidates[0]
    for candidate in candidates:
        if candidate.plan.structure != first.plan.structure:
            raise PlanError(
                f"{name_of(first)} and {name_of(candidate)} cannot share a stack: "
                f"{_difference(first.plan, candidate.plan)}",
                fix="hand both to goodfit.engine.training.loop.train, which makes a stack of each structure",
            )


def name_of(candidate: Candidate) -> str:
    """Say which candidate is meant."""
    fold = "" if candidate.fold is None else f" and fold {candidate.fold[0]}"
    return f"{candidate.arm!r} with seed {candidate.seed}{fold}"


def _difference(one: Plan, other: Plan) -> str:
    for name in _OF_A_STRUCTURE:
        values = (getattr(one, name), getattr(other, name))
        if values[0] != values[1]:
            return f"{name} is {values[0]} and {values[1]}"
    return "their structures differ"
