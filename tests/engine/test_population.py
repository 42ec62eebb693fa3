"""Bad input of a population: an error that names the candidate and the fix, or correct handling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import Tied, plain
from torch import nn

from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice
from goodfit.engine.training.loop import train
from goodfit.engine.training.stack import Stack
from goodfit.engine.ways.construction import build_backend
from goodfit.errors import ModelError, PlanError, ShapeError
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

CHOICE = Choice(way="one by one", reason="test")


def candidate(arm="relu", seed=3, **changes):
    return Candidate(arm=arm, seed=seed, plan=make_plan(**changes))


class TestPopulation:
    def test_nobody_is_trained_where_there_is_nobody(self):
        assert train([], make_split()) == ()

    def test_two_of_one_name_are_named(self):
        with pytest.raises(PlanError, match="two candidates are 'relu' with seed 3") as caught:
            train([candidate(), candidate(lr=0.5), candidate(seed=4)], make_split())
        assert "another name" in caught.value.fix

    def test_folds_tell_candidates_apart(self):
        population = [replace(candidate(), fold=(i, 3)) for i in range(2)]
        assert len(train(population, make_split())) == 2
        with pytest.raises(PlanError, match="'relu' with seed 3 and fold 1"):
            train([*population, population[1]], make_split())

    def test_a_rule_that_is_a_word_is_named(self):
        sick = replace(candidate(), plan=replace(make_plan(), rule="adan"))
        with pytest.raises(PlanError, match="the update rule of 'relu' with seed 3 is 'adan'") as caught:
            train([sick], make_split())
        assert "rule_named" in caught.value.fix


class TestStack:
    def test_nobody_makes_no_stack(self):
        with pytest.raises(PlanError, match="0 candidates") as caught:
            Stack([], make_split(), CHOICE)
        assert caught.value.fix == "give at least one candidate"

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"network": MLP(widths=(3,))}, "network is MLP"),
            ({"batch_size": 8}, "batch_size is 16 and 8"),
            ({"epochs": 9}, "epochs is 4 and 9"),
        ],
    )
    def test_structures_do_not_mix_in_one(self, changes, said):
        mixed = [candidate(), candidate(arm="other", **changes)]
        with pytest.raises(PlanError, match="'relu' with seed 3 and 'other' with seed 3 cannot") as caught:
            Stack(mixed, make_split(), CHOICE)
        assert said in caught.value.message
        assert len(train(mixed, make_split())) == 2  # the loop tells them apart itself


SEVERAL = ([0.1, 0.2], np.array([0.1, 0.2]), torch.tensor([0.1, 0.2]), "0.1", None)


class TestNumbers:
    @pytest.mark.parametrize("several", SEVERAL, ids=lambda value: type(value).__name__)
    @pytest.mark.parametrize("name", ["lr", "weight_decay", "beta1", "eps"])
    def test_a_rule_has_one_of_each(self, name, several):
        with pytest.raises(PlanError, match=f"{name} is") as caught:
            rule_named("adam", **({"lr": 0.1} | {name: several}))
        assert caught.value.fix == f"give one {name} to each candidate"

    @pytest.mark.parametrize("several", SEVERAL, ids=lambda value: type(value).__name__)
    @pytest.mark.parametrize("name", ["l1", "l2", "dropout", "label_smoothing", "clip_norm", "averaging"])
    def test_a_plan_has_one_of_each(self, name, several):
        with pytest.raises(PlanError, match=f"{name} is") as caught:
            make_plan(**{name: several})
        assert "one number for each candidate" in caught.value.fix

    @pytest.mark.parametrize("negative", [-0.1, math.nan, -math.inf])
    @pytest.mark.parametrize("name", ["lr", "weight_decay"])
    def test_rates_are_not_negative(self, name, negative):
        with pytest.raises(PlanError, match=f"{name} is"):
            rule_named("adam", **({"lr": 0.1} | {name: negative}))

    def test_numbers_of_numpy_are_numbers(self):
        assert rule_named("adam", lr=np.float32(0.5)).lr == 0.5
        assert make_plan(l2=np.float64(0.5), epochs=np.int64(3)).epochs == 3


class TestLosses:
    @pytest.mark.parametrize("way", ["stacked", "batched", "one by one"])
    @pytest.mark.parametrize("shape", [(), (1,), (3, 4), (4,)])
    def test_there_is_one_for_each_candidate(self, way, shape):
        network = MLP(widths=(3,)) if way == "stacked" else Given(factory=plain)
        members = [candidate(seed=seed, network=network) for seed in range(3)]
        backend = build_backend(members, make_split(), way=way)
        with pytest.raises(ShapeError, match="losses of 3 candidates") as caught:
            backend.gradients(torch.zeros(shape, requires_grad=True))
        assert "(3,)" in caught.value.fix


class TestModules:
    def test_tied_frozen_and_integer_state_fits_a_fresh_module(self):
        network = Given(factory=Tied)
        for trained in train([candidate(seed=s, network=network) for s in (0, 1)], make_split()):
            fresh = Tied(5, 3)
            fresh.load_state_dict(trained.weights)
            assert fresh.third.weight is fresh.second.weight
            assert fresh.calls.dtype == torch.int64
            with torch.no_grad():
                shares_NO = fresh.eval()(make_split().validation.x).softmax(-1).numpy()
            np.testing.assert_allclose(trained.predicted_NO, shares_NO, rtol=1e-4, atol=1e-6)

    def test_a_network_that_is_all_frozen_is_refused(self):
        network = Given(factory=lambda inputs, outputs: nn.Linear(inputs, outputs).requires_grad_(False))
        with pytest.raises(ModelError, match="is frozen, so there is nothing to train") as caught:
            train([candidate(network=network)], make_split())
        assert "requires_grad" in caught.value.fix

    def test_networks_that_differ_from_seed_to_seed_are_told_apart(self):
        def growing(inputs, outputs):
            width = int(torch.randint(2, 500, ()))
            return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))

        with pytest.raises(ShapeError, match="network 1 has other parameters than network 0"):
            train([candidate(seed=s, network=Given(factory=growing)) for s in (0, 1)], make_split())
