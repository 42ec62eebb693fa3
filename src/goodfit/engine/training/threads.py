"""How many threads torch should use inside one operation, for this population.

Small products are slower on two threads than on one, and much slower when another process wants the
second core, so the choice is made by measuring where time counts and by size where numbers must repeat.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.machine.products import on_threads
from goodfit.engine.training.loop import fills_threads, measure_pace

WORTH_THREADS = 1.0
"""Gain, over the number of threads, from which they are chosen. Two processes with a stack each gain 1.6 to
1.7 whatever they train; two threads up to 1.8 on long steps, but 1.3 where these are rounded and shorter."""
LOOKS = 2
"""Times each is measured, in turns: other work on the machine must not decide for the whole run."""


@contextlib.contextmanager
def suitable_threads(population: Sequence[Candidate], split: Split, *, measure: bool) -> Iterator[int]:
    """Let torch use the number of threads that suits a population, and restore it afterwards.

    Args:
        population: Candidates of one structure.
        split: The data.
        measure: Take a few steps with one thread and with all, and compare. Otherwise decide by
            the number of operations, which gives the same answer on every run.

    Yields:
        The number of threads.
    """
    most = torch.get_num_threads()
    chosen = most
    if most > 1:
        if measure:
            chosen = _measured(population, split, most)
        else:
            chosen = most if fills_threads(population, split) else 1
    with on_threads(chosen):
        yield chosen


def _measured(population: Sequence[Candidate], split: Split, most: int) -> int:
    seconds: dict[int, list[float]] = {1: [], most: []}
    for count in (1, most) * LOOKS:
        with on_threads(count):
            seconds[count].append(measure_pace(population, split, seconds=0.1))
    return most if min(seconds[most]) * WORTH_THREADS * most < min(seconds[1]) else 1
