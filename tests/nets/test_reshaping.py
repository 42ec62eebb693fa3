"""Edits that give a copy of a network other layers: each tried on networks of many kinds."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from tests.procedure import own_networks as own
from torch import nn

from goodfit.errors import PlanError
from goodfit.nets.activations import Maxout
from goodfit.nets.reshaping import (
    deepen,
    normalise,
    put_maxout,
    scale_outputs,
    skip,
    widen,
    without_last_activation,
)
from goodfit.nets.surgery import set_dropout, swap_activations


def deep():
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1)
    )


NETWORKS = {
    "mlp": (own.mlp, [torch.randn(4, 6)]),
    "cnn": (own.cnn, [torch.randn(4, 1, 8, 8)]),
    "resnet": (own.ResNet, [torch.randn(4, 3, 8, 8)]),
    "functions": (own.Segmenter, [torch.randn(4, 1, 8, 8)]),
    "two inputs": (own.Both, [torch.randn(4, 1, 8, 8), torch.randn(4, 6)]),
    "lstm": (own.Recurrent, [torch.randn(4, 5, 4)]),
    "deep": (deep, [torch.randn(4, 4)]),
}
EDITS = {
    "swap": lambda net, rows: swap_activations(net, "gelu", example=rows),
    "dropout": lambda net, rows: set_dropout(net, 0.5, example=rows),
    "maxout": lambda net, rows: put_maxout(net, example=rows),
    "widen": lambda net, rows: widen(net, 2, example=rows),
    "batch": lambda net, rows: normalise(net, "batch", example=rows),
    "layer": lambda net, rows: normalise(net, "layer", example=rows),
    "skip": lambda net, rows: skip(net, example=rows),
    "deepen": lambda net, rows: deepen(net, example=rows),
    "plain": lambda net, rows: without_last_activation(net, example=rows),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_edit_leaves_the_original_and_makes_a_network_that_trains(network, edit):
    make, rows = network
    net = make()
    before = copy.deepcopy(net.state_dict())
    printed = str(net)
    edited = edit(net, rows)
    assert edited.original is net
    assert str(net) == printed
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    copied = pickle.loads(pickle.dumps(copy.deepcopy(edited.module))).train()
    scores = copied(*rows)
    assert scores.shape == net(*rows).shape
    scores.square().sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in copied.parameters())
    if edited.changed:
        assert any(line.startswith("+") for line in edited.diff.splitlines()) or "input of" in str(
            edited.changed
        )


@pytest.mark.parametrize("name", ["mlp", "cnn", "functions", "deep", "resnet"])
def test_a_wider_network_computes_the_same(name):
    make, rows = NETWORKS[name]
    net = make().eval()
    edited = widen(net, 1.5, example=rows)
    assert edited.changed
    torch.testing.assert_close(edited.module(*rows), net(*rows), rtol=1e-4, atol=1e-5)
    sizes = [sum(p.numel() for p in module.parameters()) for module in (net, edited.module)]
    assert sizes[1] > sizes[0]


def test_a_residual_sum_that_needs_its_width_keeps_it_and_says_so():
    make, rows = NETWORKS["resnet"]
    edited = widen(make(), 2, example=rows)
    assert edited.changed == ("layer1.0.conv1: 4 -> 8 outputs", "layer2.0.conv1: 8 -> 16 outputs")
    assert any(reason.startswith("conv1: what follows does not take it") for reason in edited.unreached)


def test_maxout_gives_each_unit_its_own_weights_as_first_piece():
    make, rows = NETWORKS["mlp"]
    net = make()
    edited = put_maxout(net, example=rows, pieces=3)
    assert edited.changed == ("1: Tanh -> Maxout of 3 pieces, 112 -> 336 parameters",)
    assert isinstance(edited.module[1], Maxout)
    assert torch.equal(edited.module[0].weight[::3], net[0].weight)
    assert torch.equal(edited.module[2].weight, net[2].weight)
    highest = edited.module[0](rows[0]).unflatten(1, (16, 3)).amax(-1)
    torch.testing.assert_close(edited.module(*rows), net[2](highest))


def test_maxout_behind_a_convolution_and_its_norm_takes_channels():
    make, rows = NETWORKS["cnn"]
    edited = put_maxout(make(), example=rows).module
    assert (edited[0].out_channels, edited[1].num_features, edited[2].dim) == (8, 8, 1)


def test_a_frozen_layer_is_not_resized():
    net = own.mlp()
    net[0].requires_grad_(False)
    assert put_maxout(net, example=NETWORKS["mlp"][1]).changed == ()
    assert widen(net, 2, example=NETWORKS["mlp"][1]).changed == ()


def test_normalisation_is_added_where_there_is_none():
    make, rows = NETWORKS["deep"]
    net = make()
    edited = normalise(net, "batch", example=rows)
    assert edited.changed == ("1: BatchNorm1d before ReLU", "3: BatchNorm1d before ReLU")
    assert torch.equal(edited.module[0].weight, net[0].weight)
    assert normalise(edited.module, "batch", example=rows).changed == ()
    hidden = edited.module.train()[1].norm(edited.module[0](torch.randn(64, 4)))
    torch.testing.assert_close(hidden.mean(0), torch.zeros(8), atol=1e-5, rtol=0)
    assert normalise(own.cnn(), "batch", example=NETWORKS["cnn"][1]).changed == ()


def test_a_skip_adds_the_input_where_shapes_allow():
    make, rows = NETWORKS["deep"]
    net = make()
    edited = skip(net, example=rows)
    assert edited.changed == ("3: the input of 2 is added",)
    hidden = net[:2](rows[0])
    expected = net[4:](torch.relu(net[2](hidden)) + hidden)
    torch.testing.assert_close(edited.module(*rows), expected)
    assert skip(edited.module, example=rows).changed == ()


def test_a_deeper_network_of_relu_computes_the_same():
    make, rows = NETWORKS["deep"]
    net = make()
    edited = deepen(net, example=rows)
    torch.testing.assert_close(edited.module(*rows), net(*rows))
    assert sum(p.numel() for p in edited.module.parameters()) == sum(p.numel() for p in net.parameters()) + 72


def test_the_last_activation_goes_and_hidden_ones_stay():
    make, rows = NETWORKS["deep"]
    net = make()
    edited = without_last_activation(net, example=rows)
    assert edited.changed == ("5: Softmax -> Identity",)
    torch.testing.assert_close(edited.module(*rows), net[:5](*rows))
    assert "-  (5): Softmax(dim=1)\n+  (5): Identity()" in edited.diff


def test_outputs_are_scaled_whatever_stands_around_the_last_layer():
    make, rows = NETWORKS["mlp"]
    net = make()
    center, scale = [100.0, -5.0, 0.0], [10.0, 2.0, 1.0]
    edited = scale_outputs(net, center, scale, example=rows)
    expected = net(*rows) * torch.tensor(scale) + torch.tensor(center)
    torch.testing.assert_close(edited.module(*rows), expected)
    assert [p.shape for p in edited.module.parameters()] == [p.shape for p in net.parameters()]
    assert "(scaled): Scaled(center=[100.0, -5.0, 0.0], scale=[10.0, 2.0, 1.0])" in edited.diff


@pytest.mark.parametrize(
    "net", [nn.Conv2d(1, 3, 3), nn.Sequential(nn.Flatten(), nn.Linear(16, 2))], ids=["no linear layer", "two"]
)
def test_outputs_that_do_not_fit_the_targets_are_left_alone(net):
    assert not scale_outputs(net, [1.0] * 3, [2.0] * 3, example=[torch.randn(2, 1, 4, 4)]).changed


def test_a_layer_that_is_used_twice_is_not_scaled():
    shared = nn.Linear(4, 4)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    assert not scale_outputs(net, [1.0] * 4, [2.0] * 4, example=[torch.randn(2, 4)]).changed


def test_edits_stack_and_each_can_be_undone():
    make, rows = NETWORKS["deep"]
    net = make()
    wide = widen(net, 2, example=rows)
    maxout = put_maxout(wide.module, example=rows)
    dropped = set_dropout(maxout.module, 0.3, example=rows)
    assert dropped.original is maxout.module
    assert dropped.original is not net
    assert maxout.original is wide.module
    assert wide.original is net
    assert dropped.module(*rows).shape == (4, 3)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda net, rows: put_maxout(net, example=rows, pieces=1), "1 pieces"),
        (lambda net, rows: widen(net, 0.5, example=rows), "0.5"),
        (lambda net, rows: normalise(net, "group", example=rows), "group"),
    ],
)
def test_settings_that_make_no_sense_are_refused(edit, word):
    make, rows = NETWORKS["mlp"]
    with pytest.raises(PlanError, match=word):
        edit(make(), rows)
