"""A chain is read as what it is, and nothing else is read as a chain."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from goodfit.nets.chain import chain_of
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes

SIZES = Sizes(inputs=(5,), outputs=3)
ROWS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def chain(*parts):
    return chain_of(nn.Sequential(*parts), SIZES, example_ND=ROWS)


def hooked(part):
    part.register_forward_hook(lambda module, inputs, output: 2 * output)
    return part


class Twice(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def test_layers_widths_and_activation_are_read():
    found = chain(
        nn.Flatten(), nn.Linear(5, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 7), nn.Tanh()), nn.Linear(7, 3)
    )
    assert found.network == MLP(widths=(4, 7), activation="tanh")
    assert found.names == {
        "layers.0.linear.weight": "1.weight",
        "layers.0.linear.bias": "1.bias",
        "layers.1.linear.weight": "3.0.weight",
        "layers.1.linear.bias": "3.0.bias",
        "output.weight": "4.weight",
        "output.bias": "4.bias",
    }


def test_the_structures_own_module_gives_the_same_scores():
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    twin = chain_of(module, SIZES, example_ND=ROWS).module_like(module, SIZES)
    torch.testing.assert_close(twin(ROWS), module(ROWS))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda: (nn.Linear(5, 3),), id="no hidden layer"),
        pytest.param(
            lambda: (nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1)), id="last activation"
        ),
        pytest.param(lambda: (nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)), id="no activation"),
        pytest.param(
            lambda: (nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)),
            id="two activations",
        ),
        pytest.param(lambda: (nn.Linear(5, 4), nn.LeakyReLU(0.3), nn.Linear(4, 3)), id="a slope of its own"),
        pytest.param(lambda: (nn.Linear(5, 4), nn.PReLU(), nn.Linear(4, 3)), id="a slope that is learnt"),
        pytest.param(lambda: (nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 3)), id="no bias"),
        pytest.param(
            lambda: (nn.Linear(5, 4).requires_grad_(False), nn.ReLU(), nn.Linear(4, 3)), id="frozen"
        ),
        pytest.param(lambda: (hooked(nn.Linear(5, 4)), nn.ReLU(), nn.Linear(4, 3)), id="a hook"),
        pytest.param(lambda: (nn.Linear(5, 4), hooked(nn.ReLU()), nn.Linear(4, 3)), id="a hook behind"),
        pytest.param(lambda: (Twice(5, 4), nn.ReLU(), nn.Linear(4, 3)), id="a layer of its own kind"),
        pytest.param(
            lambda: (nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.ReLU(), nn.Linear(4, 3)),
            id="a weight made of others",
        ),
        pytest.param(
            lambda: (nn.Linear(5, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 3)), id="dropout of its own"
        ),
        pytest.param(
            lambda: (nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)), id="normalised"
        ),
    ],
)
def test_everything_else_is_no_chain(parts):
    assert chain(*parts()) is None


class Written(nn.Module):
    """Layers with a forward of functions."""

    def __init__(self, forward):
        super().__init__()
        self.first, self.last, self.make = nn.Linear(5, 4), nn.Linear(4, 3), forward

    def forward(self, x):
        return self.make(self, x)


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.last(F.relu(self.first(x))),
        lambda self, x: self.last(torch.relu(self.first(torch.flatten(x, 1)))),
        lambda self, x: self.last(self.first(x.view(x.size(0), -1)).relu()),
        lambda self, x: self.last(self.first(x.reshape(x.shape[0], -1)).relu_()),
        lambda self, x: self.last(F.relu(self.first(x.view(-1, 5)), inplace=True)),
    ],
    ids=["functional", "flatten", "view", "reshape", "in place"],
)
def test_functions_are_read_as_modules_are(forward):
    module = Written(forward)
    found = chain_of(module, SIZES, example_ND=ROWS)
    assert found.network == MLP(widths=(4,), activation="relu")
    assert found.names["output.weight"] == "last.weight"
    assert module.training
    torch.testing.assert_close(found.module_like(module, SIZES)(ROWS), module(ROWS))


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.last(F.relu(self.first(x))) + 1,
        lambda self, x: self.last(F.relu(self.first(x)) + x[:, :4]),
        lambda self, x: self.last(F.dropout(F.relu(self.first(x)), training=self.training)),
        lambda self, x: self.last(F.relu(self.first(2 * x if self.training else x))),
        lambda self, x: self.last(F.relu(self.first(x if x.sum() > 0 else -x))),
        lambda self, x: self.last(F.leaky_relu(self.first(x), 0.3)),
        lambda self, x: self.last(F.relu(self.first(x.view(5, -1).t()))),
        lambda self, x: F.softmax(self.last(F.relu(self.first(x))), dim=1),
        lambda self, x: (self.last(F.relu(self.first(x))), x),
    ],
    ids=["sum", "skip", "dropout", "mode", "branch", "slope", "turned", "softmax", "several"],
)
def test_any_other_forward_is_no_chain(forward):
    assert chain_of(Written(forward), SIZES, example_ND=ROWS) is None


def test_a_layer_that_is_not_run_would_be_lost():
    module = Written(lambda self, x: self.last(F.relu(self.first(x))))
    module.spare = nn.Linear(2, 2)
    assert chain_of(module, SIZES, example_ND=ROWS) is None


def test_a_chain_that_shares_a_layer_is_none():
    shared = nn.Linear(5, 5)
    assert chain(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(5, 3)) is None


def test_another_forward_is_no_chain():
    class Skipping(nn.Sequential):
        def forward(self, x):
            return super().forward(x) + x[:, :3]

    module = Skipping(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    assert chain_of(module, SIZES, example_ND=ROWS) is None


def test_codes_are_not_read():
    sizes = Sizes(inputs=(5,), outputs=3, cardinalities=(4,))
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    assert chain_of(module, sizes, example_ND=ROWS) is None
