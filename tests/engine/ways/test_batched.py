"""A batched population is its members one by one, whatever module the user brings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import (
    BATCHABLE,
    Attentive,
    Noisy,
    Tied,
    convolving,
    normalised,
    plain,
    rectified,
)
from tests.engine.training.test_stack import plans
from tests.engine.ways.test_one_by_one import assert_same, image_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice
from goodfit.engine.training.wave import train_wave
from goodfit.engine.ways.construction import build_module
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.rules.base import rule_named

pytestmark = pytest.mark.usefixtures("double")


def trained(population, split, way):
    """Train in one stack; equal rules next to each other, as the loop puts them."""
    population = sorted(population, key=lambda candidate: candidate.plan.rule.name)
    choice = Choice(way=way, reason="test")
    found = train_wave(population, split, choice, deadline=math.inf, progress=lambda share: None)
    return {(t.candidate.arm, t.candidate.seed): t for t in found}


def assert_is_its_members(population, split, *, rtol=1e-9):
    together = trained(population, split, "batched")
    for candidate in population:
        key = (candidate.arm, candidate.seed)
        assert_same(together[key], trained([candidate], split, "one by one")[key], rtol=rtol)


class TestStack:
    @settings(max_examples=15, deadline=None)
    @given(chosen=st.lists(plans, min_size=2, max_size=4), order=st.randoms(use_true_random=False))
    def test_a_population_is_its_members_one_by_one_in_any_order(self, chosen, order):
        network = Given(factory=plain)
        population = [
            Candidate(arm=str(i), seed=i % 2, plan=replace(plan, network=network, epochs=2))
            for i, plan in enumerate(chosen)
        ]
        order.shuffle(population)
        assert_is_its_members(population, make_split())

    @pytest.mark.parametrize("factory", BATCHABLE, ids=lambda factory: factory.__name__)
    def test_every_kind_of_module_stacks(self, factory):
        plan = make_plan(network=Given(factory=factory), epochs=2)
        population = [Candidate(arm=arm, seed=seed, plan=plan) for arm in "ab" for seed in (0, 1)]
        assert_is_its_members(population, make_split())

    @pytest.mark.parametrize("normalisation", [None, "batch"])
    def test_convolutions_stack_with_a_dropout_rate_for_each(self, normalisation):
        plan = make_plan(
            network=CNN(channels=(3, 4), widths=(6,), normalisation=normalisation), batch_size=8, epochs=2
        )
        rates = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.2), (0.2, 0.1))
        population = [
            Candidate(arm=str(i), seed=i % 2, plan=replace(plan, dropout=hidden, input_dropout=inputs))
            for i, (hidden, inputs) in enumerate(rates)
        ]
        # normalisation subtracts nearly equal numbers, which costs two of the sixteen digits
        assert_is_its_members(population, image_split(), rtol=1e-7 if normalisation else 1e-9)

    def test_a_dropout_that_some_add_and_some_have_keeps_each_ones_rate(self):
        plan = make_plan(network=Given(factory=normalised))
        population = [
            Candidate(arm=str(rate), seed=0, plan=replace(plan, dropout=rate)) for rate in (0.0, 0.6)
        ]
        assert_is_its_members(population, make_split(), rtol=1e-7)

    def test_codes_reach_the_module(self):
        plan = make_plan(network=Given(factory=plain))
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(3)]
        assert_is_its_members(population, make_split(cardinalities=(4, 9)))

    @pytest.mark.parametrize("factory", [convolving, Attentive, Noisy], ids=lambda f: f.__name__)
    def test_arms_of_one_seed_share_every_draw(self, factory):
        plan = make_plan(network=Given(factory=factory))
        split = make_split()
        population = [
            Candidate(arm=arm, seed=seed, plan=plan) for arm, seed in (("a", 3), ("x", 4), ("b", 3))
        ]
        found = trained(population, split, "batched")
        assert_same(found["a", 3], found["b", 3])
        assert not np.allclose(found["a", 3].predicted_NO, found["x", 4].predicted_NO)

    def test_torchs_own_stream_runs_on_undisturbed(self):
        plan = make_plan(network=Given(factory=Noisy))
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(2)]
        torch.manual_seed(7)
        state = torch.get_rng_state()
        trained(population, make_split(), "batched")
        assert torch.equal(torch.get_rng_state(), state)


class TestLeaving:
    def test_those_who_stay_do_not_notice_that_others_leave(self):
        split = make_split()
        plan = make_plan(network=Given(factory=normalised), epochs=12)
        stays = Candidate(arm="stays", seed=0, plan=replace(plan, dropout=0.3))
        stops = Candidate(
            arm="stops", seed=1, plan=replace(plan, rule=rule_named("adam", lr=0.5), patience=1)
        )
        together = trained([stays, stops], split, "batched")
        assert together["stops", 1].history.epochs[-1] < 12
        assert_same(together["stays", 0], trained([stays], split, "one by one")["stays", 0], rtol=1e-7)

    @pytest.mark.parametrize("factory", [rectified, normalised, Attentive, CNN], ids=lambda f: f.__name__)
    def test_a_diverged_candidate_does_not_contaminate_its_stack(self, factory):
        images = factory is CNN
        network = CNN(channels=(3,), widths=(6,)) if images else Given(factory=factory)
        split = image_split() if images else make_split()
        plan = make_plan(network=network, epochs=3, batch_size=8)
        burst = rule_named("gradient-descent", lr=1e200)
        sick = Candidate(arm="sick", seed=0, plan=replace(plan, rule=burst))
        well = Candidate(arm="well", seed=1, plan=plan)
        together = trained([sick, well], split, "batched")
        assert together["sick", 0].history.ending == "diverged"
        assert_same(together["well", 1], trained([well], split, "one by one")["well", 1], rtol=1e-7)


class TestBuffers:
    def test_a_buffer_that_forward_replaces_is_followed_and_an_integer_stays_one(self):
        split = make_split()
        plan = make_plan(network=Given(factory=Tied), epochs=2)
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(2)]
        for way in ("batched", "one by one"):
            for found in trained(population, split, way).values():
                assert found.weights["calls"].dtype == torch.int64
                assert int(found.weights["calls"]) == 2 * 3  # epochs times steps; evaluation counts none
                assert not torch.equal(found.weights["scale"], torch.ones(8))

    def test_frozen_parameters_stay_and_tied_ones_stay_equal(self):
        split = make_split()
        candidate = Candidate(arm="a", seed=0, plan=make_plan(network=Given(factory=Tied), l2=0.1))
        fresh = build_module(candidate, split)
        other = replace(candidate, seed=1)
        weights = trained([candidate, other], split, "batched")["a", 0].weights
        assert torch.equal(weights["frozen.weight"], fresh.frozen.weight)
        assert not torch.equal(weights["second.weight"], fresh.second.weight)
        fresh.load_state_dict(weights)
        assert fresh.third.weight is fresh.second.weight
