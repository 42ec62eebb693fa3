from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from goodfit.errors import PlanError
from goodfit.rules.adaptive import AdamW
from goodfit.rules.base import Rule, rule_named

NAMES = ("gradient-descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
every_rule = pytest.mark.parametrize("name", NAMES)


def variants(name: str) -> list[Rule]:
    """Three settings of one rule that differ in every number."""
    shares = {"momentum", "alpha", "beta1", "beta2"}
    fields = rule_named(name, lr=0.1).hyperparameters()
    values = [{key: (0.2 + 0.3 * i if key in shares else 0.01 * 3**i) for key in fields} for i in range(3)]
    return [rule_named(name, **numbers) for numbers in values]


@every_rule
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_candidates_with_their_own_numbers_are_the_rules_one_by_one(name, seed):
    gradients_TKP = torch.randn(5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rules = variants(name)
    columns = {
        key: torch.tensor([[rule.hyperparameters()[key]] for rule in rules], dtype=torch.float64)
        for key in rules[0].hyperparameters()
    }
    together = type(rules[0]).start(gradients_TKP[0])
    alone = [rule.start(gradients_TKP[0, 0]) for rule in rules]
    for t, g_KP in enumerate(gradients_TKP, start=1):
        change_KP, together = rules[0].update(g_KP, together, columns, t)
        for k, rule in enumerate(rules):
            change_P, alone[k] = rule.update(g_KP[k], alone[k], rule.hyperparameters(), t)
            torch.testing.assert_close(change_KP[k], change_P, rtol=1e-12, atol=0.0)


@every_rule
def test_an_update_edits_nothing_that_it_is_given(name):
    rule = variants(name)[1]
    g = torch.tensor([1.0, -2.0])
    state = {slot: torch.tensor([0.5, 0.25]) for slot in rule.slots}
    before = {slot: tensor.clone() for slot, tensor in state.items()}
    change, new = rule.update(g, state, rule.hyperparameters(), 3)
    change.zero_()
    torch.testing.assert_close(g, torch.tensor([1.0, -2.0]), rtol=0, atol=0)
    assert set(new) == set(rule.slots)
    for slot, tensor in before.items():
        torch.testing.assert_close(state[slot], tensor, rtol=0, atol=0)


@every_rule
def test_a_parameter_that_never_had_a_gradient_stays(name):
    rule = rule_named(name, lr=0.1)
    g = torch.zeros(3)
    change, _ = rule.update(g, rule.start(g), rule.hyperparameters(), 1)
    assert change.abs().max() == 0


@every_rule
def test_a_rule_survives_json(name):
    for rule in variants(name):
        assert Rule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_weight_decay_is_no_number_of_the_update():
    assert set(AdamW(lr=0.1).hyperparameters()) == {"lr", "beta1", "beta2", "eps"}


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [
        ("gradient-descent", "lr", -0.1),
        ("gradient-descent", "lr", float("nan")),
        ("gradient-descent", "lr", float("inf")),
        ("gradient-descent", "weight_decay", -1.0),
        ("momentum", "momentum", 1.0),
        ("nesterov", "momentum", -0.5),
        ("rmsprop", "alpha", 1.5),
        ("adam", "beta1", 1.0),
        ("adamw", "beta2", float("nan")),
        ("adagrad", "eps", 0.0),
    ],
)
def test_a_number_outside_its_range_is_refused_by_value(name, number, value):
    with pytest.raises(PlanError, match=f"{number} is {value}"):
        rule_named(name, **{"lr": 0.1, number: value})


def test_a_misspelt_rule_is_answered_with_the_closest():
    with pytest.raises(PlanError, match="write rmsprop"):
        rule_named("rmspropp", lr=0.1)


def test_a_name_like_no_rule_is_answered_with_all_of_them():
    with pytest.raises(PlanError, match="gradient-descent, momentum"):
        rule_named("?", lr=0.1)


def test_an_unknown_number_is_answered_with_the_closest():
    with pytest.raises(PlanError, match="write momentum"):
        rule_named("momentum", lr=0.1, momentun=0.9)


def test_a_rule_without_a_learning_rate_is_refused():
    with pytest.raises(PlanError, match="no 'lr'"):
        rule_named("adam")


def test_rules_are_read_without_torch():
    code = (
        "import sys; from goodfit.rules.base import rule_named; import goodfit.rules.schedules;"
        "print(rule_named('adam', lr=0.1)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
