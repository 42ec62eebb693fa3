"""Which way a stack is computed: by hand, batched by ``torch.func``, or one network after the other.

Batching saves calls and costs copies: small networks gain from it, convolutions and large layers lose. Where
time counts, real steps of each way are measured; where numbers must repeat, size decides, as in
:mod:`goodfit.engine.training.threads`.

Letters: K candidates, B rows of a batch, P parameters.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Hashable, Iterator, Sequence
from contextvars import ContextVar

import torch
from torch import nn

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice, Way
from goodfit.engine.machine.device import placement
from goodfit.engine.training.obstacle import obstacle_to_batching
from goodfit.engine.training.stack import Stack
from goodfit.engine.ways.construction import build_module, chain_in, num_parameters, sizes_of
from goodfit.nets.mlp import MLP

FEWEST = 16
"""Candidates from which batching pays for small networks."""
SMALL_STEP = 500_000
"""Parameters of a candidate times rows of a step up to which it pays, on the machines we measured."""
FILLS_THE_MACHINE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase)
"""Layers that ``torch.func`` batches by slower operations, or not at all."""
WORTH_MEASURING = 200
"""Steps of a training from which a few may be spent on measuring."""
MEASURED_SECONDS = 0.3
MEASURED_SHARE = 0.01
"""Share of a training that its measured steps may take, beyond the fewest."""
MEASURED_STEPS = (3, 20)
MOST_MEASURED: dict[Way, int] = {"batched": 8, "one by one": 2}
"""Candidates that are measured: own networks are dear to build, and alone each costs the same."""

_measured: dict[Hashable, Choice] = {}
_is_hurried: ContextVar[bool] = ContextVar("is_hurried", default=False)


@contextlib.contextmanager
def hurried(is_hurried: bool = True) -> Iterator[None]:
    """Choose by size for a while, also where time counts: there is too little of it to measure."""
    token = _is_hurried.set(is_hurried)
    try:
        yield
    finally:
        _is_hurried.reset(token)


def choose(candidates: Sequence[Candidate], split: Split, *, measure: bool) -> Choice:
    """Choose how a stack is computed.

    Args:
        candidates: The stack.
        split: The data.
        measure: Take a few steps of each way, and compare. Otherwise size decides, which gives the same
            answer on every run.

    Returns:
        The choice. What was measured is remembered, and serves up to twice as many candidates.
    """
    plan = candidates[0].plan
    if isinstance(plan.network, MLP):
        return Choice(way="stacked", reason="its layers are batched by hand")
    # what a loss of the user's own does cannot be recorded on a GPU
    if not (plan.loss.is_own and placement().is_gpu) and chain_in(candidates[0], split) is not None:
        return Choice(way="stacked", reason="it is a chain of layers, which are batched by hand")
    if len(candidates) == 1:
        return Choice(way="one by one", reason="there is one network")
    if not measure or _is_hurried.get() or _num_steps(candidates, split) < WORTH_MEASURING:
        return _by_size(candidates, split)
    size = (len(candidates).bit_length(), plan.batch_size, torch.get_num_threads(), placement().device)
    key = (plan.network, plan.loss, sizes_of(plan, split), *size)
    if key not in _measured:
        _measured[key] = _by_time(candidates, split)
    return _measured[key]


def _by_size(candidates: Sequence[Candidate], split: Split) -> Choice:
    plan = candidates[0].plan
    step = num_parameters(plan, split) * plan.batch_size
    if placement().is_gpu:
        obstacle = obstacle_to_batching(candidates, split)
        return _alone(obstacle) if obstacle else Choice(way="batched", reason="a GPU does much at once")
    if len(candidates) < FEWEST or step > SMALL_STEP:
        return Choice(way="one by one", reason="batching pays for many small networks only")
    if any(isinstance(part, FILLS_THE_MACHINE) for part in build_module(candidates[0], split).modules()):
        return Choice(way="one by one", reason="convolutions and recurrent layers are faster alone")
    obstacle = obstacle_to_batching(candidates, split)
    return _alone(obstacle) if obstacle else Choice(way="batched", reason="its networks are many and small")


def _by_time(candidates: Sequence[Candidate], split: Split) -> Choice:
    obstacle = obstacle_to_batching(candidates, split)
    if obstacle:
        return _alone(obstacle)
    seconds = _measure(candidates, split)
    fastest = min(seconds, key=lambda way: seconds[way])
    step_us = tuple((way, round(1e6 * taken, 1)) for way, taken in seconds.items())
    return Choice(way=fastest, reason="it was faster when measured", step_us=step_us)


def _alone(obstacle: str) -> Choice:
    return Choice(way="one by one", reason=f"it cannot be batched: {obstacle}")


def _measure(candidates: Sequence[Candidate], split: Split) -> dict[Way, float]:
    """Time one network's least disturbed step each way, in turn: a neighbour on the machine meets both."""
    few = {way: candidates[:most] for way, most in MOST_MEASURED.items()}
    stacks = {way: Stack(chosen, split, Choice(way=way, reason="")) for way, chosen in few.items()}

    def steps() -> dict[Way, float]:
        return {way: stack.rehearse() / len(few[way]) for way, stack in stacks.items()}

    first = steps()  # it loads what the others find
    training = _num_steps(candidates, split) * len(candidates) * min(first.values())
    until = time.monotonic() + min(MEASURED_SECONDS, MEASURED_SHARE * training)
    taken: list[dict[Way, float]] = []
    fewest, most = MEASURED_STEPS
    while len(taken) < fewest or (len(taken) < most and time.monotonic() < until):
        taken.append(steps())
    return {way: min(times[way] for times in taken) for way in few}


def _num_steps(candidates: Sequence[Candidate], split: Split) -> int:
    plan = candidates[0].plan
    return max(1, len(split.rows("train", plan.inputs)) // plan.batch_size) * plan.epochs
