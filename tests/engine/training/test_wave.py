"""Candidates that the cache does not hold at once go in several stacks, epoch by epoch."""

from __future__ import annotations

import collections
import dataclasses
import time

import numpy as np
import pytest
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice
from goodfit.engine.machine.device import Placement, placed
from goodfit.engine.training import wave
from goodfit.engine.training.loop import train
from goodfit.engine.training.memory import candidate_floats
from goodfit.engine.training.steps import Steps
from goodfit.engine.training.wave import stacks_of, train_wave
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

PLAN = make_plan(network=MLP(widths=(6,), normalisation="batch"), epochs=4)
CHOICE = Choice(way="stacked", reason="test")


def population(count, **changes):
    plan = dataclasses.replace(PLAN, **changes)
    return [Candidate(arm="a", seed=seed, plan=plan) for seed in range(count)]


def hold(monkeypatch, count):
    """Let the cache hold so many candidates of the plan."""
    monkeypatch.setattr(wave, "NEAR_FLOATS", count * candidate_floats(PLAN, make_split()))


@pytest.mark.parametrize(("count", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [3, 2]), (5, [5]), (99, [5])])
def test_stacks_are_of_about_one_size_and_in_order(monkeypatch, count, sizes):
    hold(monkeypatch, count)
    several = population(5)
    stacks = stacks_of(several, make_split())
    assert [len(stack) for stack in stacks] == sizes
    assert [candidate for stack in stacks for candidate in stack] == several


def test_what_the_cache_never_holds_goes_one_by_one(monkeypatch):
    monkeypatch.setattr(wave, "NEAR_FLOATS", 1)
    assert [len(stack) for stack in stacks_of(population(3), make_split())] == [1, 1, 1]


def test_on_a_gpu_there_is_one_stack(monkeypatch):
    hold(monkeypatch, 1)
    with placed(Placement(device="cuda:0")):
        assert len(stacks_of(population(5), make_split())) == 1


@pytest.mark.usefixtures("double")
def test_no_number_depends_on_how_they_are_cut(monkeypatch):
    hasty, wild = (rule_named("gradient-descent", lr=lr) for lr in (3.0, 1e200))
    several = [
        *population(3),
        *(dataclasses.replace(one, arm="b") for one in population(2, rule=hasty, patience=1)),
        *(dataclasses.replace(one, arm="c") for one in population(1, rule=wild)),
    ]
    whole, told = train(several, make_split()), []
    hold(monkeypatch, 2)
    cut = train(several, make_split(), progress=told.append)
    assert [one.candidate for one in cut] == several
    for one, other in zip(cut, whole, strict=True):
        np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=1e-9)
        for name in ("epochs", "ending", "best_epoch"):
            assert getattr(one.history, name) == getattr(other.history, name)
    assert {one.history.ending for one in cut} == {"finished", "stopped early", "diverged"}
    assert told == sorted(told)
    assert told[-1] == 1


def test_when_time_runs_out_all_are_as_far(monkeypatch):
    hold(monkeypatch, 1)
    several = population(4, epochs=100_000)
    until = time.monotonic() + 0.2
    trained = train_wave(several, make_split(), CHOICE, deadline=until, progress=lambda share: None)
    epochs = [one.history.epochs[-1] for one in trained]
    assert min(epochs) > 1
    assert max(epochs) - min(epochs) <= 1
    assert {one.history.ending for one in trained} == {"out of time"}
    assert time.monotonic() < until + 5


def test_an_epoch_that_there_is_no_time_for_is_cut_for_all_alike(monkeypatch):
    hold(monkeypatch, 1)
    now, original, taken = [0.0], Steps.take, []

    def take(steps, step):
        now[0] += 1
        taken.append(steps)
        original(steps, step)

    several = population(3, batch_size=len(make_split().rows("train").y_N) // 4)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Steps, "take", take)
    # two epochs of three stacks with four steps, and half of a third one
    trained = train_wave(several, make_split(), CHOICE, deadline=30, progress=lambda share: None)
    assert list(collections.Counter(taken).values()) == [9, 9, 9]
    assert {(one.history.epochs[-1], one.history.ending) for one in trained} == {(3, "out of time")}
