"""What a network is before its first step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from goodfit.watch.notes.fresh import FreshNotes, are_copies


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Conv1d(1, 5, 3), nn.ReLU(), nn.Linear(6, 2))


def test_frozen_numbers_are_counted():
    net = network()
    net[0].requires_grad_(False)
    record = FreshNotes(net).record()
    assert record.num_parameters == sum(parameter.numel() for parameter in net.parameters())
    assert record.num_frozen == 6 * 8 + 8


def test_scales_are_those_of_hidden_weights():
    net = network()
    scales = dict(FreshNotes(net).record().scales)
    assert scales.keys() == {"0", "2"}
    for name, layer in (("0", net[0]), ("2", net[2])):
        fan_in = layer.weight[0].numel()
        expected = layer.weight.detach().double().std(correction=0) * fan_in**0.5
        assert scales[name] == pytest.approx(float(expected), rel=1e-5)


def test_scales_do_not_matter_where_sums_are_normalised():
    assert FreshNotes(nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 2))).record().scales == ()


def test_few_weights_tell_no_scale():
    narrow = nn.Sequential(
        nn.Linear(1, 7), nn.Tanh(), nn.Linear(7, 1), nn.Tanh(), nn.Linear(1, 8), nn.Linear(8, 2)
    )
    assert dict(FreshNotes(narrow).record().scales).keys() == {"4"}


def test_copies_that_a_step_makes_different_are_no_finding():
    net = network()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.5)
    notes = FreshNotes(net)
    assert notes.record().twin_layers == ("0", "2")
    net[0].weight.data[3, 2] += 0.1
    notes.look()
    assert notes.record().twin_layers == ("2",)


def test_weights_that_are_no_numbers_are_no_copies():
    assert not are_copies(torch.full((8, 3), float("nan")))
    assert not are_copies(torch.zeros(3, 8))


def test_layers_that_have_no_weights_yet_are_left_out():
    record = FreshNotes(nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 2))).record()
    assert (record.num_parameters, record.scales) == (18, ())


def test_to_look_changes_nothing():
    net = network()
    before = copy.deepcopy(net.state_dict())
    FreshNotes(net).look()
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
