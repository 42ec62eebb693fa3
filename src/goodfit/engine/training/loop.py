"""Train a population: candidates of one structure side by side, structure after structure.

Letters: K candidates, N rows, B rows of a batch, O outputs, P parameters.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import torch

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.history import Choice
from goodfit.engine.machine.device import describe, placement, times_at_once
from goodfit.engine.machine.failures import is_out_of_memory
from goodfit.engine.machine.products import on_threads
from goodfit.engine.plan import Plan
from goodfit.engine.population import check_population, name_of
from goodfit.engine.training.choice import choose
from goodfit.engine.training.memory import candidate_floats, give_back, most_candidates
from goodfit.engine.training.stack import Stack
from goodfit.engine.training.wave import stacks_of, train_wave
from goodfit.engine.training.workers import Job, Workers
from goodfit.engine.ways.construction import chain_in, num_parameters
from goodfit.errors import BudgetError
from goodfit.nets.mlp import MLP

Progress = Callable[[float], None]
WORTH_CUTTING = 8
"""Candidates for each process from which a stack is cut; smaller ones cost the same whole or cut."""
LARGE_FLOATS = 300_000
"""Floats of one candidate from which a stack is always cut, if there are hands."""
HAND_SHARE = 0.8
"""What one of several processes gets done, over what it would alone; measured 0.80 to 0.86 of two."""
WORTH_SHARING = 3e8
"""Operations of one step of a stack from which several threads pay, on the machines we measured."""


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
    would get alone. Stacks too large for the memory that is free are cut into waves, and halved where memory
    runs out all the same; the history says so. Where a stack can be computed in more
    than one way, a few steps of each are measured if there is a deadline, since the clock then decides the
    numbers anyway; without one the choice is the same on every run (:mod:`goodfit.engine.training.choice`).

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
        BudgetError: Memory does not hold a single candidate.
    """
    check_population(candidates)
    hands = 1 if workers is None else 1 + workers.count
    waves, where = _waves(candidates, split, hands=hands), placement()
    is_timed = deadline < math.inf
    # the cores of hands that find no work go to the only stack there is
    is_alone = len(waves) == 1 < hands and is_timed
    threads = hands if is_alone and fills_threads(candidates, split) else torch.get_num_threads()
    jobs = []
    for number, wave in enumerate(waves):
        members = [candidates[i] for i in wave.places]
        choice = choose(stacks_of(members, split)[0], split, measure=is_timed)
        choice = dataclasses.replace(
            choice,
            waves=wave.of,
            threads=threads,
            processes=min(hands, len(waves)),
            device=describe(where.device),
            epoch_s=where.epoch_s,
        )
        jobs.append((number, members, choice))
    clock = _Clock(total=len(candidates), deadline=deadline, hands=hands)

    def run_here(job: Job) -> list[Trained]:
        _, wave, choice = job
        until, report = clock.start(len(wave), progress)
        return _run(wave, split, choice, deadline=until, progress=report)

    with on_threads(threads):
        if workers is None or len(jobs) == 1:
            done = {job[0]: run_here(job) for job in jobs}
        else:
            done = workers.share_out(jobs, run_here, deadline)
    found: dict[int, Trained] = {}
    for number, wave in enumerate(waves):
        found |= zip(wave.places, done[number], strict=True)
    return tuple(found[i] for i in range(len(candidates)))


def _run(
    wave: Sequence[Candidate], split: Split, choice: Choice, *, deadline: float, progress: Progress
) -> list[Trained]:
    """Train one wave; where memory runs out, one half of it after the other."""
    try:
        return train_wave(wave, split, choice, deadline=deadline, progress=progress)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if len(wave) == 1:
            raise BudgetError(
                f"memory does not hold {name_of(wave[0])}: {error}",
                fix="give a smaller network or batch size, or end what else takes memory"
                + (', or give the device "cpu"' if placement().is_gpu else ""),
            ) from error
    # here the error is forgotten, and with it the stack that did not fit
    give_back()
    half, choice = len(wave) // 2, dataclasses.replace(choice, waves=2 * choice.waves)
    middle = time.monotonic() + (deadline - time.monotonic()) / 2
    first = _run(wave[:half], split, choice, deadline=middle, progress=lambda share: progress(share / 2))
    return first + _run(
        wave[half:], split, choice, deadline=deadline, progress=lambda share: progress((1 + share) / 2)
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Wave:
    """Candidates that train at once, by their places, and into how many waves memory cut their structure."""

    places: list[int]
    of: int


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


def measure_pace(
    candidates: Sequence[Candidate], split: Split, *, seconds: float = 0.25, hands: int = 1
) -> float:
    """Measure what one epoch of a population costs, by taking a few real steps of each of its stacks.

    Args:
        candidates: The population.
        split: The data.
        seconds: About how long to measure each stack.
        hands: Processes that will train the stacks.

    Returns:
        Seconds of one epoch of the whole population, evaluation included.
    """
    at_once = min(hands, len(_waves(candidates, split, hands=hands)))
    alone = 0.0
    for wave in _waves(candidates, split, hands=1):
        few = stacks_of([candidates[i] for i in wave.places], split)[0]
        pace = Stack(few, split, choose(few, split, measure=True)).pace(seconds=seconds)
        alone += pace * len(wave.places) / len(few)
    return alone if at_once == 1 else alone / (HAND_SHARE * at_once)


def fills_the_machine(plan: Plan, split: Split) -> bool:
    """Tell whether one network of a plan keeps the machine as busy as a stack of them.

    Such networks cost as much side by side as one after the other.
    """
    if not isinstance(plan.network, MLP) and chain_in(Candidate(arm="", seed=0, plan=plan), split) is None:
        return True
    at_once = times_at_once(torch.device(placement().device))
    return candidate_floats(plan, split) >= LARGE_FLOATS * at_once


def fills_threads(population: Sequence[Candidate], split: Split) -> bool:
    """Tell by its operations whether one step of a stack is long enough for several threads."""
    plan, num_together = population[0].plan, len(stacks_of(population, split)[0])
    operations = 6 * num_together * plan.batch_size * num_parameters(plan, split)
    return operations >= WORTH_SHARING


def _waves(candidates: Sequence[Candidate], split: Split, *, hands: int) -> list[_Wave]:
    """Cut the candidates into stacks, the largest first."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, candidate in enumerate(candidates):
        groups.setdefault(candidate.plan.structure, []).append(i)
    waves = []
    for members in groups.values():
        # equal rules next to each other, so that each rule is one operation over its rows
        members.sort(key=lambda i: (candidates[i].plan.rule.name, i))
        plan = candidates[members[0]].plan
        by_memory = num_waves = -(-len(members) // most_candidates(plan, split, hands=hands))
        # a step of a small stack costs about the same whole or cut; one of networks in turn does not
        fewest = 1 if fills_the_machine(plan, split) else WORTH_CUTTING
        if num_waves < hands and len(members) >= hands * fewest:
            num_waves = hands
        size = -(-len(members) // num_waves)
        cuts = [members[start : start + size] for start in range(0, len(members), size)]
        waves += [_Wave(places=places, of=by_memory) for places in cuts]
    return sorted(waves, key=lambda wave: len(wave.places), reverse=True)
