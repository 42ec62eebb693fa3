"""A plan refuses what cannot be trained, and says itself in a few words."""

from __future__ import annotations

import dataclasses
import math

import pytest
from tests.engine.conftest import make_plan

from goodfit.engine.goodness.losses import Loss
from goodfit.errors import PlanError
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine

SIZES = Sizes(inputs=(5,), outputs=3)


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("epochs", 0, "at least 1"),
        ("batch_size", -16, "at least 1"),
        ("l1", -0.25, "at least 0"),
        ("l2", -1e-3, "at least 0"),
        ("dropout", 1.0, "at least 0 and below 1"),
        ("dropout", -0.1, "at least 0 and below 1"),
        ("dropout", math.nan, "at least 0 and below 1"),
        ("input_dropout", 1.5, "at least 0 and below 1"),
        ("label_smoothing", 1.0, "at least 0 and below 1"),
        ("averaging", 1.0, "at least 0 and below 1"),
        ("tail_averaging", 1.0, "at least 0 and below 1"),
        ("shift", -0.1, "at least 0 and below 1"),
        ("mirror", 1.1, "at least 0 and at most 1"),
        ("mixup", math.inf, "at least 0, and finite"),
        ("input_noise", -1.0, "at least 0, and finite"),
        ("clip_norm", 0.0, "above 0"),
        ("clip_norm", math.nan, "above 0"),
        ("patience", 0, "at least 1 epoch"),
    ],
)
def test_a_number_outside_its_range_is_named_with_what_it_should_be(name, value, limit):
    with pytest.raises(PlanError) as caught:
        make_plan(**{name: value})
    assert caught.value.message == f"{name} is {value!r}"
    assert caught.value.fix == f"let {name} be {limit}"


def test_weights_are_averaged_in_one_way():
    with pytest.raises(PlanError, match=r"tail_averaging is 0\.25") as caught:
        make_plan(averaging=0.99, tail_averaging=0.25)
    assert caught.value.fix == "let tail_averaging be 0 beside averaging"


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 1, "batch_size": 1},
        {"l1": 0.0, "l2": 0.0, "dropout": 0.0, "averaging": 0.0, "label_smoothing": 0.0},
        {"dropout": 0.999, "clip_norm": 1e-9, "patience": 1},
        {"clip_norm": math.inf, "patience": None},
    ],
    ids=str,
)
def test_the_ends_of_the_ranges_are_allowed(changes):
    plan = make_plan(**changes)
    assert all(getattr(plan, name) == value for name, value in changes.items())


def test_a_plan_with_all_off_says_eight_things():
    plan = make_plan(batch_size=32, lr=0.003, epochs=7)
    assert plan.describe(SIZES) == (
        ("network", "5-7-6-3 tanh"),
        ("loss", "cross-entropy"),
        ("rule", "adam"),
        ("lr", "0.003"),
        ("schedule", plan.schedule.name),
        ("epochs", "7"),
        ("batch size", "32"),
        ("inputs", "scaled"),
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": rule_named("adamw", lr=0.1, weight_decay=0.05)}, ("weight decay", "0.05")),
        ({"l1": 1e-4}, ("L1", "0.0001")),
        ({"l2": 0.5}, ("L2", "0.5")),
        ({"dropout": 0.25}, ("dropout", "0.25")),
        ({"input_dropout": 0.1}, ("input dropout", "0.1")),
        ({"label_smoothing": 0.1}, ("label smoothing", "0.1")),
        ({"input_noise": 0.3}, ("input noise", "0.3")),
        ({"mixup": 0.2}, ("mixup", "0.2")),
        ({"shift": 0.1}, ("shift", "0.1")),
        ({"mirror": 0.5}, ("mirror", "0.5")),
        ({"tail_averaging": 0.25}, ("tail averaging", "0.25")),
        ({"clip_norm": 1.0}, ("clip norm", "1")),
        ({"patience": 5}, ("early stopping patience", "5")),
        ({"averaging": 0.99}, ("weight averaging", "0.99")),
        ({"ensemble": True}, ("ensemble", "yes")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_switched_on_is_said_and_nothing_else(changes, said):
    assert make_plan(**changes).describe(SIZES)[8:] == (said,)


@pytest.mark.parametrize(
    "changes",
    [
        {"network": MLP(widths=(7,))},
        {"loss": Loss(name="squared", kind="classes", num_outputs=3)},
        {"inputs": "raw"},
        {"batch_size": 8},
        {"epochs": 5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_candidates_that_differ_in_structure_share_no_stack(changes):
    assert make_plan(**changes).structure != make_plan().structure


def test_whatever_else_differs_shares_a_stack():
    other = make_plan(
        rule="momentum", lr=0.5, schedule=Cosine(), l1=0.1, dropout=0.3, patience=3, averaging=0.9
    )
    assert other.structure == make_plan().structure
    assert other != make_plan()


def test_a_plan_cannot_be_changed_and_equal_plans_are_one():
    plan = make_plan()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.epochs = 3
    assert len({plan, make_plan()}) == 1
