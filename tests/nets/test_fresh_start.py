"""Weights start afresh on a copy; nothing else changes."""

from __future__ import annotations

import pytest
import torch
from tests.nets.test_surgery import ROWS, Tangled, plain
from torch import nn

from goodfit.errors import PlanError
from goodfit.nets.fresh_start import reinitialise


def test_a_fresh_start_reaches_weighted_layers_and_nothing_else():
    net = Tangled()
    net.norm.weight.data.fill_(3.0)
    edited = reinitialise(net, "he", example=ROWS)
    assert edited.changed == ("first: he start", "second: he start", "last: he start")
    assert torch.equal(edited.module.norm.weight, net.norm.weight)
    assert not torch.equal(edited.module.first.weight, net.first.weight)
    assert edited.module.first.bias.abs().max() == 0


def test_the_last_layer_starts_without_the_activations_gain():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 100))
    edited = reinitialise(net, "orthogonal", example=[torch.randn(2, 100)]).module
    assert edited[0].weight.norm(2, dim=1).mean().item() == pytest.approx(2**0.5, rel=1e-4)
    assert edited[2].weight.norm(2, dim=1).mean().item() == pytest.approx(1.0, rel=1e-4)


def test_an_unknown_start_is_refused_by_name():
    with pytest.raises(PlanError, match="'zeros'"):
        reinitialise(plain(), "zeros", example=ROWS)
