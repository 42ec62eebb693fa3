from __future__ import annotations

import pytest
import torch
from torch import nn

from goodfit.errors import PlanError
from goodfit.nets.activations import ACTIVATIONS
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes

FLAT = Sizes(inputs=(4,), outputs=3)


def by_hand(module: nn.Module, x_ND: torch.Tensor, function) -> torch.Tensor:
    """Compute the scores of a plain MLP from its parameters' names alone."""
    parameters = dict(module.named_parameters())
    num_layers = sum(name.endswith("linear.weight") for name in parameters)
    for i in range(num_layers):
        weights, bias = parameters[f"layers.{i}.linear.weight"], parameters[f"layers.{i}.linear.bias"]
        x_ND = function(x_ND @ weights.T + bias)
    return x_ND @ parameters["output.weight"].T + parameters["output.bias"]


@pytest.mark.parametrize("name", [name for name, known in ACTIVATIONS.items() if known.function])
def test_a_plain_network_is_products_and_activations(name):
    torch.manual_seed(0)
    module = MLP(widths=(5, 6, 7), activation=name).build(FLAT)
    x_ND = torch.randn(8, 4)
    torch.testing.assert_close(module(x_ND), by_hand(module, x_ND, ACTIVATIONS[name].function))


def test_without_hidden_layers_it_is_linear():
    module = MLP(widths=()).build(FLAT)
    assert [name for name, _ in module.named_parameters()] == ["output.weight", "output.bias"]
    assert MLP(widths=()).describe(FLAT) == "4-3 linear"


def test_ten_sigmoid_layers_are_described_in_a_few_words():
    network = MLP(widths=(32,) * 10, activation="sigmoid")
    assert network.describe(Sizes(inputs=(64,), outputs=10)) == "64-32x10-10 sigmoid"
    assert network.describe() == "32x10 sigmoid"


def test_everything_unusual_is_said():
    network = MLP(
        widths=(8,), activation="maxout", pieces=3, normalisation="batch", skip=True, initialisation="he"
    )
    assert network.describe(FLAT) == "4-8-3 maxout 3, batch norm, skip, he start"


@pytest.mark.parametrize("pieces", [2, 5])
def test_the_pieces_of_maxout_multiply_the_parameters_before_them(pieces):
    count = MLP(widths=(8, 6), activation="maxout", pieces=pieces).count(FLAT)
    assert count == pieces * (4 * 8 + 8) + pieces * (8 * 6 + 6) + 6 * 3 + 3


def test_prelu_has_one_slope_per_layer_by_the_name_the_engine_reads():
    module = MLP(widths=(8, 6), activation="prelu").build(FLAT)
    assert module.get_parameter("layers.1.activation.weight").shape == (1,)


@pytest.mark.parametrize("normalisation", ["batch", "layer"])
@pytest.mark.parametrize("activation", ["relu", "maxout"])
def test_normalisation_standardises_the_weighted_sums_before_the_activation(normalisation, activation):
    torch.manual_seed(0)
    module = MLP(widths=(50,), activation=activation, normalisation=normalisation).build(FLAT)
    seen = []
    module.layers[0].activation.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(5 + 3 * torch.randn(64, 4))
    (z_NU,) = seen
    axis = 0 if normalisation == "batch" else 1
    torch.testing.assert_close(z_NU.mean(axis), torch.zeros_like(z_NU.mean(axis)), atol=1e-5, rtol=0)
    assert z_NU.std(axis, correction=0).sub(1).abs().max() < 0.01
    assert module.get_parameter("layers.0.norm.weight").shape == (50 * (2 if activation == "maxout" else 1),)


def test_a_skip_joins_layers_of_equal_width_only():
    module = MLP(widths=(4, 6, 6), skip=True).build(FLAT)
    assert [layer.has_skip for layer in module.layers] == [True, False, True]
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.startswith(("layers.0", "layers.2")):
                parameter.zero_()
    x_ND = torch.randn(5, 4)
    torch.testing.assert_close(module(x_ND), module.output(module.layers[1](x_ND)))


def test_codes_are_embedded_behind_the_numbers():
    sizes = Sizes(inputs=(4,), cardinalities=(3, 10), outputs=2)
    module = MLP(widths=(5,)).build(sizes)
    x_ND, codes_NC = torch.randn(6, 4), torch.tensor([[0, 9], [2, 0], [1, 1], [0, 0], [2, 9], [1, 5]])
    tables = [module.get_parameter(f"embeddings.{c}.weight") for c in range(2)]
    joined_ND = torch.cat([x_ND, tables[0][codes_NC[:, 0]], tables[1][codes_NC[:, 1]]], dim=1)
    expected = module.output(torch.relu(module.layers[0].linear(joined_ND)))
    torch.testing.assert_close(module(x_ND, codes_NC), expected)


def test_images_are_read_as_rows():
    module = MLP(widths=(5,)).build(Sizes(inputs=(1, 8, 8), outputs=2))
    x_NCHW = torch.randn(3, 1, 8, 8)
    assert torch.equal(module(x_NCHW), module(x_NCHW.flatten(1)))


def test_dropout_acts_behind_activations_and_on_inputs_and_never_on_scores():
    module = MLP(widths=(2000,)).build(FLAT, dropout=0.25, input_dropout=0.5)
    silent = []
    module.layers[0].register_forward_hook(lambda _, x, a: silent.append((x[0] == 0, a == 0)))
    module.layers[0].linear.bias.data.fill_(100.0)  # so that only dropout makes a zero
    scores = module.train()(torch.ones(400, 4))
    inputs, hidden = silent[0]
    assert inputs.float().mean() == pytest.approx(0.5, abs=0.05)
    assert hidden.float().mean() == pytest.approx(0.25, abs=0.01)
    assert (scores != 0).all()
    assert torch.equal(module.eval()(torch.ones(1, 4)), module(torch.ones(1, 4)))


def test_scaling_weights_at_test_time_is_inverted_dropout():
    """The lecture scales weights by 1 - p for testing, torch activations by 1 / (1 - p) in training."""
    rate = 0.3
    torch.manual_seed(0)
    inverted = MLP(widths=(6,)).build(FLAT, dropout=rate)
    lectures = MLP(widths=(6,)).build(FLAT)
    lectures.load_state_dict(inverted.state_dict())
    lectures.output.weight.data /= 1 - rate  # what training without the factor would have made of it
    x_ND = torch.randn(5, 4)
    torch.manual_seed(1)
    in_training = inverted.train()(x_ND)
    torch.manual_seed(1)
    mask_NU = nn.functional.dropout(torch.ones(5, 6), rate) * (1 - rate)
    a_NU = lectures.layers[0](x_ND)
    torch.testing.assert_close(in_training, lectures.output(a_NU * mask_NU))
    lectures.output.weight.data *= 1 - rate
    torch.testing.assert_close(inverted.eval()(x_ND), lectures(x_ND))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"widths": (4, 0)}, r"\(4, 0\)"),
        ({"widths": [4]}, r"\[4\]"),
        ({"widths": (4,), "activation": "reluu"}, "write relu"),
        ({"widths": (4,), "activation": "maxout", "pieces": 1}, "1 pieces"),
        ({"widths": (4,), "normalisation": "group"}, "'group'"),
        ({"widths": (4,), "initialisation": "zeros"}, "'zeros'"),
    ],
)
def test_an_impossible_structure_is_refused_by_value(settings, words):
    with pytest.raises(PlanError, match=words):
        MLP(**settings)
