"""What the probes say of a layer is what autograd says of the plain module."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.engine.candidate import Candidate
from goodfit.engine.looks.probes import MEASURES, Probes
from goodfit.engine.training.loop import train
from goodfit.engine.ways.backend import Batch
from goodfit.engine.ways.construction import build_backend, build_module
from goodfit.engine.ways.one_by_one import OneByOne
from goodfit.engine.ways.stacked import Stacked
from goodfit.nets.activations import name_of
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes

pytestmark = pytest.mark.usefixtures("double")

NETWORKS = [
    MLP(widths=(7, 6), activation="relu"),
    MLP(widths=(7, 6), activation="sigmoid"),
    MLP(widths=(7, 7, 7), activation="tanh", skip=True),
    MLP(widths=(7, 7), activation="relu", skip=True, normalisation="layer"),
    MLP(widths=(6, 5), activation="maxout", pieces=3),
    MLP(widths=(6, 5), activation="prelu", normalisation="batch"),
    MLP(widths=()),
]


def name_of_network(network):
    return f"{network.activation}-{len(network.widths)}{'-skip' if network.skip else ''}"


def population_of(network, num_candidates=2):
    return [Candidate(arm="a", seed=seed, plan=make_plan(network=network)) for seed in range(num_candidates)]


def probed(backend, rows, loss, *, change_KP=None, epoch=3):
    batch = Batch(x=rows.x, codes=rows.codes_NC, shared=True)
    y_KN = rows.y_N.expand(backend.num_candidates, -1)
    probes = Probes(backend, batch, y_KN, loss=loss)
    probes.probe(epoch, change_KP=change_KP, members=list(range(backend.num_candidates)))
    return probes


def directly(module, rows, loss):
    """Name of each weighted layer to (activation, output behind it, gradient of its weights, weights)."""
    module.eval()
    outputs, last, kinds = {}, [""], {}

    def note(name, part):
        def hook(_module, _inputs, output):
            if isinstance(part, nn.Linear):
                last[0] = name
            else:
                outputs[last[0]], kinds[last[0]] = output.detach(), name_of(part)

        return part.register_forward_hook(hook)

    hooks = [
        note(name, part)
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) or name_of(part) is not None
    ]
    loss.rows(module(rows.x, rows.codes_NC).unsqueeze(0), rows.y_N.unsqueeze(0)).mean().backward()
    for hook in hooks:
        hook.remove()
    layers = {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}
    return {
        name: (kinds.get(name), outputs.get(name), layer.weight.grad, layer.weight.detach())
        for name, layer in layers.items()
    }


@pytest.mark.parametrize("one_by_one", [False, True], ids=["stacked", "one by one"])
@pytest.mark.parametrize("network", NETWORKS, ids=name_of_network)
def test_every_number_is_that_of_the_plain_module(network, one_by_one):
    split = make_split(cardinalities=(4,))
    population = population_of(network)
    modules = [build_module(candidate, split) for candidate in population]
    backend = OneByOne(modules) if one_by_one else build_backend(population, split)
    change_KP = 0.01 * torch.randn_like(backend.flat_KP)
    loss = population[0].plan.loss
    probes = probed(backend, split.train, loss, change_KP=change_KP)
    for k, candidate in enumerate(population):
        expected = directly(build_module(candidate, split), split.train, loss)
        epochs, layers = probes.of(k)
        assert epochs == (3,)
        assert [layer.layer for layer in layers] == list(expected)
        for layer in layers:
            kind, a_NU, gradient, weights = expected[layer.layer]
            assert (layer.activation, layer.num_weights) == (kind, weights.numel())
            change_P = change_KP[k, backend.layout.span(f"{layer.layer}.weight")]
            numbers = {
                "gradient_norm": gradient.norm(),
                "weight_norm": weights.norm(),
                "update_ratio": change_P.norm() / weights.norm(),
            }
            if a_NU is not None:
                numbers |= {
                    "output_mean": a_NU.mean(),
                    "output_std": a_NU.std(0, unbiased=False).mean(),
                    "zero_share": (a_NU == 0).double().mean(),
                    "dead_share": (a_NU == 0).all(0).double().mean(),
                }
            for measure, value in numbers.items():
                assert getattr(layer, measure) == pytest.approx((float(value),), rel=1e-6), measure


def test_the_output_layer_has_no_activation_and_nothing_to_say_of_it():
    split = make_split()
    population = population_of(MLP(widths=(7,)))
    _, layers = probed(build_backend(population, split), split.train, population[0].plan.loss).of(0)
    assert [layer.layer for layer in layers] == ["layers.0.linear", "output"]
    assert layers[1].activation is None
    for measure in MEASURES[3:]:
        assert getattr(layers[1], measure) == (None,)
        assert getattr(layers[0], measure) != (None,)


def test_before_any_step_there_is_no_update_ratio():
    split = make_split()
    population = population_of(MLP(widths=(7,)))
    _, layers = probed(build_backend(population, split), split.train, population[0].plan.loss).of(0)
    assert all(layer.update_ratio == (None,) for layer in layers)


class TestHandMadeWeights:
    """One layer of four units whose weights are all zero, so that its biases alone decide."""

    def layer_of(self, activation, bias_U, *, skip=False):
        split = make_split(num_inputs=4)
        plan = make_plan(network=MLP(widths=(4,), activation=activation, skip=skip))
        module = plan.network.build(Sizes(inputs=(4,), outputs=3))
        with torch.no_grad():
            module.layers[0].linear.weight.zero_()
            module.layers[0].linear.bias.copy_(torch.tensor(bias_U))
        return probed(Stacked(plan.network, [module]), split.train, plan.loss).of(0)[1][0]

    def test_units_below_zero_are_dead_under_relu(self):
        layer = self.layer_of("relu", [-1.0, -0.5, 0.0, 2.0])
        assert (layer.zero_share, layer.dead_share, layer.saturated_share) == ((0.75,), (0.75,), (0.0,))
        assert (layer.output_mean, layer.output_std) == ((0.5,), (0.0,))

    def test_they_are_not_dead_under_leaky_relu(self):
        layer = self.layer_of("leaky-relu", [-1.0, -0.5, -0.1, 2.0])
        assert (layer.zero_share, layer.dead_share) == ((0.0,), (0.0,))

    def test_sums_far_from_zero_saturate_sigmoid_at_both_ends(self):
        layer = self.layer_of("sigmoid", [-5.0, 5.0, 0.0, 4.5])  # 1 % of the range is reached at 4.6
        assert layer.saturated_share == (0.5,)

    def test_sums_far_from_zero_saturate_tanh_at_both_ends(self):
        layer = self.layer_of("tanh", [-2.4, 2.4, 0.0, 2.2])  # 1 % of the range is reached at 2.3
        assert layer.saturated_share == (0.5,)

    @pytest.mark.parametrize("activation", ["relu", "silu", "gelu", "leaky-relu"])
    def test_what_has_no_bounds_never_saturates(self, activation):
        assert self.layer_of(activation, [-50.0, 50.0, 0.0, 5.0]).saturated_share == (0.0,)

    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    def test_a_skip_hides_nothing_of_what_its_layer_does(self, activation):
        bias_U = [-5.0, 5.0, 0.1, -5.0]
        plain, skipped = (self.layer_of(activation, bias_U, skip=skip) for skip in (False, True))
        for measure in MEASURES[3:]:
            assert getattr(skipped, measure) == getattr(plain, measure)

    def test_a_unit_that_is_zero_for_some_rows_only_is_not_dead(self):
        split = make_split(num_inputs=1)
        plan = make_plan(network=MLP(widths=(2,), activation="relu"))
        module = plan.network.build(Sizes(inputs=(1,), outputs=3))
        with torch.no_grad():
            module.layers[0].linear.weight.copy_(torch.tensor([[1.0], [0.0]]))
            module.layers[0].linear.bias.copy_(torch.tensor([0.0, -1.0]))
        layer = probed(OneByOne([module]), split.train, plan.loss).of(0)[1][0]
        below = (split.train.x <= 0).double().mean().item()
        assert 0 < below < 1
        assert layer.dead_share == (0.5,)
        assert layer.zero_share == pytest.approx(((1 + below) / 2,))


class TestMembers:
    def test_those_who_left_keep_what_was_seen_and_the_others_go_on(self):
        split = make_split()
        population = population_of(MLP(widths=(7,)), 3)
        backend = build_backend(population, split)
        probes = probed(backend, split.train, population[0].plan.loss, epoch=0)
        index_M = torch.tensor([0, 2])
        backend.keep(index_M)
        probes.keep(index_M)
        backend.flat_KP.mul_(2.0)
        probes.probe(5, change_KP=backend.flat_KP / 2, members=[0, 2])
        assert [probes.of(k)[0] for k in range(3)] == [(0, 5), (0,), (0, 5)]
        for k in (0, 2):
            layer = probes.of(k)[1][0]
            assert layer.weight_norm[1] == pytest.approx(2 * layer.weight_norm[0])
            assert layer.update_ratio == (None, pytest.approx(0.5))

    def test_candidates_with_rows_of_their_own_are_probed_on_them(self):
        split = make_split()
        population = population_of(MLP(widths=(7,)), 3)
        backend = build_backend(population, split)
        rows_KN = torch.arange(48).view(3, 16)
        batch = Batch(x=split.train.x[rows_KN], codes=None, shared=False)
        probes = Probes(backend, batch, split.train.y_N[rows_KN], loss=population[0].plan.loss)
        kept = torch.tensor([2, 1])
        backend.keep(kept)
        probes.keep(kept)
        probes.probe(1, change_KP=None, members=[2, 1])
        for k in (1, 2):
            alone = build_backend(population[k : k + 1], split)
            rows = type(split.train)(
                x=split.train.x[rows_KN[k]], codes_NC=None, y_N=split.train.y_N[rows_KN[k]]
            )
            expected = probed(alone, rows, population[0].plan.loss).of(0)[1]
            for layer, other in zip(probes.of(k)[1], expected, strict=True):
                assert layer.gradient_norm == pytest.approx(other.gradient_norm)
                if layer.activation is not None:
                    assert layer.output_std == pytest.approx(other.output_std)


def test_a_training_leaves_the_last_steps_change_over_the_weights():
    """Gradient descent with one step an epoch: the change is the rate times the gradient."""
    split = make_split(48, 24)
    plan = make_plan(network=MLP(widths=(7,)), rule="gradient-descent", lr=0.5, epochs=1, batch_size=48)
    (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], split)
    history = trained.history
    assert history.probed_epochs == (0, 1)
    fresh = build_module(Candidate(arm="a", seed=0, plan=plan), split)
    for layer in history.layers:
        gradient_norm = directly(fresh, split.train, plan.loss)[layer.layer][2].norm().item()
        fresh.zero_grad()
        assert layer.gradient_norm[0] == pytest.approx(gradient_norm)
        expected = 0.5 * gradient_norm / layer.weight_norm[1]
        assert layer.update_ratio == (None, pytest.approx(expected))
        assert math.isfinite(layer.update_ratio[1])
        found = np.linalg.norm(trained.weights[f"{layer.layer}.weight"].numpy())
        assert layer.weight_norm[1] == pytest.approx(found)
