from __future__ import annotations

import dataclasses
import math

import pytest
from torch import optim

from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.errors import RunFolderError
from goodfit.interop.script.prescribed import training_of
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes
from goodfit.rules.base import rule_named
from goodfit.rules.own import Group, Own
from goodfit.rules.schedules import Cosine, WarmUp
from goodfit.store.folder import load

SIZES = Sizes(inputs=(4,), outputs=3)
PLAN = Plan(
    network=MLP(widths=(8,)),
    loss=Loss(name="cross-entropy", kind="classes", num_outputs=3),
    rule=rule_named("adamw", lr=0.0006, weight_decay=0.1),
    schedule=Cosine(warmup=0.05),
    epochs=37,
    batch_size=32,
    l1=1e-4,
    l2=1e-3,
    dropout=0.25,
    input_dropout=0.1,
    label_smoothing=0.1,
    input_noise=0.3,
    mixup=0.2,
    shift=0.1,
    mirror=0.5,
    clip_norm=1.0,
    patience=7,
    averaging=0.99,
    ensemble=True,
)


@pytest.fixture
def record(flat):
    return load(flat[0]).run


def test_every_number_of_a_plan_is_read_back(record):
    run = dataclasses.replace(record, treated_plan=PLAN.describe(SIZES))
    training = training_of(run, members=3)
    for name in (
        "rule", "schedule", "epochs", "batch_size", "l1", "l2", "dropout", "input_dropout", "label_smoothing",
        "input_noise", "mixup", "shift", "mirror", "clip_norm", "patience", "averaging", "tail_averaging",
    ):  # fmt: skip
        assert getattr(training, name) == getattr(PLAN, name), name
    assert training.loss == "cross-entropy"
    assert (training.members, training.folds, training.unknown) == (3, 8, ())


@pytest.mark.parametrize(
    "rule",
    [
        rule_named("momentum", lr=0.1, momentum=0.8),
        rule_named("adam", lr=0.01, beta1=0.5, eps=1e-6),
        rule_named("rmsprop", lr=0.01, alpha=0.9),
    ],
    ids=lambda rule: rule.name,
)
def test_numbers_of_a_rule_that_are_not_the_usual_ones_are_read_back(rule, record):
    plan = dataclasses.replace(PLAN, rule=rule)
    training = training_of(dataclasses.replace(record, treated_plan=plan.describe(SIZES)), members=1)
    assert (training.rule, training.lr, training.unknown) == (rule, rule.lr, ())


def test_an_optimizer_of_ones_own_is_read_back_as_its_groups(record):
    groups = (
        Group(names=("a", "b"), settings=(("lr", 0.1), ("betas", (0.9, 0.99)))),
        Group(names=("c",), settings=(("lr", 0.01), ("betas", (0.8, 0.99)))),
    )
    plan = dataclasses.replace(PLAN, rule=Own(lr=0.2, kind=optim.NAdam, groups=groups))
    training = training_of(dataclasses.replace(record, treated_plan=plan.describe(SIZES)), members=1)
    twice = tuple(group.having(lr=2 * group.lr) for group in groups)
    assert (training.rule, training.lr) == (None, 0.2)
    assert training.optimizer == ("torch.optim:NAdam", twice)


def test_what_is_switched_off_stays_off(record):
    plain = dataclasses.replace(
        PLAN,
        rule=rule_named("momentum", lr=0.1),
        schedule=WarmUp(share=0.1),
        l1=0.0,
        clip_norm=math.inf,
        patience=None,
    )
    training = training_of(dataclasses.replace(record, treated_plan=plain.describe(SIZES)), members=12)
    assert (training.l1, training.clip_norm, training.patience) == (0.0, math.inf, None)
    assert (training.rule, training.schedule, training.folds) == (plain.rule, plain.schedule, 12)


def test_an_even_average_is_read_back(record):
    even = dataclasses.replace(PLAN, averaging=0.0, tail_averaging=0.25)
    training = training_of(dataclasses.replace(record, treated_plan=even.describe(SIZES)), members=1)
    assert (training.averaging, training.tail_averaging, training.averages) == (0.0, 0.25, True)


def test_a_word_of_another_version_is_kept_apart(record):
    words = (*PLAN.describe(SIZES), ("cutmix", "0.2"))
    assert training_of(dataclasses.replace(record, treated_plan=words), members=1).unknown == (
        ("cutmix", "0.2"),
    )


def test_a_damaged_plan_is_refused(record):
    with pytest.raises(RunFolderError, match="'schedule'"):
        training_of(dataclasses.replace(record, treated_plan=(("network", "4-8-3"),)), members=1)


def test_weights_of_rows_are_named_as_what_a_script_leaves_out(record):
    run = dataclasses.replace(
        record,
        treated_plan=PLAN.describe(SIZES),
        data=dataclasses.replace(record.data, is_weighted=True),
    )
    assert training_of(run, members=3).unknown == (("sample_weight", "(it counts every row once)"),)
