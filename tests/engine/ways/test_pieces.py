"""Pieces of a layer at the points where autograd is no witness."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.pieces import BY_HAND, Elementwise, MaxoutPieces, PRelu
from goodfit.nets.activations import ACTIVATIONS, activation_module

ROOM = Workspace(torch.zeros(1))


def test_every_activation_is_differentiated_by_hand():
    assert set(ACTIVATIONS) == BY_HAND


@pytest.mark.parametrize("kind", sorted(BY_HAND - {"maxout", "prelu"}))
def test_at_zero_the_slope_is_that_of_torchs_module(kind):
    z_KNU = torch.zeros(1, 2, 3, requires_grad=True)
    activation_module(kind)(z_KNU).sum().backward()
    piece = Elementwise("zero", kind, ROOM)
    piece.forward(torch.zeros(1, 2, 3))
    torch.testing.assert_close(piece.backward(torch.ones(1, 2, 3)), z_KNU.grad)


def test_prelu_at_zero_has_the_learnt_slope_as_torchs_module():
    slope_K1, gradient_K1 = torch.tensor([[0.3], [0.7]]), torch.empty(2, 1)
    piece = PRelu("prelu", slope_K1, gradient_K1, ROOM)
    z_KNU = torch.tensor([[[0.0, -2.0, 1.0]], [[0.0, -1.0, 3.0]]])
    piece.forward(z_KNU.clone())
    d_KNU = piece.backward(torch.ones_like(z_KNU))
    for k in range(2):
        module, z_NU = nn.PReLU(init=slope_K1[k].item()), z_KNU[k].clone().requires_grad_()
        module(z_NU).sum().backward()
        torch.testing.assert_close(d_KNU[k], z_NU.grad)
        torch.testing.assert_close(gradient_K1[k], module.weight.grad)


def test_of_equal_pieces_one_alone_receives_the_slope():
    piece = MaxoutPieces("maxout", 2, ROOM)
    assert torch.equal(piece.forward(torch.ones(1, 1, 4)), torch.ones(1, 1, 2))
    d_KNU = piece.backward(torch.tensor([[[5.0, 7.0]]]))
    assert sorted(d_KNU.flatten().tolist()) == [0.0, 0.0, 5.0, 7.0]
