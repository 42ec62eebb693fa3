from __future__ import annotations

import numpy as np
import pytest
import torch

from goodfit.rules.descent import GradientDescent, Momentum, Nesterov

RTOL = 1e-12
LR = 1.5e-4


def test_gradient_descent_is_its_formula(valley):
    by_paper = valley.walk_by_paper(lambda g, t: -LR * g)
    np.testing.assert_allclose(valley.walk(GradientDescent(lr=LR)), by_paper, rtol=RTOL)


def test_gradient_descent_is_torchs(valley):
    by_torch = valley.walk_with_torch(torch.optim.SGD, lr=LR)
    np.testing.assert_allclose(valley.walk(GradientDescent(lr=LR)), by_torch, rtol=RTOL)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_momentum_is_its_formula(valley, momentum):
    v_P = np.zeros(9)

    def change(g, t):
        nonlocal v_P
        v_P = momentum * v_P - LR * g
        return v_P

    by_paper = valley.walk_by_paper(change)
    np.testing.assert_allclose(valley.walk(Momentum(lr=LR, momentum=momentum)), by_paper, rtol=RTOL)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_momentum_is_torchs_while_the_rate_is_constant(valley, momentum):
    by_torch = valley.walk_with_torch(torch.optim.SGD, lr=LR, momentum=momentum)
    np.testing.assert_allclose(valley.walk(Momentum(lr=LR, momentum=momentum)), by_torch, rtol=RTOL)


def test_momentum_keeps_moving_when_the_rate_drops_to_zero_and_torchs_stops():
    g_P, momentum = torch.ones(1), 0.5
    _, state = Momentum.update(g_P, {"v": torch.zeros(1)}, {"lr": 1.0, "momentum": momentum}, 1)
    change_P, _ = Momentum.update(g_P, state, {"lr": 0.0, "momentum": momentum}, 2)
    assert change_P.item() == -0.5
    w_P = torch.nn.Parameter(torch.zeros(1))
    w_P.grad = g_P
    walker = torch.optim.SGD([w_P], lr=1.0, momentum=momentum)
    walker.step()
    walker.param_groups[0]["lr"] = 0.0
    walker.step()
    assert w_P.item() == -1.0


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_nesterov_is_torchs_while_the_rate_is_constant(valley, momentum):
    by_torch = valley.walk_with_torch(torch.optim.SGD, lr=LR, momentum=momentum, nesterov=True)
    np.testing.assert_allclose(valley.walk(Nesterov(lr=LR, momentum=momentum)), by_torch, rtol=RTOL)


def test_nesterov_is_sutskevers_form_seen_from_the_looked_ahead_point(valley):
    momentum = 0.9
    w_P, v_P, seen = valley.start.copy(), np.zeros(9), []
    for step in range(valley.num_steps):
        v_P = momentum * v_P - LR * valley.gradient(w_P + momentum * v_P, step)
        w_P = w_P + v_P
        seen.append(w_P + momentum * v_P)
    path = valley.walk(Nesterov(lr=LR, momentum=momentum))
    np.testing.assert_allclose(path, np.array(seen), rtol=RTOL)
