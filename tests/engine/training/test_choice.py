"""Which way a stack is computed, and why the others are not."""

from __future__ import annotations

import math

import pytest
import torch
from tests.engine.conftest import make_split
from tests.engine.given_networks import BATCHABLE, NOT_BATCHABLE, Deciding, Recurrent
from tests.engine.ways.test_one_by_one import assert_same, image_split, population_of
from torch import nn

from goodfit.engine.history import Choice
from goodfit.engine.training import choice as choice_module
from goodfit.engine.training.choice import FEWEST, choose, hurried
from goodfit.engine.training.loop import train
from goodfit.engine.training.obstacle import LONGEST, obstacle_to_batching
from goodfit.engine.training.wave import train_wave
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP


def chained(inputs, outputs):
    """A module that is a chain of layers."""
    layers = (nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, outputs))
    return nn.Sequential(*layers)


def mixed(inputs, outputs):
    """Linear layers with two kinds of activation, which are no chain."""
    return nn.Sequential(nn.Linear(inputs, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, outputs))


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Forget what was measured before."""
    monkeypatch.setattr(choice_module, "_measured", {})


def population(factory, num_candidates=FEWEST, **changes):
    return population_of(Given(factory=factory), num_candidates, **changes)


class TestObstacle:
    @pytest.mark.parametrize("factory", BATCHABLE, ids=lambda factory: factory.__name__)
    def test_there_is_none_to_modules_that_torch_can_batch(self, factory):
        assert obstacle_to_batching(population(factory, 2), make_split()) is None

    @pytest.mark.parametrize("factory", NOT_BATCHABLE, ids=lambda factory: factory.__name__)
    def test_it_is_said_in_one_line(self, factory):
        said = obstacle_to_batching(population(factory, 2), make_split())
        assert said
        assert "\n" not in said
        assert len(said) <= LONGEST

    def test_other_numbers_than_alone_are_an_obstacle(self):
        said = obstacle_to_batching(population(NOT_BATCHABLE[-1], 2), make_split())
        assert said == "its gradients or buffers would be others than alone"


class TestWhereNumbersMustRepeat:
    def chosen(self, candidates, split=None):
        found = choose(candidates, split or make_split(), measure=False)
        assert not found.step_us
        return found.way

    def test_the_packages_own_layers_are_stacked_by_hand(self):
        assert self.chosen(population_of(MLP(widths=(4,)))) == "stacked"

    @pytest.mark.parametrize("num_candidates", [1, 3, FEWEST])
    def test_chains_of_the_users_own_are_too(self, num_candidates):
        assert self.chosen(population(chained, num_candidates)) == "stacked"

    def test_many_small_networks_are_batched(self):
        assert self.chosen(population(mixed)) == "batched"

    def test_few_or_large_networks_or_convolutions_are_not(self):
        assert self.chosen(population(mixed, FEWEST - 1)) == "one by one"
        assert self.chosen(population(mixed, batch_size=10_000)) == "one by one"
        assert (
            self.chosen(population_of(CNN(channels=(2,), widths=()), FEWEST), image_split()) == "one by one"
        )
        assert self.chosen(population(Recurrent)) == "one by one"

    def test_what_cannot_be_batched_says_why(self):
        found = choose(population(Deciding), make_split(), measure=False)
        assert found.way == "one by one"
        assert found.reason.startswith("it cannot be batched: vmap")


class TestWhereTimeCounts:
    def test_the_faster_way_is_taken_and_both_figures_are_kept(self):
        found = choose(population(mixed, 8, epochs=70), make_split(), measure=True)
        figures = dict(found.step_us)
        assert figures.keys() == {"batched", "one by one"}
        assert figures[found.way] == min(figures.values())
        assert found.reason == "it was faster when measured"

    @pytest.mark.parametrize("slow", ["batched", "one by one"])
    def test_a_slow_way_is_not_taken(self, slow, monkeypatch):
        def measured(candidates, split):
            return {way: 2.0 if way == slow else 1.0 for way in ("batched", "one by one")}

        monkeypatch.setattr(choice_module, "_measure", measured)
        assert choose(population(mixed, 8, epochs=70), make_split(), measure=True).way != slow

    def test_a_structure_is_measured_once(self, monkeypatch):
        split, first = make_split(), choose(population(mixed, 8, epochs=70), make_split(), measure=True)
        monkeypatch.setattr(choice_module, "_measure", None)
        assert choose(population(mixed, 9, epochs=80), split, measure=True) is first

    def test_a_short_training_is_not_worth_measuring(self):
        assert not choose(population(mixed, 8), make_split(), measure=True).step_us

    def test_what_cannot_be_batched_is_not_measured(self):
        found = choose(population(Deciding, 8, epochs=70), make_split(), measure=True)
        assert found.way == "one by one"
        assert not found.step_us


class TestWhereTimeIsShort:
    def chosen(self, factory, count=3):
        with hurried():
            return choose(population(factory, count, epochs=70), make_split(), measure=True)

    def test_a_chain_of_layers_is_stacked_by_hand(self):
        assert self.chosen(chained).way == "stacked"
        assert self.chosen(chained, 1).way == "stacked"

    def test_for_the_others_size_decides_and_nothing_is_measured(self, monkeypatch):
        monkeypatch.setattr(choice_module, "_measure", None)
        assert self.chosen(Recurrent).way == "one by one"
        assert self.chosen(Deciding, 1).reason == "there is one network"

    @pytest.mark.usefixtures("double")
    def test_a_chain_trains_to_the_same_numbers_as_one_by_one(self):
        split, members = make_split(), population(chained, 3)
        alone = train_wave(
            members,
            split,
            Choice(way="one by one", reason="it is compared with"),
            deadline=math.inf,
            progress=lambda share: None,
        )
        stacked = train(members, split)
        assert {trained.history.choice.way for trained in stacked} == {"stacked"}
        for one, other in zip(alone, stacked, strict=True):
            assert one.weights.keys() == other.weights.keys()
            for name, weight in one.weights.items():
                torch.testing.assert_close(other.weights[name], weight, rtol=1e-9, atol=1e-12)
            assert other.history.train_loss == pytest.approx(one.history.train_loss, rel=1e-9)


class TestHistory:
    def test_it_keeps_the_choice(self):
        trained = train(population(mixed, FEWEST), make_split())
        assert {t.history.choice.way for t in trained} == {"batched"}

    def test_a_deadline_is_leave_to_measure(self):
        split = make_split()
        with_deadline = train(population(mixed, 4, epochs=70), split, deadline=math.inf)
        assert not with_deadline[0].history.choice.step_us
        with_deadline = train(population(mixed, 4, epochs=70), split, deadline=1e12)
        assert with_deadline[0].history.choice.step_us

    def test_a_module_that_cannot_be_batched_trains_all_the_same(self):
        members = population(Deciding, FEWEST)
        for trained in train(members, make_split()):
            assert trained.history.choice.way == "one by one"
            assert trained.history.ending == "finished"


@pytest.mark.usefixtures("double")
def test_the_loop_trains_the_same_networks_whatever_is_chosen(monkeypatch):
    split, members = make_split(), population(mixed, FEWEST, dropout=0.3)
    batched = train(members, split)
    monkeypatch.setattr(choice_module, "_by_size", lambda *_: Choice(way="one by one", reason="test"))
    for one, other in zip(batched, train(members, split), strict=True):
        assert_same(one, other)


def test_a_plan_of_one_network_is_trained_alone():
    found = choose(population(mixed, 1), make_split(), measure=True)
    assert found == Choice(way="one by one", reason="there is one network")
