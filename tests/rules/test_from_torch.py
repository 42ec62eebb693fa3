"""The rule that is read out of an optimizer takes the optimizer's own steps."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from torch import nn, optim

from goodfit.errors import PlanError
from goodfit.rules.from_torch import rule_of
from goodfit.rules.own import Own

MAKERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.8),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.03, betas=(0.8, 0.98), eps=1e-6),
    "adamw": lambda p: optim.AdamW(p, lr=0.03, weight_decay=0.0),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
}


class Secretive(optim.Optimizer):
    """Keeps a setting to itself that no group of parameters tells."""

    def __init__(self, params, lr=0.1, sign=1.0):
        super().__init__(params, {"lr": lr})
        self.sign = sign

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(self.sign * group["lr"] * parameter.grad)


class Rateless(Secretive):
    """Has no rate."""

    def __init__(self, params):
        optim.Optimizer.__init__(self, params, {})


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_forty_steps_are_the_optimizers_own(make):
    rule, l2 = rule_of(make, nn.Linear(3, 1))
    assert l2 == 0
    own = torch.linspace(-2, 2, 6, dtype=torch.float64).requires_grad_()
    optimizer = make([own])
    curvature = torch.logspace(0, 1, 6, dtype=torch.float64)
    w_KP = own.detach().clone()[None]
    hyper = {
        name: torch.tensor([[value]], dtype=torch.float64) for name, value in rule.hyperparameters().items()
    }
    state = rule.start(w_KP)
    for count in range(1, 41):
        own.grad = curvature * own.detach()
        optimizer.step()
        change_KP, state = rule.update(curvature * w_KP, state, hyper, count)
        w_KP = w_KP + change_KP
        torch.testing.assert_close(w_KP[0], own.detach(), rtol=1e-10, atol=1e-12)


def test_weight_decay_is_an_l2_penalty_but_for_adamw():
    net = nn.Linear(3, 1)
    rule, l2 = rule_of(lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01), net)
    assert (rule.weight_decay, l2) == (0.0, 0.01)
    rule, l2 = rule_of(lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.02), net)
    assert (rule.name, rule.weight_decay, l2) == ("adamw", 0.02, 0.0)


def test_a_function_of_the_model_gets_the_model():
    rule, _ = rule_of(lambda model: optim.Adam(model.parameters(), lr=0.01), nn.Linear(3, 1))
    assert (rule.name, rule.lr) == ("adam", 0.01)


def test_frozen_parameters_may_be_left_out():
    net = nn.Sequential(nn.Linear(3, 3).requires_grad_(False), nn.Linear(3, 1))
    assert rule_of(lambda p: optim.SGD(p, lr=0.1), net)[0].name == "gradient-descent"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda p: optim.LBFGS(p), "LBFGS cannot take steps"),
        (lambda p: optim.SparseAdam(p), "SparseAdam cannot take steps"),
        (lambda p: optim.SGD(p, lr=0.1, maximize=True), "maximize"),
        (lambda p: Secretive(p, 0.1, sign=-1.0), "takes other steps"),
        (lambda p: Rateless(p), "no lr"),
        (lambda p: optim.SGD(p[:1], lr=0.1), "bias"),
        (lambda p: 3, "int"),
        (lambda p: optim.SGD(), "TypeError"),
    ],
)
def test_what_no_rule_can_do_is_refused_by_name(make, word):
    with pytest.raises(PlanError, match=word) as caught:
        rule_of(make, nn.Linear(3, 1))
    assert caught.value.fix


OWN = {
    "NAdam": lambda p: optim.NAdam(p, momentum_decay=0.01),
    "RAdam": lambda p: optim.RAdam(p),
    "Adam": lambda p: optim.Adam(p, amsgrad=True),
    "RMSprop": lambda p: optim.RMSprop(p, momentum=0.9),
    "SGD": lambda p: optim.SGD([{"params": p[:1], "lr": 1.0}, {"params": p[1:]}], lr=0.1, momentum=0.9),
    "Secretive": Secretive,
}


@pytest.mark.parametrize("name", OWN)
def test_what_no_rule_equals_is_a_rule_of_its_own(name):
    rule, l2 = rule_of(OWN[name], nn.Linear(3, 1))
    assert (type(rule), rule.label, l2) == (Own, name, 0.0)
    assert rule.lr == max(group.lr for group in rule.groups)
    assert sorted(n for group in rule.groups for n in group.names) == ["bias", "weight"]
    assert pickle.loads(pickle.dumps(rule)) == rule
    with pytest.raises(TypeError, match="moves parameters itself"):
        rule.update(torch.zeros(1), {}, rule.hyperparameters(), 1)


def test_decay_that_spares_biases_and_normalisation_is_goodfits_own():
    def split(model):
        parameters = list(model.parameters())
        weights = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.05}
        return optim.AdamW([weights, {"params": [p for p in parameters if p.ndim == 1]}], weight_decay=0.0)

    def by_layer(model):
        return optim.AdamW(
            [{"params": model[0].parameters(), "weight_decay": 0.05}, {"params": model[1].parameters()}],
            weight_decay=0.0,
        )

    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    rule, _ = rule_of(split, network)
    assert (rule.name, rule.weight_decay) == ("adamw", 0.05)
    assert rule_of(by_layer, network)[0].name == "own"


def test_a_class_made_on_the_spot_has_no_place_where_it_is_found_again():
    typed = {}
    exec("import torch\nclass Typed(torch.optim.SGD): pass", {"__name__": "__main__"}, typed)

    class Local(optim.SGD):
        pass

    for kind in (typed["Typed"], Local):
        rule, _ = rule_of(kind, nn.Linear(3, 1))
        assert json.loads(rule.particulars["optimizer"])["source"] == ""
    assert json.loads(rule_of(Secretive, nn.Linear(3, 1))[0].particulars["optimizer"])["source"].endswith(
        "test_from_torch.py:Secretive"
    )
