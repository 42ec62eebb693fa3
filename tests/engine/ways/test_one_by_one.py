"""Any module, one candidate after the other, gives the numbers of the stacked way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.data.split import Rows
from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.training.loop import train
from goodfit.engine.ways import construction
from goodfit.engine.ways.backend import Batch, Dropout
from goodfit.engine.ways.construction import build_module
from goodfit.engine.ways.one_by_one import OneByOne
from goodfit.engine.ways.stacked import Stacked
from goodfit.errors import ModelError, PlanError
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

pytestmark = pytest.mark.usefixtures("double")

NETWORKS = [
    MLP(widths=(7, 6), activation="relu"),
    MLP(widths=(7, 7), activation="gelu", normalisation="layer", skip=True),
    MLP(widths=(7, 7), activation="silu", normalisation="batch"),
    MLP(widths=(6, 5), activation="maxout", pieces=3),
    MLP(widths=(6, 6), activation="prelu", initialisation="he", skip=True),
    MLP(widths=()),
]


def image_split(num_train=32, num_validation=16, seed=0):
    """Bright spots in one of three corners, in images of one channel and 8 x 8 pixels."""
    split = make_split(num_train, num_validation, seed=seed)
    generator = torch.Generator().manual_seed(seed)

    def part(rows):
        x_NCHW = torch.randn(len(rows), 1, 8, 8, generator=generator, dtype=torch.float64)
        for image, label in zip(x_NCHW, rows.y_N.tolist(), strict=True):
            image[0, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 1.5
        return Rows(x=x_NCHW.to(torch.get_default_dtype()), codes_NC=None, y_N=rows.y_N)

    return replace(split, train=part(split.train), validation=part(split.validation))


def population_of(network, num_candidates=3, **changes):
    plan = make_plan(network=network, **changes)
    return [Candidate(arm="a", seed=seed, plan=plan) for seed in range(num_candidates)]


def both_ways(network, split):
    population = population_of(network)
    stacked = Stacked(network, [build_module(candidate, split) for candidate in population])
    return stacked, OneByOne([build_module(candidate, split) for candidate in population])


def batches(split, num_candidates=3):
    rows, own_KN = split.train, torch.randint(48, (num_candidates, 20))
    yield Batch(x=rows.x, codes=rows.codes_NC, shared=True), rows.y_N.expand(num_candidates, -1)
    yield Batch(x=rows.x[own_KN], codes=rows.codes_NC[own_KN], shared=False), rows.y_N[own_KN]


def no_dropout(num_candidates=3):
    none_K1 = torch.zeros(num_candidates, 1)
    streams = Streams(0, "dropout", seeds=range(num_candidates))
    return Dropout(hidden_K1=none_K1, input_K1=none_K1, hidden_streams=streams, input_streams=streams)


def assert_same(one, other, *, rtol=1e-9):
    assert one.weights.keys() == other.weights.keys()
    for name, tensor in one.weights.items():
        np.testing.assert_allclose(
            tensor.numpy(), other.weights[name].numpy(), rtol=rtol, atol=1e-12, err_msg=name
        )
    np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=rtol, atol=1e-12)
    assert one.history.train_loss == pytest.approx(other.history.train_loss, rel=rtol)
    assert one.history.validation_loss == pytest.approx(other.history.validation_loss, rel=rtol)
    assert one.history.ending == other.history.ending


class TestAgainstStacked:
    @pytest.mark.parametrize(
        "network", NETWORKS, ids=lambda network: f"{network.activation}-{network.normalisation}"
    )
    @pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
    def test_scores_and_gradients_are_the_same(self, network, is_training):
        split = make_split(cardinalities=(4, 9))
        stacked, one_by_one = both_ways(network, split)
        assert stacked.layout == one_by_one.layout
        assert torch.equal(stacked.flat_KP, one_by_one.flat_KP)
        loss = Loss(name="cross-entropy", kind="classes", num_outputs=3)
        for batch, y_KN in batches(split):
            gradients = []
            scores = []
            for backend in (stacked, one_by_one):
                scores_KNO = backend.scores(batch, dropout=no_dropout() if is_training else None)
                gradients.append(backend.gradients(loss.rows(scores_KNO, y_KN).mean(-1)))
                scores.append(scores_KNO.detach())
            torch.testing.assert_close(*scores, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)
            assert stacked.buffers.keys() == one_by_one.buffers.keys()
            for name in stacked.buffers:
                if not name.endswith("num_batches_tracked"):
                    torch.testing.assert_close(
                        stacked.buffers[name], one_by_one.buffers[name], rtol=1e-9, atol=1e-12
                    )

    @pytest.mark.parametrize("network", NETWORKS[:4], ids=lambda n: f"{n.activation}-{n.normalisation}")
    def test_a_whole_training_is_the_same(self, network, monkeypatch):
        split = make_split(cardinalities=(4, 9))
        population = population_of(network, patience=2, l2=0.01, clip_norm=1.0, lr=0.05)
        population.append(Candidate(arm="b", seed=0, plan=replace(population[0].plan, averaging=0.9)))
        stacked = train(population, split)
        monkeypatch.setattr(construction, "Stacked", lambda network, modules, **_: OneByOne(modules))
        for one, other in zip(stacked, train(population, split), strict=True):
            tracked = [name for name in one.weights if name.endswith("num_batches_tracked")]
            for name in tracked:  # the stacked way has no use for this count
                del one.weights[name], other.weights[name]
            assert_same(one, other, rtol=1e-6)


class TestCNN:
    PLANS = (
        make_plan(network=CNN(channels=(3, 4), widths=(6,)), batch_size=8, epochs=3),
        make_plan(network=CNN(channels=(3, 4), widths=(6,)), batch_size=8, epochs=3, dropout=0.3, lr=0.02),
        make_plan(network=CNN(channels=(3, 4), widths=(6,)), batch_size=8, epochs=3, rule="momentum", l2=0.1),
        make_plan(
            network=CNN(channels=(2,), widths=(), normalisation="batch"), batch_size=8, epochs=3, patience=1
        ),
        make_plan(
            network=CNN(channels=(2,), widths=(), normalisation="batch"), batch_size=8, epochs=3, lr=0.1
        ),
    )

    def test_a_population_is_its_members_one_by_one(self):
        split = image_split()
        population = [
            Candidate(arm=str(arm), seed=seed, plan=plan)
            for arm, plan in enumerate(self.PLANS)
            for seed in (0, 1)
        ]
        for candidate, trained in zip(population, train(population, split), strict=True):
            assert trained.candidate is candidate
            assert_same(trained, train([candidate], split)[0])

    def test_arms_of_one_seed_share_weights_batches_and_dropout(self):
        twins = [Candidate(arm=arm, seed=3, plan=self.PLANS[1]) for arm in "ab"]
        assert_same(*train(twins, image_split()), rtol=0)

    def test_it_learns(self):
        plan = make_plan(network=CNN(channels=(4,), widths=(8,)), batch_size=8, epochs=15, lr=0.02)
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], image_split(90, 60))
        assert trained.validation_scores_N.mean() > 0.85

    def test_convolutions_are_probed(self):
        (trained,) = train([Candidate(arm="a", seed=0, plan=self.PLANS[0])], image_split())
        layers = {layer.layer: layer.activation for layer in trained.history.layers}
        assert layers == {
            "convolutions.0.conv": "relu",
            "convolutions.1.conv": "relu",
            "layers.0.linear": "relu",
            "output": None,
        }


class TestKeep:
    def test_weights_and_running_means_of_those_who_stay_survive(self):
        split = make_split(cardinalities=(4, 9))
        _, backend = both_ways(NETWORKS[2], split)
        batch, _ = next(iter(batches(split)))
        backend.scores(batch, dropout=no_dropout())
        assert not torch.equal(backend.buffers["layers.0.norm.running_mean"], torch.zeros(3, 7))
        scores_KNO, before = backend.scores(batch).detach(), [backend.weights(k) for k in range(3)]
        backend.keep(torch.tensor([2, 0]))
        torch.testing.assert_close(backend.scores(batch).detach(), scores_KNO[[2, 0]], rtol=1e-12, atol=0)
        for place, k in enumerate((2, 0)):
            after = backend.weights(place)
            assert all(torch.equal(after[name], before[k][name]) for name in before[k])

    def test_modules_still_read_and_write_the_stacks_memory(self):
        split = make_split(cardinalities=(4, 9))
        _, backend = both_ways(NETWORKS[2], split)
        backend.keep(torch.tensor([1, 2]))
        batch, _ = next(iter(batches(split)))
        count = backend.buffers["layers.0.norm.num_batches_tracked"].clone()
        backend.scores(batch, dropout=no_dropout(2))
        assert torch.equal(backend.buffers["layers.0.norm.num_batches_tracked"], count + 1)
        scores_KNO = backend.scores(batch).detach()
        backend.flat_KP.mul_(0.5)
        assert not torch.allclose(backend.scores(batch).detach(), scores_KNO)
        backend.flat_KP.mul_(2.0)
        torch.testing.assert_close(backend.scores(batch).detach(), scores_KNO, rtol=1e-12, atol=0)


class Half(nn.Module):
    """A frozen layer of random features below a layer that learns."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.features = nn.Linear(inputs, 12).requires_grad_(False)
        self.activation = nn.Tanh()
        self.head = nn.Linear(12, outputs)

    def forward(self, x):
        return self.head(self.activation(self.features(x)))


class TestGiven:
    def test_frozen_parameters_do_not_move_and_are_handed_back(self):
        split = make_split()
        plan = make_plan(
            network=Given(factory=Half), l2=0.5, rule=rule_named("adamw", lr=0.05, weight_decay=0.5)
        )
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(2)]
        for candidate, trained in zip(population, train(population, split), strict=True):
            fresh = build_module(candidate, split).state_dict()
            assert trained.weights.keys() == fresh.keys()
            for name, tensor in trained.weights.items():
                assert torch.equal(tensor, fresh[name]) == name.startswith("features")
            assert trained.history.num_parameters == 12 * 3 + 3

    def test_it_trains_and_its_weights_fit_a_fresh_module(self):
        split = make_split(60, 60)
        plan = make_plan(network=Given(factory=Half), epochs=30, lr=0.05)
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
        assert trained.history.train_loss[-1] < 0.5 * trained.history.train_loss[0]
        assert trained.validation_scores_N.mean() > 0.6
        module = Half(5, 3)
        module.load_state_dict(trained.weights)
        with torch.no_grad():
            shares_NO = module(split.validation.x).softmax(-1).numpy()
        np.testing.assert_allclose(shares_NO, trained.predicted_NO, rtol=1e-9)

    def test_it_is_given_codes_as_zeros_and_ones(self):
        split = make_split(cardinalities=(4, 9))
        plan = make_plan(network=Given(factory=lambda inputs, outputs: nn.Linear(inputs, outputs)))
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
        assert trained.history.num_parameters == (5 + 4 + 9 + 1) * 3

    def test_its_own_dropout_is_drawn_from_its_seed(self):
        def dropping(inputs, outputs):
            return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, outputs))

        split, plan = make_split(), make_plan(network=Given(factory=dropping))
        population = [Candidate(arm="a", seed=seed, plan=plan) for seed in (0, 1)]
        torch.manual_seed(0)
        once = train(population, split)
        torch.manual_seed(99)
        state = torch.get_rng_state()
        again = train(population[::-1], split)[::-1]
        assert torch.equal(torch.get_rng_state(), state)
        for one, other in zip(once, again, strict=True):
            assert_same(one, other, rtol=1e-12)

    def test_modules_are_told_their_mode_when_it_changes_and_only_then(self):
        told = []

        class Listening(Half):
            def train(self, mode=True):
                told.append(mode)
                return super().train(mode)

        backend, batch = OneByOne([Listening(5, 3)]), Batch(x=torch.randn(4, 5), codes=None, shared=True)
        loss, y_1N = make_plan().loss, torch.zeros(1, 4, dtype=torch.long)
        for dropout in (None, no_dropout(1), no_dropout(1), None, None):
            backend.loss_gradients(batch, y_1N, loss=loss, dropout=dropout)
            backend.scores(batch, dropout=dropout)
        backend.keep(torch.tensor([0]))
        backend.scores(batch, dropout=no_dropout(1))
        assert told == [False, True, False, True]

    def test_a_parameter_that_nothing_depends_on_has_gradient_zero(self):
        class Forgetful(Half):
            def forward(self, x):
                return self.head(torch.zeros(len(x), 12))

        backend = OneByOne([Forgetful(5, 3).requires_grad_() for _ in range(2)])
        scores_KNO = backend.scores(Batch(x=torch.randn(4, 5), codes=None, shared=True))
        gradient_KP = backend.gradients(scores_KNO.sum((1, 2)))
        assert torch.equal(gradient_KP[:, backend.layout.span("features.weight")], torch.zeros(2, 60))
        assert torch.equal(gradient_KP[:, backend.layout.span("head.bias")], torch.full((2, 3), 4.0))

    @pytest.mark.parametrize(
        ("num_rows", "said", "fix"), [(1, "on 1 row", "batch size"), (4, "on 4 rows", "mend")]
    )
    def test_what_it_raises_is_told_with_the_rows(self, num_rows, said, fix):
        class Picky(Half):
            def forward(self, x):
                raise ValueError("not these")

        backend = OneByOne([Picky(5, 3)])
        with pytest.raises(ModelError, match=f"raises ValueError {said}: not these") as raised:
            backend.scores(Batch(x=torch.randn(num_rows, 5), codes=None, shared=True))
        assert fix in raised.value.fix

    @pytest.mark.parametrize("error", [MemoryError("full"), PlanError("wrong", fix="right")])
    def test_what_tells_enough_is_left_as_it_is(self, error):
        class Picky(Half):
            def forward(self, x):
                raise error

        with pytest.raises(type(error)) as raised:
            OneByOne([Picky(5, 3)]).scores(Batch(x=torch.randn(4, 5), codes=None, shared=True))
        assert raised.value is error
