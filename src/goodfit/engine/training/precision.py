"""The number type in which the steps of a large network are computed, where time is short.

Processors that multiply bfloat16 do so at about twice the rate of float32. Its eight bits blur a gradient by
less than the choice of a batch does, so classes are told apart as well; a regression whose errors are
smaller than a hundredth of the targets' spread would feel it, and is left alone.
"""

from __future__ import annotations

import dataclasses

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.plan import Plan
from goodfit.engine.training.loop import fills_the_machine, measure_pace
from goodfit.engine.ways.pieces import BY_HAND
from goodfit.nets.mlp import MLP

WORTH_ROUNDING = 1.3
PACE_SECONDS = 0.2


def at_faster_precision(plan: Plan, split: Split) -> tuple[Plan, float]:
    """Choose a plan's number type by taking a few real steps with each.

    Args:
        plan: The plan.
        split: The data.

    Returns:
        The plan, and how many times as fast as in float32 it is; 1 if it stays as it was.
    """
    rounded = dataclasses.replace(plan, precision="bfloat16")
    if plan.loss.kind != "classes" or not is_computed_by_hand(plan) or not fills_the_machine(plan, split):
        return plan, 1.0
    exact_seconds, rounded_seconds = (
        measure_pace([Candidate(arm="pace", seed=0, plan=tried)], split, seconds=PACE_SECONDS)
        for tried in (plan, rounded)
    )
    gain = exact_seconds / rounded_seconds
    return (rounded, gain) if gain >= WORTH_ROUNDING else (plan, 1.0)


def is_computed_by_hand(plan: Plan) -> bool:
    """Whether the engine differentiates the plan's network itself, and so can round what it computes."""
    return isinstance(plan.network, MLP) and plan.network.activation in BY_HAND
