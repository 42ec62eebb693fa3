from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from goodfit.errors import ModelError
from goodfit.nets.given import Given
from goodfit.nets.network import Network, Sizes

FLAT = Sizes(inputs=(4,), outputs=3)
IMAGE = Sizes(inputs=(1, 8, 8), outputs=3)


@pytest.fixture
def model_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "my_net.py"
        path.write_text("from torch import nn\n" + text)
        return path

    return write


def test_a_function_in_a_file_is_called_with_both_sizes(model_file):
    path = model_file("def make(inputs, outputs):\n    return nn.Linear(inputs, outputs)\n")
    network = Given(factory=f"{path}:make")
    assert network.build(FLAT)(torch.zeros(5, 4)).shape == (5, 3)
    assert network.count(FLAT) == 15
    assert Network.from_dict(network.to_dict()) == network


def test_a_file_may_import_its_neighbour(model_file, tmp_path):
    (tmp_path / "neighbour_of_my_net.py").write_text("WIDTH = 7\n")
    path = model_file(
        "from neighbour_of_my_net import WIDTH\n"
        "def make(i, o):\n    return nn.Sequential(nn.Linear(i, WIDTH), nn.Linear(WIDTH, o))\n"
    )
    assert Given(factory=f"{path}:make").build(FLAT)[0].out_features == 7


def test_an_edited_file_is_read_again(model_file):
    path = model_file("def make(i, o):\n    return nn.Sequential(nn.Linear(i, o))\n")
    network = Given(factory=f"{path}:make")
    assert len(network.build(FLAT)) == 1
    model_file("def make(i, o):\n    return nn.Sequential(nn.Linear(i, 2), nn.Linear(2, o))\n")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert len(network.build(FLAT)) == 2


@pytest.mark.parametrize(
    "factory",
    [
        lambda: nn.Linear(4, 3),
        lambda inputs: nn.Linear(inputs, 3),
        lambda num_classes: nn.Linear(4, num_classes),
        lambda classes, inputs: nn.Linear(inputs, classes),
        lambda i, o: nn.Linear(i, o),
        lambda inputs=100, outputs=100: nn.Linear(inputs, outputs),
        lambda hidden=8: nn.Sequential(nn.Linear(4, hidden), nn.Linear(hidden, 3)),
        lambda inputs, outputs, hidden=8: nn.Sequential(
            nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        ),
        nn.Linear,
    ],
)
def test_a_function_gets_as_many_sizes_as_it_takes(factory):
    assert Given(factory=factory).build(FLAT)(torch.zeros(2, 4)).shape == (2, 3)


def test_images_give_the_function_their_shape():
    network = Given(
        factory=lambda shape, outputs: nn.Sequential(nn.Flatten(), nn.Linear(shape[1] * shape[2], outputs))
    )
    assert network.build(IMAGE)(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_the_module_is_the_functions_own_untouched():
    torch.manual_seed(0)
    expected = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).state_dict()
    torch.manual_seed(0)
    network = Given(factory=lambda i, o: nn.Sequential(nn.Linear(i, o), nn.BatchNorm1d(o)))
    module = network.build(FLAT)
    assert module.training
    assert all(torch.equal(tensor, expected[name]) for name, tensor in module.state_dict().items())


def test_building_twice_draws_the_random_numbers_of_two_networks():
    torch.manual_seed(0)
    expected = [nn.Linear(4, 3).weight, nn.Linear(4, 3).weight]
    torch.manual_seed(0)
    built = [Given(factory=nn.Linear).build(FLAT).weight for _ in range(2)]
    assert torch.equal(built[0], expected[0])
    assert torch.equal(built[1], expected[1])


def test_a_lazy_layer_learns_its_width():
    network = Given(factory=lambda: nn.Sequential(nn.LazyLinear(3)))
    assert network.count(FLAT) == 15


def test_codes_reach_the_module_as_zeros_and_ones():
    sizes = Sizes(inputs=(2,), cardinalities=(3, 2), outputs=1)
    module = Given(factory=lambda inputs, outputs: nn.Linear(inputs, outputs)).build(sizes)
    x_ND, codes_NC = torch.tensor([[0.5, -1.0]]), torch.tensor([[2, 0]])
    expected = module.module(torch.tensor([[0.5, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0]]))
    torch.testing.assert_close(module(x_ND, codes_NC), expected)


def raises(inputs, outputs):
    raise ValueError("no such size")


SHARED = nn.Linear(4, 3)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (raises, "ValueError.*no such size"),
        (lambda: 7, "returns int"),
        (lambda: SHARED, "share the parameter 'weight'"),
        (lambda: nn.Sequential(SHARED), "share the parameter '0.weight'"),
        (SHARED, "one Linear, and every seed needs a fresh one"),
        (lambda i, o: nn.Linear(i, o + 1), r"\(2, 4\) instead of \(2, 3\)"),
        (lambda i, o: nn.LSTM(i, o), "into tuple instead of"),
        (lambda i, o: nn.Linear(i + 1, o), r"RuntimeError on inputs of shape \(2, 4\)"),
        (lambda: nn.Flatten(), "no parameters"),
        (lambda a, b, c: nn.Linear(4, 3), "needs 'c' too"),
    ],
)
def test_a_function_that_makes_no_usable_network_is_refused_with_the_reason(factory, words):
    with pytest.raises(ModelError, match=words):
        Given(factory=factory).build(FLAT)


def sigmoid_net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 5), nn.Sigmoid(), nn.Linear(5, outputs))


def functional_net(inputs, outputs):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(inputs, 5), nn.Linear(5, outputs)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)))

    return Net()


def test_an_asked_for_activation_takes_the_place_of_the_users_own():
    torch.manual_seed(0)
    as_it_is = Given(factory=sigmoid_net).build(FLAT)
    torch.manual_seed(0)
    treated = Given(factory=sigmoid_net, activation="relu").build(FLAT)
    assert isinstance(treated[1], nn.ReLU)
    assert torch.equal(treated[0].weight, as_it_is[0].weight)


def test_an_asked_for_start_is_drawn():
    module = Given(factory=sigmoid_net, initialisation="he").build(FLAT)
    assert module[0].bias.abs().max() == 0


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"input_dropout": 0.2}])
@pytest.mark.parametrize("sizes", [FLAT, Sizes(inputs=(4,), cardinalities=(3,), outputs=3)])
def test_dropout_changes_training_only_and_no_parameters_name(rates, sizes):
    batch = [torch.randn(8, 4), torch.zeros(8, 1, dtype=torch.long)][: 1 + len(sizes.cardinalities)]
    torch.manual_seed(0)
    plain = Given(factory=sigmoid_net, activation="prelu").build(sizes)
    torch.manual_seed(0)
    treated = Given(factory=sigmoid_net, activation="prelu").build(sizes, **rates)
    assert list(treated.state_dict()) == list(plain.state_dict())
    assert torch.equal(treated.eval()(*batch), plain.eval()(*batch))
    assert not torch.equal(treated.train()(*batch), plain.train()(*batch))


def test_activations_that_are_functions_are_edited_like_modules():
    assert Given(factory=functional_net).hidden_activations(FLAT) == ("relu_0",)
    assert Given(factory=sigmoid_net).hidden_activations(FLAT) == ("1",)
    module = Given(factory=functional_net, activation="gelu").build(FLAT, dropout=0.5)
    assert isinstance(module.relu_0, nn.GELU)
    assert module.relu_0.dropout.p == 0.5


def test_a_network_without_activations_is_not_edited():
    for network, options in (
        (Given(factory=nn.Linear, activation="gelu"), {}),
        (Given(factory=nn.Linear), {"dropout": 0.5}),
    ):
        with pytest.raises(ModelError, match="no hidden activation"):
            network.build(FLAT, **options)


def test_every_edit_at_once_makes_a_network_that_is_shown_and_read_back():
    network = Given(
        factory="torch.nn:Linear",
        widening=2.0,
        deepening=1,
        skip=True,
        plain_output=True,
        normalisation="layer",
        output_scale=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
    )
    assert Network.from_dict(json.loads(json.dumps(network.to_dict()))) == network
    network = dataclasses.replace(network, factory=sigmoid_net, activation="gelu", initialisation="he")
    module = network.build(FLAT, dropout=0.25)
    assert module(torch.zeros(2, 4)).shape == (2, 3)
    shown = network.edits(FLAT, dropout=0.25)
    for word in ("-  (1): Sigmoid()", "out_features=10", "LayerNorm((10,)", "Dropout(p=0.25", "(deeper)"):
        assert word in shown
    assert network.describe(FLAT) == (
        "4-sigmoid_net-3 (given), gelu, he start, layer norm, skips, 2 times as wide, 1 more layers, "
        "plain output, outputs scaled to the targets"
    )
    assert Given(factory=sigmoid_net).reachable(FLAT) == {
        "activation",
        "maxout",
        "dropout",
        "normalisation batch",
        "normalisation layer",
        "widening",
        "deepening",
        "output_scale",
    }


def test_the_name_is_said():
    assert Given(factory="nets/mine.py:make").describe(FLAT) == "4-make-3 (given)"
    assert Given(factory=nn.Linear).describe() == "Linear (given)"
    assert Given(factory=nn.Linear, activation="relu").describe() == "Linear (given), relu"
