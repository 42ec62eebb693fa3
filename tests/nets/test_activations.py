from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from goodfit.errors import PlanError, ShapeError
from goodfit.nets.activations import (
    ACTIVATIONS,
    Maxout,
    activation_module,
    activation_named,
    apply,
    bounds,
    maxout,
    name_of,
)

NAMES = tuple(ACTIVATIONS)
every_activation = pytest.mark.parametrize("name", NAMES)
Z = torch.linspace(-3, 3, 41)


def pieces_with_slopes(*slopes: float) -> nn.Sequential:
    """Make one Maxout unit whose pieces are lines through zero."""
    net = nn.Sequential(nn.Linear(1, len(slopes), bias=False), Maxout(len(slopes)))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(slopes).unsqueeze(1))
    return net


def test_the_eight_activations_are_there():
    assert set(NAMES) == {"sigmoid", "tanh", "relu", "leaky-relu", "prelu", "maxout", "gelu", "silu"}


@every_activation
def test_the_stacked_form_is_the_module(name):
    z_KNU = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    module = activation_module(name, pieces=4)
    slope = getattr(module, "weight", None)
    torch.testing.assert_close(apply(name, z_KNU, pieces=4, slope=slope), module(z_KNU))


def test_prelu_has_one_slope_per_candidate():
    z_KNU = torch.full((2, 1, 3), -2.0)
    a_KNU = apply("prelu", z_KNU, slope=torch.tensor([0.1, 0.5]).view(2, 1, 1))
    torch.testing.assert_close(a_KNU[:, 0, 0], torch.tensor([-0.2, -1.0]))
    with pytest.raises(PlanError, match="no slope"):
        apply("prelu", z_KNU)


@every_activation
def test_bounds_are_reached_far_out_and_nowhere_crossed(name):
    far = torch.tensor([-1e4, 1e4]).repeat_interleave(2)
    a = activation_module(name)(far)
    low, high = bounds(name)
    assert low <= a.min()
    assert a.max() <= high
    if activation_named(name).bounds:
        assert (a.min().item(), a.max().item()) == pytest.approx((low, high))
    else:
        assert a.max() > 1000


@pytest.mark.parametrize("name", ["relu", "leaky-relu", "prelu", "gelu", "silu", "maxout"])
def test_the_gain_keeps_the_size_of_a_standard_normal(name):
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(1))
    mean_square = activation_module(name)(z).square().mean().item()
    assert activation_named(name).gain ** 2 * mean_square == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(("name", "torchs"), [("sigmoid", "sigmoid"), ("tanh", "tanh"), ("relu", "relu")])
def test_the_gain_is_torchs_where_torch_has_one(name, torchs):
    assert activation_named(name).gain == nn.init.calculate_gain(torchs)
    assert activation_named("leaky-relu").gain == nn.init.calculate_gain("leaky_relu", 0.01)


@every_activation
def test_an_activation_is_recognised(name):
    assert name_of(activation_module(name)) == name
    assert name_of(nn.Linear(1, 1)) is None


def test_relu_is_maxout_with_a_piece_held_at_zero():
    torch.testing.assert_close(pieces_with_slopes(1.0, 0.0)(Z.unsqueeze(1)).squeeze(1), torch.relu(Z))


def test_leaky_relu_is_maxout_with_a_piece_held_at_its_slope():
    expected = nn.functional.leaky_relu(Z, 0.01)
    torch.testing.assert_close(pieces_with_slopes(1.0, 0.01)(Z.unsqueeze(1)).squeeze(1), expected)


def test_the_absolute_value_is_maxout_too_which_no_relu_unit_can_be():
    torch.testing.assert_close(pieces_with_slopes(1.0, -1.0)(Z.unsqueeze(1)).squeeze(1), Z.abs())


@pytest.mark.parametrize("pieces", [2, 3, 5])
def test_a_maxout_unit_is_convex_with_as_many_lines_as_pieces(pieces):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, pieces), Maxout(pieces)).double()
    a = net(torch.linspace(-50, 50, 4001, dtype=torch.float64).unsqueeze(1)).squeeze(1).detach()
    slopes = a.diff()
    assert slopes.diff().min() > -1e-9
    assert len(slopes.round(decimals=9).unique()) <= 2 * pieces - 1  # one more wherever a step spans a bend


def test_only_the_winning_piece_gets_gradient():
    z_NUP = torch.tensor([[[1.0, -2.0, 0.0], [0.5, 3.0, 3.0]]], requires_grad=True)
    maxout(z_NUP).sum().backward()
    assert z_NUP.grad[0, 0].tolist() == [1.0, 0.0, 0.0]
    assert sorted(z_NUP.grad[0, 1].tolist()) == [0.0, 0.0, 1.0]  # a tie has one winner, not two halves


def test_the_pieces_of_a_unit_lie_side_by_side():
    assert Maxout(3)(torch.tensor([[1.0, 5.0, 2.0, -1.0, -7.0, -3.0]])).tolist() == [[5.0, -1.0]]


def test_behind_a_convolution_the_pieces_are_channels():
    z_NCHW = torch.randn(2, 6, 4, 5)
    a_NCHW = Maxout(3, dim=1)(z_NCHW)
    assert a_NCHW.shape == (2, 2, 4, 5)
    assert torch.equal(a_NCHW[:, 1], z_NCHW[:, 3:].amax(1))


def test_maxout_runs_under_vmap():
    z_KNU = torch.randn(3, 4, 6)
    assert torch.equal(torch.vmap(Maxout(2))(z_KNU), Maxout(2)(z_KNU))


def test_one_piece_is_nothing_to_choose_from():
    with pytest.raises(ShapeError, match=r"\(4, 5, 1\)"):
        maxout(torch.zeros(4, 5, 1))


def test_features_that_the_pieces_cannot_share_are_refused():
    with pytest.raises(ShapeError, match="3 pieces got 7 features"):
        Maxout(3)(torch.zeros(2, 7))


def test_a_misspelt_activation_is_answered_with_the_closest():
    with pytest.raises(PlanError, match="write leaky-relu"):
        activation_named("leaky_relu")


def test_bounds_are_infinite_without_saturation():
    assert bounds("relu") == (-math.inf, math.inf)
