"""Every remedy edits what it says, and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import re
from dataclasses import replace

import pytest
import torch.nn.functional as F  # noqa: N812
from tests.recipe.conftest import BARE
from torch import nn

from goodfit.engine.goodness.contract import Contract
from goodfit.engine.goodness.losses import Loss
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.recipe.order import RECIPE
from goodfit.recipe.remedy import Treatment
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine

EXPANDED = replace(BARE, inputs="expanded")
REGULARISED = replace(
    BARE,
    **{"l1": 0.1, "l2": 0.2, "dropout": 0.3, "input_dropout": 0.4, "label_smoothing": 0.5},
    **{"input_noise": 0.1, "mixup": 0.2, "shift": 0.3, "mirror": 0.4},
    rule=replace(BARE.rule, weight_decay=0.6),
)
GIVEN = replace(BARE, network=Given(factory=nn.Linear))
SHARES = Contract(output_shape=(2,), function=lambda shares, truth: (shares - F.one_hot(truth, 2)).square())
OF_SHARES = Loss(name="own", kind="classes", num_outputs=2, contract=SHARES, is_share=True)
PRICES = Loss(
    name="squared",
    kind="numbers",
    num_outputs=1,
    contract=Contract(output_shape=(1,), target_mean=(200.0,), target_std=(50.0,)),
)
SCALED = replace(BARE, inputs="scaled")
PATIENTS = {
    "plain-inputs": EXPANDED,
    "unregularised": REGULARISED,
    "plain-output": GIVEN,
    "usual-loss": replace(GIVEN, loss=OF_SHARES),
    "scale-targets": replace(GIVEN, loss=PRICES),
    "input-noise": SCALED,
}

EDITS = {
    "relu": {"network.activation": "relu", "network.initialisation": "he"},
    "leaky-relu": {"network.activation": "leaky-relu", "network.initialisation": "he"},
    "prelu": {"network.activation": "prelu", "network.initialisation": "he"},
    "maxout": {"network.activation": "maxout", "network.initialisation": "he"},
    "gelu": {"network.activation": "gelu", "network.initialisation": "he"},
    "silu": {"network.activation": "silu", "network.initialisation": "he"},
    "adam": {"rule": rule_named("adam", lr=1e-3)},
    "rmsprop": {"rule": rule_named("rmsprop", lr=1e-3)},
    "adagrad": {"rule": rule_named("adagrad", lr=1e-2)},
    "momentum": {"rule": rule_named("momentum", lr=0.1)},
    "nesterov": {"rule": rule_named("nesterov", lr=0.1)},
    "cross-entropy": {"loss.name": "cross-entropy"},
    "lr-up": {"rule.lr": pytest.approx(0.3)},
    "lr-down": {"rule.lr": pytest.approx(0.03)},
    "he-init": {"network.initialisation": "he"},
    "xavier-init": {"network.initialisation": "xavier"},
    "batch-norm": {"network.normalisation": "batch"},
    "layer-norm": {"network.normalisation": "layer"},
    "skip": {"network.skip": True},
    "scale-inputs": {"inputs": "scaled"},
    "expand-inputs": {"inputs": "expanded"},
    "cosine": {"schedule": Cosine(warmup=0.05)},
    "clip": {"clip_norm": 1.0},
    "shallower": {"network.widths": (16,) * 3},
    "wider": {"network.widths": (32,) * 5},
    "deeper": {"network.widths": (16,) * 6},
    "longer": {"epochs": 60},
    "plain-output": {"network.plain_output": True},
    "scale-targets": {
        "network.output_scale": ((200.0,), (50.0,)),
        "rule.lr": pytest.approx(BARE.rule.lr / 2500),
    },
    "usual-loss": {
        "network.plain_output": True,
        "loss.name": "cross-entropy",
        "loss.contract.function": None,
        "loss.is_share": False,
    },
    "unregularised": {
        **dict.fromkeys(
            ("l1", "l2", "dropout", "input_dropout", "label_smoothing", "rule.weight_decay"), 0.0
        ),
        **dict.fromkeys(("input_noise", "mixup", "shift", "mirror"), 0.0),
    },
    "early-stopping": {"patience": 4},
    "dropout": {"dropout": 0.25},
    "l2": {"l2": 1e-2},
    "weight-decay": {"rule.weight_decay": 1.0},
    "l1": {"l1": 1e-3},
    "ensemble": {"ensemble": True},
    "input-dropout": {"input_dropout": 0.2},
    "label-smoothing": {"label_smoothing": 0.1},
    "averaging": {"averaging": 0.99},
    "tail-averaging": {"tail_averaging": 0.25},
    "input-noise": {"input_noise": 0.1},
    "mixup": {"mixup": 0.2},
    "shift": {"shift": 0.1},
    "mirror": {"mirror": 0.5},
    "larger-steps": {"rule.lr": pytest.approx(0.3)},
    "plain-inputs": {"inputs": "scaled"},
    "smaller": {"network.widths": (8,) * 5},
}
RELATIVE = {"lr-up", "lr-down", "larger-steps", "wider", "smaller", "deeper", "longer"}
"""Remedies that change a number by a factor, and so can be taken again."""
OF_HIDDEN_LAYERS = {
    *("relu", "leaky-relu", "prelu", "maxout", "gelu", "silu", "he-init", "xavier-init"),
    *("batch-norm", "layer-norm", "skip", "shallower", "wider", "smaller", "dropout"),
}
OF_GIVEN = {"plain-output", "usual-loss", "scale-targets"}

every_remedy = pytest.mark.parametrize("remedy", RECIPE, ids=lambda remedy: remedy.code)


def patient_for(remedy):
    return PATIENTS.get(remedy.code, BARE)


def differences(before, after):
    """Name of each field that differs to its new value; records of one kind are compared field by field."""
    found = {}
    for field in dataclasses.fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if dataclasses.is_dataclass(old) and type(old) is type(new):
            found |= {f"{field.name}.{name}": value for name, value in differences(old, new).items()}
        elif old != new:
            found[field.name] = new
    return found


@every_remedy
def test_it_edits_what_it_says_and_nothing_else(remedy):
    patient = patient_for(remedy)
    assert differences(patient, remedy.treat(patient, remedy.doses[0])) == EDITS[remedy.code]


@every_remedy
def test_the_plan_it_is_given_stays_as_it_was(remedy):
    for patient in (BARE, EXPANDED):
        before = copy.deepcopy(patient)
        for dose in remedy.doses:
            remedy.treat(patient, dose)
        assert patient == before


@every_remedy
def test_it_changes_nothing_where_it_was_taken_already(remedy):
    once = remedy.treat(patient_for(remedy), remedy.doses[0])
    again = remedy.treat(once, remedy.doses[0])
    assert (again == once) == (remedy.code not in RELATIVE)


@every_remedy
def test_each_dose_makes_another_plan(remedy):
    treated = [remedy.treat(patient_for(remedy), dose) for dose in remedy.doses]
    assert len(set(treated)) == len(remedy.doses)


SEVERAL_DOSES = [remedy for remedy in RECIPE if len(remedy.doses) > 1 and remedy.code not in RELATIVE]


@pytest.mark.parametrize("remedy", SEVERAL_DOSES, ids=lambda remedy: remedy.code)
def test_of_two_doses_for_testing_the_stronger_holds_and_for_training_the_first(remedy):
    for first, second in itertools.permutations(remedy.doses[:2]):
        kept = max(first, second) if remedy.question == "testing" else first
        twice = remedy.treat(remedy.treat(BARE, first), second)
        assert twice == remedy.treat(BARE, kept)


@every_remedy
def test_edits_of_hidden_layers_leave_a_linear_network_alone(remedy):
    linear = replace(patient_for(remedy), network=MLP(widths=()))
    is_left_alone = remedy.treat(linear, remedy.doses[0]) == linear
    assert is_left_alone == (remedy.code in OF_HIDDEN_LAYERS | OF_GIVEN | {"deeper"})


@pytest.mark.parametrize(
    "network", [CNN(channels=(4,)), Given(factory=nn.Linear)], ids=lambda network: network.kind
)
@every_remedy
def test_any_network_can_be_offered_any_remedy(remedy, network):
    patient = replace(patient_for(remedy), network=network)
    treated = remedy.treat(patient, remedy.doses[0])
    assert treated.network.kind == network.kind
    of_layers = {"layer-norm", "skip", "wider", "deeper", *OF_GIVEN}
    if remedy.code in {"shallower", "smaller"}:
        assert treated == patient
    elif remedy.code in of_layers:
        assert (treated == patient) == (network.kind != "given")


@pytest.mark.parametrize(
    ("code", "edit"),
    [
        ("maxout", {"network.activation": "maxout", "network.initialisation": "he"}),
        ("batch-norm", {"network.normalisation": "batch"}),
        ("skip", {"network.skip": True}),
        ("wider", {"network.widening": 2.0}),
        ("deeper", {"network.deepening": 1}),
    ],
)
def test_a_given_network_is_told_what_to_do_with_its_layers(code, edit):
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == code)
    assert differences(GIVEN, remedy.treat(GIVEN, remedy.doses[0])) == edit


@pytest.mark.parametrize("code", ["cross-entropy", "label-smoothing"])
def test_what_is_made_for_classes_leaves_numbers_alone(code):
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == code)
    numbers = replace(BARE, loss=Loss(name="squared", kind="numbers", num_outputs=1))
    assert remedy.treat(numbers, remedy.doses[0]) == numbers


def test_another_rule_keeps_the_weight_decay():
    decaying = replace(BARE, rule=rule_named("gradient-descent", lr=0.1, weight_decay=0.3))
    rules = [remedy for remedy in RECIPE if "rule" in EDITS[remedy.code]]
    assert {remedy.code for remedy in rules} >= {"adam", "rmsprop", "adagrad", "momentum"}
    for remedy in rules:
        assert remedy.treat(decaying, remedy.doses[0]).rule.weight_decay == 0.3


@pytest.mark.parametrize(("lr", "is_treated"), [(1e-6, True), (2e-4, False), (5e-3, False), (0.3, True)])
def test_a_rule_at_a_rate_far_from_its_usual_one_is_taken_anew(lr, is_treated):
    plan = replace(BARE, rule=rule_named("adam", lr=lr))
    adam = next(remedy for remedy in RECIPE if remedy.code == "adam")
    treated = adam.treat(plan, 1e-3)
    assert treated.rule.lr == (1e-3 if is_treated else lr)
    assert (treated == plan) == (not is_treated)


def test_adam_is_no_change_for_a_plan_that_has_adam_with_its_decay():
    plan = replace(BARE, rule=rule_named("adamw", lr=1e-3, weight_decay=0.1))
    adam = next(remedy for remedy in RECIPE if remedy.code == "adam")
    assert adam.treat(plan, 5e-3) == plan


@pytest.mark.parametrize(("widths", "skips"), [((16, 8, 4), False), ((16, 8, 8), True), ((16,), False)])
def test_skips_are_offered_only_where_two_layers_are_equally_wide(widths, skips):
    plan = replace(BARE, network=MLP(widths=widths))
    skip = next(remedy for remedy in RECIPE if remedy.code == "skip")
    assert (skip.treat(plan, 0.0) != plan) is skips


def test_of_two_ways_to_average_the_weights_a_plan_has_one():
    by_code = {remedy.code: remedy for remedy in RECIPE}
    decaying, even = (
        by_code[code].treat(BARE, dose) for code, dose in (("averaging", 0.99), ("tail-averaging", 0.25))
    )
    assert by_code["tail-averaging"].treat(decaying, 0.25) == decaying
    assert by_code["averaging"].treat(even, 0.99) == decaying


def test_no_noise_is_added_to_inputs_of_unknown_scale():
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == "input-noise")
    assert remedy.treat(BARE, 0.1) == BARE


def test_early_stopping_waits_a_share_of_the_epochs_and_never_less_than_three():
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == "early-stopping")
    for epochs, patience in ((5, 3), (20, 4), (100, 20)):
        assert remedy.treat(replace(BARE, epochs=epochs), 0.2).patience == patience


def test_clipping_only_ever_lowers_the_limit():
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == "clip")
    assert remedy.treat(replace(BARE, clip_norm=0.2), 1.0).clip_norm == 0.2
    assert remedy.treat(replace(BARE, clip_norm=math.inf), 1.0).clip_norm == 1.0


def test_layers_too_narrow_to_halve_are_left_alone():
    (remedy,) = (remedy for remedy in RECIPE if remedy.code == "smaller")
    narrow = replace(BARE, network=MLP(widths=(64, 7)))
    assert remedy.treat(narrow, 0.5) == narrow


class TestRecord:
    @every_remedy
    def test_it_belongs_to_one_question(self, remedy):
        assert remedy.question in ("training", "testing")

    @every_remedy
    def test_its_sentence_says_the_dose_it_has_a_place_for(self, remedy):
        for dose in remedy.doses:
            said = remedy.say(dose)
            assert "{" not in said
            assert (f"{dose:g}" in re.split(r"[ )]", said)) == ("{dose}" in remedy.sentence)

    @every_remedy
    def test_several_doses_can_be_told_apart(self, remedy):
        assert len({remedy.say(dose) for dose in remedy.doses}) == len(remedy.doses)
        names = {Treatment(remedy=remedy, dose=dose, plan=BARE).name for dose in remedy.doses}
        assert len(names) == len(remedy.doses)

    def test_codes_are_unique_in_the_whole_recipe(self):
        codes = [remedy.code for remedy in RECIPE]
        assert len(codes) == len(set(codes))

    def test_only_the_vote_of_all_seeds_needs_no_training(self):
        assert [remedy.code for remedy in RECIPE if not remedy.trains] == ["ensemble"]

    def test_a_treatment_is_named_by_its_code_and_by_its_dose_where_there_are_several(self):
        by_code = {remedy.code: remedy for remedy in RECIPE}
        assert Treatment(remedy=by_code["relu"], dose=0.0, plan=BARE).name == "relu"
        assert Treatment(remedy=by_code["l2"], dose=1e-3, plan=BARE).name == "l2 0.001"
        assert Treatment(remedy=by_code["clip"], dose=1.0, plan=BARE).name == "clip"


@pytest.mark.parametrize("is_fitting", [True, False])
def test_a_loss_of_numbers_of_the_users_own_is_exchanged_only_if_it_prefers_others(is_fitting):
    contract = replace(SHARES, is_fitting=is_fitting)
    plan = replace(GIVEN, loss=Loss(name="own", kind="numbers", num_outputs=2, contract=contract))
    remedy = next(remedy for remedy in RECIPE if remedy.code == "usual-loss")
    treated = remedy.treat(plan, 0.0)
    assert (treated == plan) == is_fitting
    assert is_fitting or (treated.loss.name, treated.loss.is_own) == ("squared", False)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.5,), (0.3,)), ((-2.0,), (1.2,)), ((), ())],
    ids=["shares", "of usual size", "no numbers"],
)
def test_targets_that_need_no_scale_get_none(mean, std):
    loss = replace(PRICES, contract=replace(PRICES.contract, target_mean=mean, target_std=std))
    remedy = next(remedy for remedy in RECIPE if remedy.code == "scale-targets")
    assert remedy.treat(replace(GIVEN, loss=loss), 0.0) == replace(GIVEN, loss=loss)


def test_rules_that_divide_the_slope_out_keep_their_rate_beside_scaled_targets():
    remedy = next(remedy for remedy in RECIPE if remedy.code == "scale-targets")
    plan = replace(GIVEN, loss=PRICES, rule=rule_named("adam", lr=1e-3))
    assert remedy.treat(plan, 0.0).rule == plan.rule
