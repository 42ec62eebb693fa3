from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from goodfit.nets.activations import ACTIVATIONS
from goodfit.nets.initialisation import initialise
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes


@pytest.mark.parametrize(
    ("way", "std"),
    [
        ("he", 2.0 / math.sqrt(300)),
        ("lecun", 1.0 / math.sqrt(300)),
        ("xavier", math.sqrt(2 / (300 + 200))),
        ("torch", 1 / math.sqrt(3 * 300)),
    ],
)
def test_weights_have_the_spread_of_the_formula(way, std):
    torch.manual_seed(0)
    layer = nn.Linear(300, 200)
    initialise(layer, way, gain=2.0)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.02)
    assert layer.weight.mean().item() == pytest.approx(0, abs=3 * std / math.sqrt(60_000))


def test_a_convolution_counts_its_window_as_inputs():
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 3)
    initialise(layer, "he", gain=math.sqrt(2))
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.03)


def test_orthogonal_weights_keep_lengths_up_to_the_gain():
    layer = nn.Linear(40, 40)
    initialise(layer, "orthogonal", gain=3.0)
    x_ND = torch.randn(10, 40)
    torch.testing.assert_close((x_ND @ layer.weight.T).norm(dim=1), 3 * x_ND.norm(dim=1))


@pytest.mark.parametrize("way", ["he", "xavier", "lecun", "orthogonal"])
def test_biases_start_at_zero(way):
    layer = nn.Linear(4, 3)
    initialise(layer, way)
    assert layer.bias.abs().max() == 0
    initialise(nn.Linear(4, 3, bias=False), way)


def test_torchs_way_is_what_a_fresh_layer_has():
    torch.manual_seed(5)
    fresh = nn.Linear(7, 3)
    layer = nn.Linear(7, 3)
    torch.manual_seed(5)
    initialise(layer, "torch")
    assert torch.equal(layer.weight, fresh.weight)
    assert torch.equal(layer.bias, fresh.bias)


@pytest.mark.parametrize("activation", [name for name, known in ACTIVATIONS.items() if not known.bounds])
@pytest.mark.parametrize("way", ["he", "orthogonal"])
def test_signals_keep_their_size_through_ten_layers(way, activation):
    torch.manual_seed(0)
    network = MLP(widths=(256,) * 10, activation=activation, initialisation=way)
    module = network.build(Sizes(inputs=(256,), outputs=1))
    h = torch.randn(64, 256)
    for layer in module.layers:
        h = layer(h)
    assert 0.2 < h.square().mean().sqrt() < 5  # SiLU, which scales with its input least, drifts most


def test_torchs_way_shrinks_signals_that_the_he_way_keeps():
    torch.manual_seed(0)
    module = MLP(widths=(256,) * 10).build(Sizes(inputs=(256,), outputs=1))
    h = torch.randn(64, 256)
    for layer in module.layers:
        h = layer(h)
    assert h.square().mean().sqrt() < 0.1
