"""A valley with curvatures from 1 to 10 000, and two ways to walk down it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from goodfit.rules.base import Rule
from goodfit.rules.penalties import decoupled_decay

NUM_STEPS = 40
CURVATURE_P = np.logspace(0, 4, 9)
FLOOR_P = np.linspace(1.0, 3.0, 9)  # away from zero, where a relative tolerance would mean nothing
START_P = FLOOR_P + np.array([1.0, -1.0, 0.5, -0.5, 0.1, -0.1, 0.01, -2.0, 2.0])
NOISE_TP = np.random.default_rng(0).normal(size=(NUM_STEPS, 9))  # so that gradients never die out


class Valley:
    """The loss c/2 (w - floor)^2 with a noisy gradient."""

    start = START_P
    num_steps = NUM_STEPS

    def gradient(self, w_P: np.ndarray, step: int) -> np.ndarray:
        return CURVATURE_P * (w_P - FLOOR_P) + NOISE_TP[step]

    def walk_by_paper(self, change: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        """Follow ``change(gradient, t)`` with t from 1; returns the path ``(T, P)``."""
        w_P, path = self.start.copy(), []
        for step in range(NUM_STEPS):
            w_P = w_P + change(self.gradient(w_P, step), step + 1)
            path.append(w_P)
        return np.array(path)

    def walk(self, rule: Rule) -> np.ndarray:
        w_P, path = torch.tensor(self.start), []
        state = rule.start(w_P)
        for step in range(NUM_STEPS):
            g_P = torch.tensor(self.gradient(w_P.numpy(), step))
            change_P, state = rule.update(g_P, state, rule.hyperparameters(), step + 1)
            w_P = decoupled_decay(w_P, rule.lr, rule.weight_decay) + change_P
            path.append(w_P.numpy())
        return np.array(path)

    def walk_with_torch(self, optimizer: type[torch.optim.Optimizer], **settings: object) -> np.ndarray:
        w_P, path = torch.nn.Parameter(torch.tensor(self.start)), []
        walker = optimizer([w_P], **settings)
        for step in range(NUM_STEPS):
            w_P.grad = torch.tensor(self.gradient(w_P.detach().numpy(), step))
            walker.step()
            path.append(w_P.detach().numpy().copy())
        return np.array(path)


@pytest.fixture
def valley() -> Valley:
    return Valley()
