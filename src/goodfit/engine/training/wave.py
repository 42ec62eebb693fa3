"""Candidates of one structure that memory holds at once, cut into stacks that the cache holds.

One stack takes all steps of an epoch before the next stack does. What a step needs again at the next one, the
weights and the memory of their rule, then lies near the processor, and yet all candidates are as far as each
other when time runs out. A GPU has memory enough that is near: there all are one stack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.history import Choice
from goodfit.engine.machine.device import placement
from goodfit.engine.training.memory import candidate_floats
from goodfit.engine.training.stack import Stack

SURE = 0.9
"""Share of the time that is left for which steps are planned: no epoch takes just what the last one took."""
NEAR_FLOATS = 4_000_000
"""Floats that the candidates of one stack keep. Four times as few or twice as many are as fast; ten times as
many leave the last level of the cache, which costs a tenth to a quarter."""


def stacks_of(candidates: Sequence[Candidate], split: Split) -> list[Sequence[Candidate]]:
    """Cut candidates into stacks of about equal size that the cache holds, in their order."""
    most = max(1, NEAR_FLOATS // candidate_floats(candidates[0].plan, split))
    if placement().is_gpu or len(candidates) <= most:
        return [candidates]
    num_stacks = -(-len(candidates) // most)
    size = -(-len(candidates) // num_stacks)
    return [candidates[start : start + size] for start in range(0, len(candidates), size)]


def train_wave(
    candidates: Sequence[Candidate],
    split: Split,
    choice: Choice,
    *,
    deadline: float,
    progress: Callable[[float], None],
) -> list[Trained]:
    """Train candidates of one structure until each has left, or the epochs or the time are used up.

    Args:
        candidates: At least one; equal rules next to each other.
        split: The data.
        choice: How they are computed.
        deadline: Value of :func:`time.monotonic` after which no step is taken.
        progress: Told the share that is done.

    Returns:
        What became of each candidate, in the order given.

    Raises:
        PlanError: They are of different structures.
    """
    stacks = [Stack(few, split, choice) for few in stacks_of(candidates, split)]
    for stack in stacks:
        stack.begin()
    running, took = stacks, 0.0
    while running:
        start = time.monotonic()
        share = _share_in_time(deadline - start, took) if len(running) > 1 else 1.0
        going = []
        for stack in running:
            if stack.advance(deadline, share=share):
                going.append(stack)
            progress(sum(one.done for one in stacks) / len(stacks))
        running, took = going, time.monotonic() - start
    return [trained for stack in stacks for trained in stack.trained()]


def _share_in_time(left: float, took: float) -> float:
    """The share of an epoch that all stacks have time for, if the epoch takes what the last one took."""
    return 1.0 if left >= took else max(0.0, SURE * left / took)
