"""Threads are taken where they beat what processes would gain, and given back afterwards."""

from __future__ import annotations

import types

import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.engine.candidate import Candidate
from goodfit.engine.training import loop, threads
from goodfit.engine.training.loop import HAND_SHARE, WORTH_CUTTING, fills_threads, measure_pace, train
from goodfit.engine.training.threads import suitable_threads
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP

SMALL = make_plan(epochs=1)
LARGE = make_plan(network=MLP(widths=(2000, 2000)), batch_size=32, epochs=1)


def population_of(plan, count=2):
    return [Candidate(arm="a", seed=seed, plan=plan) for seed in range(count)]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def gain(monkeypatch):
    """Sets how much faster two threads are than one."""

    def set_gain(value):
        def told(population, split, *, seconds):
            return 1.0 / value if torch.get_num_threads() == 2 else 1.0

        monkeypatch.setattr(threads, "measure_pace", told)

    return set_gain


@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        pytest.param(1.8, 1, id="two processes lose less where steps become shorter"),
        pytest.param(2.2, 2, id="more than processes can gain"),
        pytest.param(0.9, 1, id="small products are slower on two threads"),
    ],
)
def test_threads_are_chosen_by_what_else_the_cores_could_do(two_threads, gain, value, chosen):
    gain(value)
    population = population_of(SMALL)
    with suitable_threads(population, make_split(), measure=True) as count:
        assert (count, torch.get_num_threads()) == (chosen, chosen)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("plan", "chosen"), [(SMALL, 1), (LARGE, 2)])
def test_without_a_clock_the_size_of_a_step_decides(two_threads, plan, chosen):
    assert fills_threads(population_of(plan), make_split()) == (chosen == 2)
    with suitable_threads(population_of(plan), make_split(), measure=False) as count:
        assert count == chosen


@pytest.mark.parametrize(("count", "hands", "share"), [(2, 1, 1.0), (2, 2, 2 * HAND_SHARE), (1, 2, 1.0)])
def test_the_pace_counts_the_processes_that_find_work(monkeypatch, count, hands, share):
    monkeypatch.setattr(loop.Stack, "pace", lambda stack, *, seconds: 3.0 * len(stack._members))
    pace = measure_pace(population_of(LARGE, count), make_split(), hands=hands)
    assert pace == pytest.approx(3.0 * count / share)


class Skipping(nn.Module):
    """No chain of layers, so that networks of it are computed in turn."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, inputs), nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.last(x + self.first(x).tanh())


@pytest.mark.parametrize(
    ("plan", "count", "num_stacks"),
    [
        pytest.param(make_plan(network=Given(factory=Skipping)), 2, 2, id="in turn, however few"),
        pytest.param(SMALL, 2, 1, id="few small ones cost the same whole or cut"),
        pytest.param(SMALL, 2 * WORTH_CUTTING, 2, id="many do not"),
        pytest.param(LARGE, 2, 2, id="nor do large ones"),
    ],
)
def test_stacks_are_cut_where_that_makes_them_faster(monkeypatch, plan, count, num_stacks):
    monkeypatch.setattr(loop.Stack, "pace", lambda stack, *, seconds: len(stack._members))
    pace = measure_pace(population_of(plan, count), make_split(), hands=2)
    assert pace == pytest.approx(count if num_stacks == 1 else count / (2 * HAND_SHARE))


@pytest.mark.parametrize(
    ("plan", "count", "deadline", "seen"),
    [
        pytest.param(LARGE, 1, 1e18, 2, id="one long stack takes the core that would idle"),
        pytest.param(LARGE, 1, float("inf"), 1, id="not where numbers must repeat"),
        pytest.param(SMALL, 1, 1e18, 1, id="nor where steps are short"),
    ],
)
def test_a_single_stack_takes_the_cores_of_idle_hands(monkeypatch, plan, count, deadline, seen):
    before, during = torch.get_num_threads(), []
    torch.set_num_threads(1)
    original = loop.Stack.begin

    def begin(stack):
        during.append(torch.get_num_threads())
        original(stack)

    monkeypatch.setattr(loop.Stack, "begin", begin)
    (trained,) = train(
        population_of(plan, count), make_split(), deadline=deadline, workers=types.SimpleNamespace(count=1)
    )
    assert during == [seen]
    assert torch.get_num_threads() == 1
    assert trained.history.choice.threads == seen
    torch.set_num_threads(before)
