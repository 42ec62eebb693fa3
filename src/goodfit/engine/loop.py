"""Train a population: candidates of one structure side by side, structure after structure.

Letters: K candidates, N rows, B rows of a batch, O outputs, P parameters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.construction import num_parameters
from goodfit.engine.stack import Stack

Progress = Callable[[float], None]
STACK_FLOATS = 48_000_000
"""Floats that one stack may hold in weights, gradients and rule state; more candidates go in waves."""


def train(
    candidates: Sequence[Candidate],
    split: Split,
    *,
    deadline: float = math.inf,
    progress: Progress | None = None,
) -> tuple[Trained, ...]:
    """Train every candidate and measure it.

    Candidates of one structure (:attr:`Plan.structure`) share a stack; the numbers of each are those it would get
    alone. Stacks too large for memory are cut into waves.

    Args:
        candidates: The population, in any order.
        split: Rows to learn from and to watch; the sealed test part stays sealed.
        deadline: Value of :func:`time.monotonic` after which no further step is taken. Stacks share what is left by
            their amount of work.
        progress: Told the share of the work that is done.

    Returns:
        What became of each candidate, in the order given.
    """
    waves = _waves(candidates, split)
    work = [_work(wave, split) for wave in waves]
    done: dict[int, Trained] = {}
    for place, wave in enumerate(waves):
        before, ahead = sum(work[:place]), sum(work[place:])
        now = time.monotonic()
        until = now + (deadline - now) * work[place] / ahead
        stack = Stack([candidates[i] for i in wave], split)
        report = _scaled(progress, before / sum(work), work[place] / sum(work))
        done.update(zip(wave, stack.run(deadline=until, progress=report), strict=True))
    return tuple(done[i] for i in range(len(candidates)))


def measure_pace(candidates: Sequence[Candidate], split: Split, *, seconds: float = 0.25) -> float:
    """Measure what one epoch of a population costs, by taking a few real steps of each of its stacks.

    Args:
        candidates: The population.
        split: The data.
        seconds: About how long to measure each stack.

    Returns:
        Seconds of one epoch of the whole population, evaluation included.
    """
    return sum(
        Stack([candidates[i] for i in wave], split).pace(seconds=seconds)
        for wave in _waves(candidates, split)
    )


def _waves(candidates: Sequence[Candidate], split: Split) -> list[list[int]]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, candidate in enumerate(candidates):
        groups.setdefault(candidate.plan.structure, []).append(i)
    waves = []
    for members in groups.values():
        # equal rules next to each other, so that each rule is one operation over its rows
        members.sort(key=lambda i: (candidates[i].plan.rule.name, i))
        floats = 6 * num_parameters(candidates[members[0]].plan, split)
        size = max(1, STACK_FLOATS // max(1, floats))
        num_waves = -(-len(members) // size)
        size = -(-len(members) // num_waves)
        waves += [members[start : start + size] for start in range(0, len(members), size)]
    return waves


def _work(wave: Sequence[int], split: Split) -> float:
    return float(len(wave))


def _scaled(progress: Progress | None, start: float, share: float) -> Progress:
    def report(fraction: float) -> None:
        if progress is not None:
            progress(start + share * fraction)

    return report


@torch.no_grad()
def num_threads() -> int:
    """Threads that torch uses inside one operation."""
    return torch.get_num_threads()
