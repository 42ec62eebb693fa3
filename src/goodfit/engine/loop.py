"""Train a population: candidates of one structure side by side, structure after structure.

Letters: K candidates, N rows, B rows of a batch, O outputs, P parameters.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.choice import choose
from goodfit.engine.construction import num_parameters
from goodfit.engine.plan import Plan
from goodfit.engine.population import check_population
from goodfit.engine.stack import Stack
from goodfit.engine.workers import Job, Workers
from goodfit.nets.mlp import MLP

Progress = Callable[[float], None]
WORTH_CUTTING = 8
"""Candidates for each process from which a stack is cut; smaller ones cost the same whole or cut."""
LARGE_FLOATS = 300_000
"""Floats of one candidate from which a stack is always cut, if there are hands."""
STACK_FLOATS = 48_000_000
"""Floats that one stack may hold in weights, gradients and rule state; more candidates go in waves."""


def train(
    candidates: Sequence[Candidate],
    split: Split,
    *,
    deadline: float = math.inf,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> tuple[Trained, ...]:
    """Train every candidate and measure it.

    Candidates of one structure (:attr:`Plan.structure`) share a stack; the numbers of each are those it
    would get alone. Stacks too large for memory are cut into waves. Where a stack can be computed in more
    than one way, a few steps of each are measured if there is a deadline, since the clock then decides the
    numbers anyway; without one the choice is the same on every run (:mod:`goodfit.engine.choice`).

    Args:
        candidates: The population, in any order.
        split: Rows to learn from and to watch; the sealed test part stays sealed.
        deadline: Value of :func:`time.monotonic` after which no further step is taken. Stacks share what
            is left by their amount of work.
        progress: Told the share of the work that is done.
        workers: Other processes that train some of the stacks.

    Returns:
        What became of each candidate, in the order given.

    Raises:
        PlanError: Two candidates have the same name, or one has no update rule.
    """
    check_population(candidates)
    waves = _waves(candidates, split, hands=1 if workers is None else 1 + workers.count)
    is_timed = deadline < math.inf
    jobs = []
    for number, wave in enumerate(waves):
        members = [candidates[i] for i in wave]
        jobs.append((number, members, choose(members, split, measure=is_timed)))
    clock = _Clock(
        total=len(candidates), deadline=deadline, hands=1 if workers is None else 1 + workers.count
    )

    def run_here(job: Job) -> list[Trained]:
        _, wave, choice = job
        until, report = clock.start(len(wave), progress)
        return Stack(wave, split, choice).run(deadline=until, progress=report)

    if workers is None or len(jobs) == 1:
        done = {job[0]: run_here(job) for job in jobs}
    else:
        done = workers.share_out(jobs, run_here, deadline)
    found = {i: t for number, wave in enumerate(waves) for i, t in zip(wave, done[number], strict=True)}
    return tuple(found[i] for i in range(len(candidates)))


@dataclasses.dataclass(kw_only=True)
class _Clock:
    """Shares time out among stacks by their size, and tells how far the whole is."""

    total: int
    deadline: float
    hands: int
    begun: int = 0

    def start(self, size: int, progress: Progress | None) -> tuple[float, Progress]:
        """Begin a stack: when it must be over, and whom it tells its progress."""
        now, before = time.monotonic(), self.begun
        ahead = max(size, (self.total - before) / self.hands)
        self.begun += size * self.hands

        def report(fraction: float) -> None:
            if progress is not None:
                progress(min(1.0, (before + fraction * size * self.hands) / self.total))

        return now + (self.deadline - now) * size / ahead, report


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
        Stack(members, split, choose(members, split, measure=True)).pace(seconds=seconds)
        for members in ([candidates[i] for i in wave] for wave in _waves(candidates, split, hands=1))
    )


def fills_the_machine(plan: Plan, split: Split) -> bool:
    """Tell whether one network of a plan keeps the machine as busy as a stack of them.

    Such networks cost as much side by side as one after the other.
    """
    return not isinstance(plan.network, MLP) or _floats(plan, split) >= LARGE_FLOATS


def _floats(plan: Plan, split: Split) -> int:
    """Floats that one candidate holds in weights, gradients and rule state."""
    return 6 * num_parameters(plan, split)


def _waves(candidates: Sequence[Candidate], split: Split, *, hands: int) -> list[list[int]]:
    """Numbers of the candidates of each stack, the largest stack first."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, candidate in enumerate(candidates):
        groups.setdefault(candidate.plan.structure, []).append(i)
    waves = []
    for members in groups.values():
        # equal rules next to each other, so that each rule is one operation over its rows
        members.sort(key=lambda i: (candidates[i].plan.rule.name, i))
        floats = _floats(candidates[members[0]].plan, split)
        size = max(1, STACK_FLOATS // max(1, floats))
        num_waves = -(-len(members) // size)
        # a step of small networks costs about the same whole or cut; one of large networks does not
        fewest = 1 if floats >= LARGE_FLOATS else WORTH_CUTTING
        if num_waves < hands and len(members) >= hands * fewest:
            num_waves = hands
        size = -(-len(members) // num_waves)
        waves += [members[start : start + size] for start in range(0, len(members), size)]
    return sorted(waves, key=len, reverse=True)
