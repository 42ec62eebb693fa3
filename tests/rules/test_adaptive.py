from __future__ import annotations

import numpy as np
import pytest
import torch

from goodfit.rules.adaptive import Adagrad, Adam, AdamW, RMSProp

RTOL = 1e-12
TINY_TO_LARGE = pytest.mark.parametrize("eps", [1e-30, 1e-10, 1e-3, 10.0])


@TINY_TO_LARGE
def test_adagrad_is_its_formula(valley, eps):
    seen = []

    def change(g, t):
        seen.append(g)
        return -0.3 * g / (np.sqrt(np.sum(np.square(seen), axis=0)) + eps)

    by_paper = valley.walk_by_paper(change)
    np.testing.assert_allclose(valley.walk(Adagrad(lr=0.3, eps=eps)), by_paper, rtol=RTOL)


@TINY_TO_LARGE
def test_adagrad_is_torchs(valley, eps):
    by_torch = valley.walk_with_torch(torch.optim.Adagrad, lr=0.3, eps=eps)
    np.testing.assert_allclose(valley.walk(Adagrad(lr=0.3, eps=eps)), by_torch, rtol=RTOL)


@TINY_TO_LARGE
@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.99])
def test_rmsprop_is_its_formula(valley, alpha, eps):
    seen = []

    def change(g, t):
        seen.append(g)
        ages_T1 = np.arange(t - 1, -1, -1).reshape(-1, 1)
        mean = (1 - alpha) * np.sum(np.power(alpha, ages_T1) * np.square(seen), axis=0)
        return -0.01 * g / (np.sqrt(mean) + eps)

    by_paper = valley.walk_by_paper(change)
    path = valley.walk(RMSProp(lr=0.01, alpha=alpha, eps=eps))
    np.testing.assert_allclose(path, by_paper, rtol=RTOL)


@TINY_TO_LARGE
@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.99])
def test_rmsprop_is_torchs(valley, alpha, eps):
    by_torch = valley.walk_with_torch(torch.optim.RMSprop, lr=0.01, alpha=alpha, eps=eps)
    path = valley.walk(RMSProp(lr=0.01, alpha=alpha, eps=eps))
    np.testing.assert_allclose(path, by_torch, rtol=RTOL)


@TINY_TO_LARGE
@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.0, 0.9), (0.9, 0.0), (0.5, 0.5)])
def test_adam_is_algorithm_one_of_its_paper(valley, beta1, beta2, eps):
    m, v = np.zeros(9), np.zeros(9)

    def change(g, t):
        nonlocal m, v
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        return -0.02 * m_hat / (np.sqrt(v_hat) + eps)

    by_paper = valley.walk_by_paper(change)
    path = valley.walk(Adam(lr=0.02, beta1=beta1, beta2=beta2, eps=eps))
    np.testing.assert_allclose(path, by_paper, rtol=RTOL)


@TINY_TO_LARGE
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.9, 0.0), (0.5, 0.5)])
def test_adam_is_torchs(valley, betas, eps):
    by_torch = valley.walk_with_torch(torch.optim.Adam, lr=0.02, betas=betas, eps=eps)
    path = valley.walk(Adam(lr=0.02, beta1=betas[0], beta2=betas[1], eps=eps))
    np.testing.assert_allclose(path, by_torch, rtol=RTOL)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.5])
def test_adamw_is_torchs_with_its_decay(valley, weight_decay):
    by_torch = valley.walk_with_torch(torch.optim.AdamW, lr=0.02, weight_decay=weight_decay)
    path = valley.walk(AdamW(lr=0.02, weight_decay=weight_decay))
    np.testing.assert_allclose(path, by_torch, rtol=RTOL)


def test_adamw_decays_by_default_as_torchs_does(valley):
    by_torch = valley.walk_with_torch(torch.optim.AdamW, lr=0.02)
    np.testing.assert_allclose(valley.walk(AdamW(lr=0.02)), by_torch, rtol=RTOL)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    g_P = torch.tensor([1e-6, -1.0, 1e6], dtype=torch.float64)
    rule = Adam(lr=0.25, eps=1e-30)
    change_P, _ = rule.update(g_P, rule.start(g_P), rule.hyperparameters(), 1)
    torch.testing.assert_close(change_P, torch.tensor([-0.25, 0.25, -0.25], dtype=torch.float64))


def test_adagrad_with_means_and_a_decayed_rate_is_adagrad(valley):
    seen = []

    def change(g, t):
        seen.append(g)
        return -0.3 / np.sqrt(t) * g / np.sqrt(np.mean(np.square(seen), axis=0))

    by_lecture = valley.walk_by_paper(change)
    np.testing.assert_allclose(valley.walk(Adagrad(lr=0.3, eps=1e-30)), by_lecture, rtol=RTOL)
