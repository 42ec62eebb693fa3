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
from goodfit.engine.construction import num_parameters
from goodfit.engine.loop import measure_pace

WORTH_THREADS = 0.9
"""Gain, over the number of threads, from which they are chosen: processes with a stack each gain about as
much, and lose less where steps are rounded and so shorter."""
LOOKS = 2
"""Times each is measured, in turns: other work on the machine must not decide for the whole run."""
WORTH_SHARING = 3e8
"""Operations of one step of a stack from which several threads pay, on the machines we measured."""


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
        chosen = _measured(population, split, most) if measure else _by_size(population, split, most)
    torch.set_num_threads(chosen)
    try:
        yield chosen
    finally:
        torch.set_num_threads(most)


def _measured(population: Sequence[Candidate], split: Split, most: int) -> int:
    seconds: dict[int, list[float]] = {1: [], most: []}
    for count in (1, most) * LOOKS:
        torch.set_num_threads(count)
        seconds[count].append(measure_pace(population, split, seconds=0.1))
    return most if min(seconds[most]) * WORTH_THREADS * most < min(seconds[1]) else 1


def _by_size(population: Sequence[Candidate], split: Split, most: int) -> int:
    plan = population[0].plan
    operations = 6 * len(population) * plan.batch_size * num_parameters(plan, split)
    return most if operations >= WORTH_SHARING else 1
