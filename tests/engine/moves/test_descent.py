"""Every candidate's own rule, penalties and limits on one buffer."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.engine.conftest import make_plan

from goodfit.engine.moves.descent import Descent
from goodfit.rules.base import rule_named
from goodfit.rules.penalties import clip_by_norm, decoupled_decay, l1_gradient, l2_gradient
from goodfit.rules.schedules import Cosine
from goodfit.tensors import Layout

LAYOUT = Layout.of({"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "norm.weight": torch.zeros(2)})
WEIGHTS, OTHERS = slice(0, 6), slice(6, 11)
RULES = ("adagrad", "adam", "adamw", "gradient-descent", "momentum", "nesterov", "rmsprop")
TOTAL = 20


def plan_of(name="gradient-descent", *, lr=0.1, **changes):
    decay = changes.pop("weight_decay", 0.0)
    return make_plan(rule=replace(rule_named(name, lr=lr), weight_decay=decay), **changes)


def start_of(num_candidates, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_candidates, LAYOUT.num_parameters, generator=generator, dtype=torch.float64)


def descent_of(plans, flat_KP):
    return Descent(plans, flat_KP, layout=LAYOUT, total_steps=TOTAL)


def gradient_of(flat_KP, count):
    """A gradient that depends on a candidate's own weights and on the step alone."""
    steps_P = torch.arange(LAYOUT.num_parameters, dtype=torch.float64)
    return flat_KP * (1 + steps_P) + torch.sin(steps_P + count)


def walk(plans, flat_KP, *, counts=range(1, 11), descent=None):
    descent = descent or descent_of(plans, flat_KP)
    for count in counts:
        descent.step(flat_KP, gradient_of(flat_KP, count), count=count)
    return flat_KP


class TestPenalties:
    @pytest.mark.parametrize("changes", [{"l1": 0.3}, {"l2": 0.3}, {"weight_decay": 0.3}], ids=str)
    def test_they_act_on_weights_and_never_on_biases_and_normalisation(self, changes):
        start_KP = start_of(1)
        flat_KP = start_KP.clone()
        descent_of([plan_of(**changes)], flat_KP).step(flat_KP, torch.zeros_like(flat_KP), count=1)
        assert torch.equal(flat_KP[:, OTHERS], start_KP[:, OTHERS])
        weights_KP = start_KP[:, WEIGHTS]
        shrunk_KP = 0.1 * 0.3 * (weights_KP.sign() if "l1" in changes else weights_KP)
        torch.testing.assert_close(flat_KP[:, WEIGHTS], weights_KP - shrunk_KP, rtol=1e-12, atol=0)

    def test_each_candidate_has_its_own_strength(self):
        plans = [plan_of(l2=0.1), plan_of(), plan_of(l1=0.5), plan_of(l1=0.5, l2=0.2, weight_decay=0.1)]
        start_KP = start_of(4)
        together_KP = walk(plans, start_KP.clone())
        for k, plan in enumerate(plans):
            alone_1P = walk([plan], start_KP[k : k + 1].clone())
            torch.testing.assert_close(together_KP[k : k + 1], alone_1P, rtol=1e-12, atol=0)

    def test_l2_passes_through_adam_and_decay_does_not(self):
        """By Adam the first step has the length lr whatever the gradient; decay comes on top of it."""
        start_KP = start_of(2)
        flat_KP = start_KP.clone()
        plans = [plan_of("adam", lr=0.01, l2=0.5), plan_of("adam", lr=0.01, weight_decay=0.5)]
        descent_of(plans, flat_KP).step(flat_KP, torch.ones_like(flat_KP), count=1)
        through_P = start_KP[0, WEIGHTS] - 0.01 * (1 + 0.5 * start_KP[0, WEIGHTS]).sign()
        beside_P = start_KP[1, WEIGHTS] * (1 - 0.01 * 0.5) - 0.01
        torch.testing.assert_close(flat_KP[0, WEIGHTS], through_P, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(flat_KP[1, WEIGHTS], beside_P, rtol=1e-6, atol=1e-8)


class TestClipping:
    def test_each_candidates_whole_gradient_is_clipped_to_its_own_norm(self):
        start_KP = start_of(3)
        flat_KP, grad_KP = start_KP.clone(), torch.full_like(start_KP, 2.0)
        plans = [plan_of(clip_norm=0.5), plan_of(), plan_of(clip_norm=100.0)]
        descent_of(plans, flat_KP).step(flat_KP, grad_KP.clone(), count=1)
        norms_K = ((start_KP - flat_KP) / 0.1).norm(dim=1)
        whole = 2.0 * math.sqrt(LAYOUT.num_parameters)
        torch.testing.assert_close(norms_K, torch.tensor([0.5, whole, whole], dtype=torch.float64))

    def test_the_penalty_is_clipped_with_the_rest(self):
        start_KP = start_of(1)
        flat_KP = start_KP.clone()
        plan = plan_of(clip_norm=0.01, l2=10.0)
        descent_of([plan], flat_KP).step(flat_KP, torch.zeros_like(flat_KP), count=1)
        assert ((start_KP - flat_KP) / 0.1).norm().item() == pytest.approx(0.01)

    def test_a_diverged_neighbour_clips_nobody(self):
        flat_KP = start_of(2)
        start_P = flat_KP[1].clone()
        grad_KP = torch.ones_like(flat_KP)
        grad_KP[0] = math.nan
        descent_of([plan_of(clip_norm=1.0)] * 2, flat_KP).step(flat_KP, grad_KP, count=1)
        assert (start_P - flat_KP[1]).norm().item() == pytest.approx(0.1)

    def test_a_gradient_whose_norm_overflows_is_left_alone_where_nothing_is_clipped(self):
        flat_KP = start_of(2).float()
        grad_KP = torch.full_like(flat_KP, 1e30)
        descent_of([plan_of(clip_norm=1.0), plan_of(lr=1e-30)], flat_KP).step(flat_KP, grad_KP, count=1)
        assert torch.isfinite(flat_KP[1]).all()


def test_penalties_clipping_and_decay_are_those_of_the_pure_functions():
    plan = plan_of(l1=0.3, l2=0.2, clip_norm=1.5, weight_decay=0.4, lr=0.05)
    flat_KP = start_of(1)
    w_KP, mask_P = flat_KP.clone(), LAYOUT.mask("weight").double()
    g_KP = gradient_of(w_KP, 1)
    g_KP = clip_by_norm(g_KP + (l1_gradient(w_KP, 0.3) + l2_gradient(w_KP, 0.2)) * mask_P, 1.5)
    expected_KP = decoupled_decay(w_KP, 0.05, 0.4, mask_P) - 0.05 * g_KP
    together_KP = walk([plan, plan_of()], torch.cat([flat_KP, flat_KP]), counts=[1])
    torch.testing.assert_close(together_KP[:1], expected_KP, rtol=1e-12, atol=1e-14)


class TestSegments:
    def test_every_rule_moves_its_own_rows_as_it_would_alone(self):
        plans = [plan_of(name, lr=lr) for name in RULES for lr in (0.01, 0.03)]
        start_KP = start_of(len(plans))
        together_KP = walk(plans, start_KP.clone())
        for k, plan in enumerate(plans):
            w_P, state = start_KP[k].clone(), plan.rule.start(start_KP[k])
            for t in range(1, 11):
                g_P = gradient_of(w_P, t)
                decays_P = LAYOUT.mask("weight").double()
                w_P = w_P * (1 - plan.rule.lr * plan.rule.weight_decay * decays_P)
                change_P, state = plan.rule.update(g_P, state, plan.rule.hyperparameters(), t)
                w_P = w_P + change_P
            torch.testing.assert_close(together_KP[k], w_P, rtol=1e-11, atol=1e-14, msg=plan.rule.name)

    def test_the_schedule_scales_each_candidates_rate_at_each_step(self):
        schedule = Cosine(warmup=0.2)
        plans = [plan_of(schedule=schedule), plan_of()]
        flat_KP = torch.zeros(2, LAYOUT.num_parameters, dtype=torch.float64)
        descent = descent_of(plans, flat_KP)
        for count in range(1, TOTAL + 1):
            before_KP = flat_KP.clone()
            descent.step(flat_KP, torch.ones_like(flat_KP), count=count)
            moved_K = (before_KP - flat_KP)[:, 0]
            assert moved_K[0].item() == pytest.approx(0.1 * schedule.factor(count - 1, TOTAL), abs=1e-14)
            assert moved_K[1].item() == pytest.approx(0.1)


class TestKeep:
    @pytest.mark.parametrize("kept", [[0, 3, 5], [1], [2, 4], [0, 1, 2, 3, 4, 5]], ids=str)
    def test_those_who_stay_walk_on_as_if_nobody_had_left(self, kept):
        plans = [
            plan_of("adam", lr=0.02, l2=0.1),
            plan_of("adam", lr=0.05, clip_norm=0.5),
            plan_of("gradient-descent", l1=0.1),
            plan_of("momentum", lr=0.01, weight_decay=0.2),
            plan_of("momentum", lr=0.02, schedule=Cosine()),
            plan_of("rmsprop", lr=0.01),
        ]
        start_KP = start_of(len(plans))
        expected_KP = walk(plans, start_KP.clone())[kept]
        flat_KP = start_KP.clone()
        descent = descent_of(plans, flat_KP)
        walk(plans, flat_KP, counts=range(1, 6), descent=descent)
        flat_MP = flat_KP[kept].clone()
        descent.keep(torch.tensor(kept))
        walk(plans, flat_MP, counts=range(6, 11), descent=descent)
        assert torch.equal(flat_MP, expected_KP)
