"""What came after the lecture and helps on training data, judged by the same trials."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace
from typing import Any

from goodfit.engine.plan import Plan
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.recipe.on_training import activation
from goodfit.recipe.remedy import Edit, Remedy, is_linear
from goodfit.rules.schedules import Constant, Cosine

SMALL, LARGE = 0.1, 3.0
"""Deviations between which targets are in the reach of a fresh layer, if their mean is no larger either."""
STEEP = ("gradient-descent", "momentum", "nesterov")
"""Rules whose steps grow with the slope of the loss."""


def _setting(name: str, value: Any, *, on: tuple[type, ...]) -> Edit:
    """Edit that gives one field of the network another value, where the network has that field."""

    def edit(plan: Plan, dose: float) -> Plan:
        network = plan.network
        if not isinstance(network, on) or getattr(network, name) == value or is_linear(plan):
            return plan
        return replace(plan, network=replace(network, **{name: value}))

    return edit


def _skip(plan: Plan, dose: float) -> Plan:
    network = plan.network
    if isinstance(network, Given):
        return replace(plan, network=replace(network, skip=True))
    if not isinstance(network, MLP) or not any(a == b for a, b in itertools.pairwise(network.widths)):
        return plan  # only between layers of equal width is there something to add
    return replace(plan, network=replace(network, skip=True))


def _cosine(plan: Plan, dose: float) -> Plan:
    if not isinstance(plan.schedule, Constant):
        return plan
    return replace(plan, schedule=Cosine(warmup=dose))


def _clip(plan: Plan, dose: float) -> Plan:
    return replace(plan, clip_norm=min(plan.clip_norm, dose))


def _inputs(view: str) -> Edit:
    def edit(plan: Plan, dose: float) -> Plan:
        return replace(plan, inputs=view)

    return edit


def wider(plan: Plan, dose: float) -> Plan:
    """Edit that multiplies the width of every hidden layer by the dose."""
    if isinstance(plan.network, Given) and dose > 1:
        return replace(plan, network=replace(plan.network, widening=plan.network.widening * dose))
    if not isinstance(plan.network, MLP) or not plan.network.widths:
        return plan
    widths = tuple(round(width * dose) for width in plan.network.widths)
    return replace(plan, network=replace(plan.network, widths=widths))


def shallower(plan: Plan, dose: float) -> Plan:
    """Edit that keeps the first hidden layers, as many as the dose says."""
    if not isinstance(plan.network, MLP) or len(plan.network.widths) <= dose:
        return plan
    return replace(plan, network=replace(plan.network, widths=plan.network.widths[: int(dose)]))


def _plain_output(plan: Plan, dose: float) -> Plan:
    if not isinstance(plan.network, Given):
        return plan
    return replace(plan, network=replace(plan.network, plain_output=True))


def _usual_loss(plan: Plan, dose: float) -> Plan:
    usual = plan.loss.usual
    if not isinstance(plan.network, Given) or usual is None:
        return plan
    return replace(plan, network=replace(plan.network, plain_output=True), loss=usual)


def _scale_targets(plan: Plan, dose: float) -> Plan:
    contract, network = plan.loss.contract, plan.network
    if not isinstance(network, Given) or network.output_scale is not None or contract is None:
        return plan
    mean, std = contract.target_mean, contract.target_std
    if all(abs(c) <= LARGE and SMALL <= s <= LARGE for c, s in zip(mean, std, strict=True)):
        return plan  # they are of the size at which layers begin, or no numbers
    # the slope of the loss grows with what the outputs are multiplied by, which other rules divide out
    steepness = statistics.fmean(std) ** (2 if plan.loss.name == "squared" else 1)
    lr = plan.rule.lr / steepness if plan.rule.name in STEEP else plan.rule.lr
    scaled = replace(network, output_scale=(mean, std))
    return replace(plan, network=scaled, rule=replace(plan.rule, lr=lr))


def _deeper(plan: Plan, dose: float) -> Plan:
    if isinstance(plan.network, Given):
        return replace(plan, network=replace(plan.network, deepening=plan.network.deepening + 1))
    if not isinstance(plan.network, MLP) or not plan.network.widths:
        return plan
    widths = (*plan.network.widths, plan.network.widths[-1])
    return replace(plan, network=replace(plan.network, widths=widths))


def unregularised(plan: Plan, dose: float) -> Plan:
    """Edit that switches everything off that holds a network back."""
    return replace(
        plan,
        l1=0.0,
        l2=0.0,
        dropout=0.0,
        input_dropout=0.0,
        label_smoothing=0.0,
        input_noise=0.0,
        mixup=0.0,
        shift=0.0,
        mirror=0.0,
        rule=plan.rule.without_decay(),
    )


def _longer(plan: Plan, dose: float) -> Plan:
    return replace(plan, epochs=round(plan.epochs * dose))


BEYOND_ON_TRAINING = (
    Remedy(
        code="he-init",
        question="training",
        sentence="start with weights scaled for the activation (He)",
        edit=_setting("initialisation", "he", on=(MLP, CNN, Given)),
        source="beyond",
    ),
    Remedy(
        code="xavier-init",
        question="training",
        sentence="start with weights scaled for both directions (Xavier)",
        edit=_setting("initialisation", "xavier", on=(MLP, CNN, Given)),
        source="beyond",
    ),
    Remedy(
        code="batch-norm",
        question="training",
        sentence="normalise every layer's sums over the batch",
        edit=_setting("normalisation", "batch", on=(MLP, CNN, Given)),
        source="beyond",
    ),
    Remedy(
        code="layer-norm",
        question="training",
        sentence="normalise every layer's sums over its units",
        edit=_setting("normalisation", "layer", on=(MLP, Given)),
        source="beyond",
    ),
    Remedy(
        code="skip",
        question="training",
        sentence="add each layer's input to its output",
        edit=_skip,
        source="beyond",
    ),
    Remedy(
        code="scale-inputs",
        question="training",
        sentence="scale the inputs",
        edit=lambda plan, dose: replace(plan, inputs="scaled") if plan.inputs == "raw" else plan,
        source="beyond",
    ),
    Remedy(
        code="expand-inputs",
        question="training",
        sentence="show every number also through a piecewise-linear basis",
        edit=_inputs("expanded"),
        source="beyond",
    ),
    Remedy(
        code="cosine",
        question="training",
        sentence="let the learning rate rise over the first {dose} of the training and then fall to zero",
        edit=_cosine,
        doses=(0.05,),
        source="beyond",
    ),
    Remedy(
        code="clip",
        question="training",
        sentence="clip gradients to norm {dose}",
        edit=_clip,
        doses=(1.0,),
        source="beyond",
    ),
    Remedy(
        code="gelu",
        question="training",
        sentence="use GELU in the hidden layers",
        edit=activation("gelu"),
        source="beyond",
    ),
    Remedy(
        code="silu",
        question="training",
        sentence="use SiLU in the hidden layers",
        edit=activation("silu"),
        source="beyond",
    ),
    Remedy(
        code="shallower",
        question="training",
        sentence="keep only the first {dose} hidden layers",
        edit=shallower,
        doses=(3.0,),
        source="beyond",
    ),
    Remedy(
        code="wider",
        question="training",
        sentence="make the hidden layers {dose} times as wide",
        edit=wider,
        doses=(2.0,),
        source="beyond",
    ),
    Remedy(
        code="deeper",
        question="training",
        sentence="add a hidden layer",
        edit=_deeper,
        source="beyond",
    ),
    Remedy(
        code="longer",
        question="training",
        sentence="train {dose} times as long",
        edit=_longer,
        doses=(3.0,),
        source="beyond",
    ),
    Remedy(
        code="scale-targets",
        question="training",
        sentence="scale what the last layer puts out to the size of the targets",
        edit=_scale_targets,
        source="beyond",
    ),
    Remedy(
        code="plain-output",
        question="training",
        sentence="take the activation off the last layer",
        edit=_plain_output,
        source="beyond",
    ),
    Remedy(
        code="usual-loss",
        question="training",
        sentence="minimise cross-entropy (of numbers: squared error), with no activation at the end",
        edit=_usual_loss,
        source="beyond",
    ),
    Remedy(
        code="unregularised",
        question="training",
        sentence="train without penalties, decay, dropout and varied rows",
        edit=unregularised,
        source="beyond",
    ),
)
