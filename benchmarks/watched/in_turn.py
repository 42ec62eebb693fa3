"""One of the scripts, watched and left alone in turn: python in_turn.py SCRIPT.py STEPS.

Short stretches of one training change hands, so that whatever else the machine does slows down both. Printed
are the CPU seconds of each pair of stretches, as JSON: watched, alone. The first looks, closer than all later
ones, are over before the first of them.
"""

import itertools
import json
import random
import runpy
import sys
import time
from collections.abc import Iterator

import loop
from torch import Tensor, nn

import goodfit.watch

FIRST_STEPS = 16
STRETCH_SECONDS = 0.2


def train_in_turn(network: nn.Module, x: Tensor, y: Tensor, *, num_steps: int, batch: int) -> None:
    """Train as the loop does, every stretch watched or not."""
    steps = loop.steps(network, x, y, num_steps=num_steps, batch=batch)
    pairs, order = [], random.Random(0)
    with goodfit.watch(quiet=True) as session:
        seconds_of(steps, FIRST_STEPS)
        with session.paused():
            length = max(1, round(FIRST_STEPS * STRETCH_SECONDS / seconds_of(steps, FIRST_STEPS)))
        for _ in range((num_steps - 2 * FIRST_STEPS) // (2 * length)):
            pair = {}
            for is_watched in order.sample((True, False), 2):
                if is_watched:
                    pair["watched"] = seconds_of(steps, length)
                else:
                    with session.paused():
                        pair["alone"] = seconds_of(steps, length)
            pairs.append((pair["watched"], pair["alone"]))
    print(json.dumps({"steps": length, "pairs": pairs, "told": session.overhead}))


def seconds_of(steps: Iterator[int], count: int) -> float:
    """Take some steps; returns their CPU seconds."""
    started = time.process_time()
    for _ in itertools.islice(steps, count):
        pass
    return time.process_time() - started


loop.train = train_in_turn
script, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_path(script, run_name="__main__")
