"""What came after the lecture and helps on testing data, judged by the same trials."""

from __future__ import annotations

from dataclasses import replace

from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP
from goodfit.recipe.beyond_on_training import wider
from goodfit.recipe.on_training import scale_lr
from goodfit.recipe.remedy import Remedy


def _smaller(plan: Plan, dose: float) -> Plan:
    if isinstance(plan.network, MLP) and min(plan.network.widths, default=0) < 8:
        return plan
    return wider(plan, dose)


def _input_dropout(plan: Plan, dose: float) -> Plan:
    return plan if plan.input_dropout >= dose else replace(plan, input_dropout=dose)


def _label_smoothing(plan: Plan, dose: float) -> Plan:
    if plan.loss.kind != "classes" or plan.label_smoothing >= dose:
        return plan
    return replace(plan, label_smoothing=dose)


def _averaging(plan: Plan, dose: float) -> Plan:
    return plan if plan.averaging >= dose else replace(plan, averaging=dose, tail_averaging=0.0)


def _tail_averaging(plan: Plan, dose: float) -> Plan:
    if plan.averaging or plan.tail_averaging >= dose:
        return plan
    return replace(plan, tail_averaging=dose)


def _input_noise(plan: Plan, dose: float) -> Plan:
    # the numbers of raw inputs have sizes of their own, for which no one strength is right
    return plan if plan.inputs == "raw" or plan.input_noise >= dose else replace(plan, input_noise=dose)


def _mixup(plan: Plan, dose: float) -> Plan:
    return plan if plan.mixup >= dose else replace(plan, mixup=dose)


def _shift(plan: Plan, dose: float) -> Plan:
    return plan if plan.shift >= dose else replace(plan, shift=dose)


def _mirror(plan: Plan, dose: float) -> Plan:
    return plan if plan.mirror >= dose else replace(plan, mirror=dose)


def _ensemble(plan: Plan, dose: float) -> Plan:
    return replace(plan, ensemble=True)


BEYOND_ON_TESTING = (
    Remedy(
        code="ensemble",
        question="testing",
        sentence="let all seeds vote instead of one",
        edit=_ensemble,
        source="beyond",
        trains=False,
    ),
    Remedy(
        code="input-dropout",
        question="testing",
        sentence="silence a share of {dose} of the inputs at each step",
        edit=_input_dropout,
        doses=(0.2, 0.1),  # Srivastava et al., JMLR 15, 2014, keep 0.8 of the inputs
        source="beyond",
    ),
    Remedy(
        code="label-smoothing",
        question="testing",
        sentence="spread {dose} of every target over all classes",
        edit=_label_smoothing,
        doses=(0.1, 0.3),
        source="beyond",
    ),
    Remedy(
        code="averaging",
        question="testing",
        sentence="average the weights over the last steps (decay {dose})",
        edit=_averaging,
        doses=(0.99,),
        source="beyond",
    ),
    Remedy(
        code="tail-averaging",
        question="testing",
        sentence="average the weights evenly over the last {dose} of the training",
        edit=_tail_averaging,
        doses=(0.25,),
        source="beyond",
    ),
    Remedy(
        code="input-noise",
        question="testing",
        sentence="add normal noise of deviation {dose} to the inputs at each step",
        edit=_input_noise,
        doses=(0.1, 0.3),
        source="beyond",
    ),
    Remedy(
        code="mixup",
        question="testing",
        sentence="learn from mixtures of two rows (Beta {dose})",
        edit=_mixup,
        doses=(0.2, 1.0),
        source="beyond",
    ),
    Remedy(
        code="shift",
        question="testing",
        sentence="shift every image by up to {dose} of its size at each step",
        edit=_shift,
        doses=(0.1, 0.2),
        source="beyond",
    ),
    Remedy(
        code="mirror",
        question="testing",
        sentence="mirror a share of {dose} of the images left to right at each step",
        edit=_mirror,
        doses=(0.5,),
        source="beyond",
    ),
    Remedy(
        code="larger-steps",
        question="testing",
        sentence="take steps {dose} times as large, which pass by what single rows would teach",
        edit=scale_lr,
        doses=(3.0,),  # Li, Wei and Ma, NeurIPS 2019: a large rate learns easy patterns that hold elsewhere
        source="beyond",
    ),
    Remedy(
        code="plain-inputs",
        question="testing",
        sentence="show every number only once, without the piecewise-linear basis",
        edit=lambda plan, dose: replace(plan, inputs="scaled") if plan.inputs == "expanded" else plan,
        source="beyond",
    ),
    Remedy(
        code="smaller",
        question="testing",
        sentence="make the hidden layers {dose} times as wide",
        edit=_smaller,
        doses=(0.5,),
        source="beyond",
    ),
)
