"""A population that memory does not hold goes in waves, and its numbers are those of one stack."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.machine.failures import is_out_of_memory
from goodfit.engine.training import memory, wave
from goodfit.engine.training.loop import train
from goodfit.engine.training.memory import candidate_bytes, free_bytes, most_candidates
from goodfit.engine.training.stack import Stack
from goodfit.errors import BudgetError
from goodfit.nets.mlp import MLP

PLAN = make_plan(epochs=2)
POPULATION = [Candidate(arm="a", seed=seed, plan=PLAN) for seed in range(6)]


def allow(monkeypatch, count):
    """Let memory hold so many candidates of the plan, as it was planned for."""
    needed = count * candidate_bytes(PLAN, make_split()) / memory.WORTH_TAKING
    monkeypatch.setattr(memory, "free_bytes", lambda: needed)


class Tight(Stack):
    """A stack on a machine that holds two candidates."""

    most = 2

    def __init__(self, candidates, split, choice):
        if len(candidates) > self.most:
            torch.empty(2**50)  # more than any machine has: torch's own error
        super().__init__(candidates, split, choice)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.candidate == other.candidate
        np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=1e-9)


@pytest.mark.usefixtures("double")
class TestWaves:
    def test_there_is_one_where_memory_is_free(self):
        assert {t.history.choice.waves for t in train(POPULATION, make_split())} == {1}

    @pytest.mark.parametrize(("count", "waves"), [(4, 2), (2, 3), (1, 6)])
    def test_there_are_as_many_as_memory_needs_and_no_number_changes(self, count, waves, monkeypatch):
        whole = train(POPULATION, make_split())
        allow(monkeypatch, count)
        cut = train(POPULATION, make_split())
        assert {t.history.choice.waves for t in cut} == {waves}
        assert_same(cut, whole)

    def test_one_candidate_is_always_tried(self, monkeypatch):
        monkeypatch.setattr(memory, "free_bytes", lambda: 0.0)
        assert most_candidates(PLAN, make_split(), hands=1) == 1

    def test_every_process_has_its_share(self, monkeypatch):
        allow(monkeypatch, 4)
        assert most_candidates(PLAN, make_split(), hands=2) == 2


@pytest.mark.usefixtures("double")
class TestOutOfMemory:
    def test_the_stack_is_halved_until_it_fits_and_no_number_changes(self, monkeypatch):
        whole, told = train(POPULATION, make_split()), []
        monkeypatch.setattr(wave, "Stack", Tight)
        cut = train(POPULATION, make_split(), progress=told.append)
        assert [t.history.choice.waves for t in cut] == [4, 4, 4, 4, 4, 4]
        assert_same(cut, whole)
        assert told == sorted(told)
        assert told[-1] == 1

    def test_what_does_not_fit_alone_is_named(self, monkeypatch):
        monkeypatch.setattr(wave, "Stack", Tight)
        monkeypatch.setattr(Tight, "most", 0)
        with pytest.raises(BudgetError, match="'a' with seed 0") as raised:
            train(POPULATION, make_split())
        assert "smaller network" in raised.value.fix

    def test_another_error_is_not_taken_for_it(self, monkeypatch):
        def fail(candidates, split, choice):
            raise RuntimeError("the shapes do not fit")

        monkeypatch.setattr(wave, "Stack", fail)
        with pytest.raises(RuntimeError, match="do not fit"):
            train(POPULATION, make_split())

    def test_torchs_own_error_is_known(self):
        with pytest.raises(RuntimeError) as raised:
            torch.empty(2**50)
        assert is_out_of_memory(raised.value)
        assert is_out_of_memory(MemoryError())
        assert not is_out_of_memory(RuntimeError("the shapes do not fit"))


class TestFreeMemory:
    def test_the_tighter_limit_counts(self, monkeypatch, tmp_path):
        (tmp_path / "max").write_text("3000\n")
        (tmp_path / "current").write_text("1000\n")
        monkeypatch.setattr(memory, "_LIMITS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
        assert free_bytes() == 2000

    def test_a_container_without_a_limit_leaves_the_machines(self, monkeypatch, tmp_path):
        (tmp_path / "max").write_text("max\n")
        (tmp_path / "current").write_text("1000\n")
        monkeypatch.setattr(memory, "_LIMITS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
        monkeypatch.setattr(memory, "_of_machine", lambda: 7e9)
        assert free_bytes() == 7e9

    def test_a_machine_that_does_not_tell_has_no_limit(self, monkeypatch):
        monkeypatch.setattr(memory, "_read", lambda path: "")
        assert free_bytes() == math.inf

    def test_a_larger_network_takes_more(self):
        split = make_split()
        small, large = (make_plan(network=MLP(widths=(width,))) for width in (4, 400))
        assert candidate_bytes(large, split) > 4 * 6 * 5 * 400 > candidate_bytes(small, split) / 100
