"""On which device a run should be computed, for this population.

A GPU pays as soon as there is enough to do at once, which a small network on few seeds is not. Where time
counts both are measured; where numbers must repeat, a GPU that is there is taken.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.machine.device import Placement, describe, device_named, placed
from goodfit.engine.machine.failures import is_out_of_memory
from goodfit.engine.training.loop import measure_pace
from goodfit.nets.mlp import MLP

ARMS_OF_A_TRIAL = 8
"""Arms beside each other in a usual trial: it is their time that counts, not that of one arm."""
PACE_SECONDS = 0.15


@contextlib.contextmanager
def suitable_device(
    population: Sequence[Candidate], split: Split, *, asked: str, measure: bool
) -> Iterator[Placement]:
    """Compute populations on the device that suits one, and on the processor again afterwards.

    Args:
        population: Candidates of one structure.
        split: The data.
        asked: ``"auto"``, ``"cpu"`` or ``"cuda"``, as in :func:`goodfit.engine.machine.device.device_named`.
        measure: With ``"auto"``, take a few steps on both devices, and compare.

    Yields:
        The device, and why.

    Raises:
        DeviceError: The device asked for is not there.
    """
    chosen = _choose(population, split, device_named(asked), measure=measure and asked == "auto")
    with placed(chosen):
        yield chosen


def _choose(population: Sequence[Candidate], split: Split, device: str, *, measure: bool) -> Placement:
    there = Placement(device=device)
    if not there.is_gpu:
        return there
    name = describe(device)
    if not measure and isinstance(population[0].plan.network, MLP):
        return Placement(device=device, reason=f"torch finds {name}")
    trial = _like_a_trial(population) if measure else population[:2]
    try:
        seconds = {device: _pace(trial, split, there)}
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # whatever a network of the user's own keeps on the processor, the processor can do it
        return Placement(reason=f"the network does not run on {name}: {str(error).splitlines()[0]}")
    if not measure:
        return Placement(device=device, reason=f"the network runs on {name}")
    # processes on other cores would share the stacks out
    seconds["cpu"] = _pace(trial, split, Placement()) / (os.cpu_count() or 1)
    fastest = min(seconds, key=lambda tried: seconds[tried])
    epoch_s = tuple((tried, round(taken, 6)) for tried, taken in seconds.items())
    return Placement(device=fastest, reason="it was faster when measured", epoch_s=epoch_s)


def _like_a_trial(population: Sequence[Candidate]) -> list[Candidate]:
    return [
        Candidate(arm=str(arm), seed=candidate.seed, plan=candidate.plan)
        for arm in range(ARMS_OF_A_TRIAL)
        for candidate in population
    ]


def _pace(trial: Sequence[Candidate], split: Split, where: Placement) -> float:
    with placed(where):
        return measure_pace(trial, split, seconds=PACE_SECONDS)
