"""Optimizers of the user's own on the flat buffer take the steps that they take alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from tests.engine.moves.test_descent import LAYOUT, TOTAL, descent_of, gradient_of, start_of, walk
from torch import nn, optim

from goodfit.engine.candidate import Candidate
from goodfit.engine.training.loop import train
from goodfit.rules.base import rule_named
from goodfit.rules.from_torch import rule_of
from goodfit.rules.own import Group, Own
from goodfit.rules.schedules import Cosine
from goodfit.tensors import views

KINDS = {
    "NAdam": {"betas": (0.8, 0.99), "momentum_decay": 0.01},
    "RAdam": {"weight_decay": 0.1},
    "Adam": {"amsgrad": True},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adamax": {},
    "Rprop": {},
    "Adagrad": {"initial_accumulator_value": 0.5},
}
NAMES = tuple(LAYOUT.names)


def own(kind, *, lr=0.05, groups=((NAMES, 1.0),), **settings):
    made = tuple(
        Group(names=names, settings=(("lr", lr * share), *settings.items())) for names, share in groups
    )
    return Own(lr=max(group.lr for group in made), kind=getattr(optim, kind), groups=made)


def alone(rule, start_P, *, counts=range(1, 11), factor=lambda count: 1.0):
    """Step torch's optimizer itself on one candidate."""
    w_P = start_P.clone()
    parameters = {name: nn.Parameter(values) for name, values in views(w_P, LAYOUT).items()}
    groups = [
        {**dict(group.settings), "params": [parameters[name] for name in group.names]}
        for group in rule.groups
    ]
    optimizer = rule.kind(groups)
    rates = [group["lr"] for group in optimizer.param_groups]
    for count in counts:
        gradients = views(gradient_of(w_P[None], count)[0], LAYOUT)
        for name, parameter in parameters.items():
            parameter.grad = gradients[name].clone()
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * rule.lr / rule.own_lr * factor(count)
        optimizer.step()
    return w_P


@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_moves_as_it_does_alone(kind):
    rules = [own(kind, lr=lr, **KINDS[kind]) for lr in (0.03, 0.05)]
    rules.append(replace(rules[0], lr=0.01))  # as an edit of the plan lowers it
    start_KP = start_of(3)
    flat_KP = walk([make_plan(rule=rule) for rule in rules], start_KP.clone())
    for rule, start_P, w_P in zip(rules, start_KP, flat_KP, strict=True):
        torch.testing.assert_close(w_P, alone(rule, start_P), rtol=1e-9, atol=1e-12)


def test_groups_keep_their_proportion_under_edits_and_schedules():
    rule = own("SGD", groups=((("bias", "norm.weight"), 0.1), (("weight",), 1.0)), momentum=0.5)
    rule, schedule = replace(rule, lr=0.02), Cosine(warmup=0.0)
    start_KP = start_of(1)
    flat_KP = walk([make_plan(rule=rule, schedule=schedule)], start_KP.clone())
    expected = alone(rule, start_KP[0], factor=lambda count: schedule.factor(count - 1, TOTAL))
    torch.testing.assert_close(flat_KP[0], expected, rtol=1e-9, atol=1e-12)


def test_those_who_stay_go_on_where_the_buffer_moves():
    rules = [own("NAdam", lr=lr) for lr in (0.03, 0.05, 0.07)]
    plans = [make_plan(rule=rule_named("gradient-descent", lr=0.1)), *(make_plan(rule=r) for r in rules)]
    start_KP = start_of(4)
    flat_KP = start_KP.clone()
    descent = descent_of(plans, flat_KP)
    walk(plans, flat_KP, descent=descent)
    index_M = torch.tensor([1, 3])
    descent.keep(index_M)
    flat_MP = walk(plans, flat_KP[index_M].clone(), counts=range(11, 16), descent=descent)
    for rule, start_P, w_P in zip((rules[0], rules[2]), start_KP[[1, 3]], flat_MP, strict=True):
        torch.testing.assert_close(w_P, alone(rule, start_P, counts=range(1, 16)), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double")
def test_a_population_trains_alike_by_an_own_optimizer_and_by_the_rule_that_it_equals():
    def trained(rule):
        plans = [make_plan(rule=replace(rule, lr=lr), epochs=3) for lr in (0.05, 0.1)]
        candidates = [Candidate(arm="own", plan=plan, seed=seed) for seed, plan in enumerate(plans)]
        return train(candidates, make_split())

    one, other = (
        trained(own("SGD", lr=0.1, groups=(((), 1.0),))),
        trained(rule_named("gradient-descent", lr=0.1)),
    )
    for mine, rules in zip(one, other, strict=True):
        assert mine.history.train_loss == pytest.approx(rules.history.train_loss, rel=1e-9)
        assert (mine.history.rule, rules.history.rule) == ("SGD", "gradient-descent")


def test_a_layer_that_an_edit_adds_follows_its_neighbours():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))

    def make(model):
        slow = {"params": model[0].parameters(), "lr": 0.01}
        return optim.SGD([slow, {"params": model[1].parameters()}], lr=0.1)

    rule, _ = rule_of(make, network)
    added = {"0.norm.weight": torch.ones(3), "1.norm.bias": torch.ones(1), "0.weight": torch.ones(3, 3)}
    parameters = {name: nn.Parameter(values) for name, values in added.items()}
    groups = rule.on(parameters).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    found = {name: rates[id(parameter)] for name, parameter in parameters.items()}
    assert found == {"0.norm.weight": 0.01, "0.weight": 0.01, "1.norm.bias": 0.1}


def test_penalties_and_decay_go_on_beside_it():
    rule = replace(own("SGD", lr=0.1), weight_decay=0.3)
    start_KP = start_of(1)
    flat_KP = start_KP.clone()
    descent_of([make_plan(rule=rule)], flat_KP).step(flat_KP, torch.zeros_like(flat_KP), count=1)
    torch.testing.assert_close(flat_KP[:, :6], start_KP[:, :6] * 0.97, rtol=1e-12, atol=0)
    assert torch.equal(flat_KP[:, 6:], start_KP[:, 6:])
    decaying = own("AdamW", weight_decay=0.1)
    assert dict(decaying.without_decay().groups[0].settings)["weight_decay"] == 0
