"""Every rule in place is the pure rule, step by step."""

from __future__ import annotations

import pytest
import torch

from goodfit.engine.moves.in_place import in_place
from goodfit.rules.adaptive import Adagrad, Adam, AdamW, RMSProp
from goodfit.rules.base import Rule
from goodfit.rules.descent import GradientDescent, Momentum, Nesterov

NUM_STEPS = 40
POPULATIONS = {
    "gradient-descent": (GradientDescent(lr=1e-5), GradientDescent(lr=1e-4), GradientDescent(lr=0.0)),
    "momentum": (Momentum(lr=1e-5), Momentum(lr=1e-4, momentum=0.0), Momentum(lr=1e-5, momentum=0.5)),
    "nesterov": (Nesterov(lr=1e-5), Nesterov(lr=1e-4, momentum=0.0), Nesterov(lr=1e-5, momentum=0.5)),
    "adagrad": (Adagrad(lr=0.1), Adagrad(lr=0.01, eps=1e-3), Adagrad(lr=0.1, eps=1e-15)),
    "rmsprop": (RMSProp(lr=0.1), RMSProp(lr=0.01, alpha=0.0), RMSProp(lr=0.1, alpha=0.5, eps=1e-15)),
    "adam": (Adam(lr=0.1), Adam(lr=0.01, beta1=0.0, eps=1e-15), Adam(lr=0.1, beta2=0.5)),
    "adamw": (AdamW(lr=0.1), AdamW(lr=0.01, beta1=0.0, eps=1e-15), AdamW(lr=0.1, beta2=0.5)),
}


@pytest.mark.parametrize("rules", POPULATIONS.values(), ids=POPULATIONS)
def test_forty_steps_down_valleys_of_curvature_1_to_10000(rules):
    generator = torch.Generator().manual_seed(0)
    curvature_P = torch.logspace(0, 4, 9, dtype=torch.float64)
    floor_P = torch.linspace(1, 3, 9, dtype=torch.float64)  # away from zero
    kind, move = type(rules[0]), in_place(type(rules[0]))
    pure_KP = floor_P + torch.randn(len(rules), 9, generator=generator, dtype=torch.float64)
    moved_KP = pure_KP.clone()
    numbers = [rule.hyperparameters() for rule in rules]
    hyper = {
        name: torch.tensor([[each[name]] for each in numbers], dtype=torch.float64) for name in numbers[0]
    }
    pure_state, moved_state = kind.start(pure_KP), kind.start(moved_KP)
    for t in range(1, NUM_STEPS + 1):
        noise_KP = torch.randn(pure_KP.shape, generator=generator, dtype=torch.float64)
        gradient_KP = curvature_P * (pure_KP - floor_P) + noise_KP
        change_KP, pure_state = kind.update(gradient_KP, pure_state, hyper, t)
        pure_KP = pure_KP + change_KP
        move(moved_KP, gradient_KP.clone(), moved_state, hyper, t=t)
        torch.testing.assert_close(moved_KP, pure_KP, rtol=1e-12, atol=1e-14)
        for slot in kind.slots:
            torch.testing.assert_close(moved_state[slot], pure_state[slot], rtol=1e-12, atol=1e-12)


def test_a_rule_that_is_known_in_its_pure_form_only_is_not_found():
    class Unknown(Rule):
        name = "unknown"

    assert in_place(Unknown) is None
