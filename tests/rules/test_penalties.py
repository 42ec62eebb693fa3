from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from goodfit.rules.descent import GradientDescent
from goodfit.rules.penalties import clip_by_norm, decoupled_decay, l1_gradient, l2_gradient


def by_autograd(penalty, w: torch.Tensor) -> torch.Tensor:
    w = w.clone().requires_grad_()
    penalty(w).sum().backward()
    return w.grad


W_KP = torch.tensor([[-3.0, 0.0, 0.25], [2.0, -1e-9, 1e4]], dtype=torch.float64)
STRENGTH_K1 = torch.tensor([[0.1], [0.7]], dtype=torch.float64)


def test_the_l1_gradient_differentiates_the_penalty_for_each_candidate():
    expected = by_autograd(lambda w: STRENGTH_K1 * w.abs(), W_KP)
    torch.testing.assert_close(l1_gradient(W_KP, STRENGTH_K1), expected, rtol=1e-12, atol=0)


def test_the_l2_gradient_differentiates_half_the_square_for_each_candidate():
    expected = by_autograd(lambda w: STRENGTH_K1 / 2 * w.square(), W_KP)
    torch.testing.assert_close(l2_gradient(W_KP, STRENGTH_K1), expected, rtol=1e-12, atol=0)


def test_l2_is_what_torch_calls_weight_decay():
    w_P = torch.nn.Parameter(W_KP[0].clone())
    w_P.grad = torch.ones_like(w_P)
    torch.optim.SGD([w_P], lr=0.5, weight_decay=0.1).step()
    g_P = torch.ones(3, dtype=torch.float64) + l2_gradient(W_KP[0], 0.1)
    change_P, _ = GradientDescent.update(g_P, {}, {"lr": 0.5}, 1)
    torch.testing.assert_close(W_KP[0] + change_P, w_P.detach(), rtol=1e-12, atol=0)


def test_for_gradient_descent_decoupled_decay_is_l2():
    g_KP, lr = torch.ones_like(W_KP), 0.3
    through_gradient = W_KP - lr * (g_KP + l2_gradient(W_KP, STRENGTH_K1))
    decoupled = decoupled_decay(W_KP, lr, STRENGTH_K1) - lr * g_KP
    torch.testing.assert_close(decoupled, through_gradient, rtol=1e-12, atol=1e-15)


def test_decay_leaves_masked_parameters_bit_for_bit():
    decayed_KP = decoupled_decay(W_KP, 0.3, STRENGTH_K1, torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64))
    assert torch.equal(decayed_KP[:, 2], W_KP[:, 2])
    torch.testing.assert_close(decayed_KP[:, 0], W_KP[:, 0] * torch.tensor([0.97, 0.79], dtype=torch.float64))


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_a_clipped_gradient_keeps_its_direction_and_has_at_most_the_norm(scale, max_norm):
    g_KP = scale * torch.tensor([[3.0, 4.0], [0.6, -0.8]], dtype=torch.float64)
    clipped_KP = clip_by_norm(g_KP, max_norm)
    for g_P, clipped_P in zip(g_KP, clipped_KP, strict=True):
        expected = min(g_P.norm().item(), max_norm)
        assert clipped_P.norm().item() == pytest.approx(expected, rel=1e-12)
        torch.testing.assert_close(clipped_P / clipped_P.norm(), g_P / g_P.norm())


def test_each_candidate_is_clipped_by_its_own_limit_alone():
    g_KP = torch.tensor([[30.0, 40.0], [3.0, 4.0], [30.0, 40.0]])
    limits_K1 = torch.tensor([[5.0], [5.0], [math.inf]])
    expected_KP = torch.tensor([[3.0, 4.0], [3.0, 4.0], [30.0, 40.0]])
    torch.testing.assert_close(clip_by_norm(g_KP, limits_K1), expected_KP)


def test_a_zero_gradient_is_clipped_to_zero():
    assert torch.equal(clip_by_norm(torch.zeros(2, 3), 1.0), torch.zeros(2, 3))


def test_a_diverged_candidate_does_not_touch_the_others():
    g_KP = torch.tensor([[math.inf, 1.0], [3.0, 4.0]])
    torch.testing.assert_close(clip_by_norm(g_KP, 1.0)[1], torch.tensor([0.6, 0.8]))
