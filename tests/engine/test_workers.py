"""Stacks that other processes train are those that this one would train."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from tests.engine.conftest import make_plan, make_split

from goodfit.data.synthetic import digits_split
from goodfit.engine.candidate import Candidate
from goodfit.engine.choice import FEWEST
from goodfit.engine.loop import train
from goodfit.engine.workers import hired
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP

NETWORKS = (MLP(widths=(4,)), Given(factory="torch.nn:Linear"))


@pytest.mark.long
def test_the_way_of_a_stack_goes_with_it():
    split = make_split()
    population = [
        Candidate(arm=network.describe(), seed=seed, plan=make_plan(network=network))
        for network in NETWORKS
        for seed in range(2 * FEWEST)
    ]
    here = train(population, split)
    with hired(split, count=1) as workers:
        workers._ready.result()
        shared = train(population, split, workers=workers)
    assert {t.history.choice.way for t in here} == {"stacked", "batched"}
    for one, other in zip(here, shared, strict=True):
        assert one.candidate == other.candidate
        assert replace(one.history.choice, processes=2) == other.history.choice
        np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=1e-4, atol=1e-6)


KEEP = "vars(__import__('builtins')).__setitem__('kept', b'x' * 400_000_000)"
FORGET = "vars(__import__('builtins')).pop('kept')"
PID = "__import__('os').getpid()"


def test_a_process_that_grows_is_not_taken_for_leaking():
    with hired(digits_split(0), count=1) as workers:
        first = workers._ready.result()
        workers._executor.submit(eval, KEEP).result()
        time.sleep(1.2)  # loky looks at most once a second
        workers._executor.submit(eval, PID).result()
        assert workers._executor.submit(eval, PID).result() == first
        workers._executor.submit(eval, FORGET).result()


START = """
import os, sys, time
from goodfit.data.synthetic import digits_split
from goodfit.engine.workers import hired
with hired(digits_split(0), count=1) as workers:
    print(workers._ready.result(), flush=True)
    time.sleep(600)
"""


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="processes are killed by signals")
def test_another_process_ends_soon_after_the_one_that_started_it_was_killed():
    with subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    for _ in range(300):
        if not _is_alive(child):
            return
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it is still there a minute later")


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
