"""Stacks that other processes train are those that this one would train."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import OF_THIS_PROCESS, Marked

from goodfit.data.synthetic import digits_split
from goodfit.engine.candidate import Candidate
from goodfit.engine.training import workers as workers_module
from goodfit.engine.training.choice import FEWEST
from goodfit.engine.training.loop import train
from goodfit.engine.training.workers import Workers, hired
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


@pytest.mark.long
def test_a_process_that_would_train_another_network_trains_none(monkeypatch):
    split, plan = make_split(), make_plan(network=Given(factory=Marked))
    population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(4)]
    with hired(split, count=1) as workers:
        workers._ready.result()
        sent = []
        monkeypatch.setattr(
            workers, "share", lambda inputs: sent.append(inputs) or Workers.share(workers, inputs)
        )
        trained = train(population, split, workers=workers)
    assert sent == ["scaled"]
    assert {float(each.weights["drawn"]) for each in trained} == {OF_THIS_PROCESS}


@pytest.mark.parametrize("large", [0, 1e9])
def test_rows_lie_in_one_file_for_all_and_stay_when_it_is_removed(large, monkeypatch):
    monkeypatch.setattr(workers_module, "LARGE_BYTES", large)
    split = digits_split(0)
    before = split.rows("train"), split.rows("validation")
    with hired(split, count=1) as workers:
        assert (split.rows("train") is before[0]) == (large > 0)  # large rows go there at once
        path = workers.share("scaled")
        assert workers.share("scaled") == path
        if os.path.exists("/proc/self/maps"):
            assert path in Path("/proc/self/maps").read_text()
    assert not os.path.exists(path)
    for old, new in zip(before, (split.rows("train"), split.rows("validation")), strict=True):
        assert new is not old
        assert torch.equal(new.x, old.x)
        assert torch.equal(new.y_N, old.y_N)


def test_a_full_disk_leaves_the_rows_where_they_are(monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(workers_module, "LARGE_BYTES", 0)
    monkeypatch.setattr(torch, "save", fail)
    split = digits_split(0)
    before = split.rows("train")
    with hired(split, count=1):
        assert split.rows("train") is before


def test_a_process_that_trains_stacks_loads_neither_pandas_nor_scikit_learn():
    code = (
        "import sys, goodfit.engine.training.workers; "
        "print(*{'pandas', 'pyarrow', 'scipy', 'sklearn', 'skops'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not done.stdout.strip()


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
from goodfit.engine.training.workers import Workers, hired
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
