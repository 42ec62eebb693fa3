"""What helps on testing data, by the lecture: early stopping, regularisation, dropout."""

from __future__ import annotations

from dataclasses import replace

from goodfit.engine.plan import Plan
from goodfit.recipe.remedy import Remedy, is_linear


def _early_stopping(plan: Plan, dose: float) -> Plan:
    if plan.patience is not None:
        return plan
    return replace(plan, patience=max(3, round(dose * plan.epochs)))


def _l2(plan: Plan, dose: float) -> Plan:
    return plan if plan.l2 >= dose else replace(plan, l2=dose)


def _l1(plan: Plan, dose: float) -> Plan:
    return plan if plan.l1 >= dose else replace(plan, l1=dose)


def _weight_decay(plan: Plan, dose: float) -> Plan:
    # a decay per epoch rather than per step would depend on the data; the usual product of rate and decay
    # does not
    return (
        plan if plan.rule.weight_decay >= dose else replace(plan, rule=replace(plan.rule, weight_decay=dose))
    )


def _dropout(plan: Plan, dose: float) -> Plan:
    return plan if plan.dropout >= dose or is_linear(plan) else replace(plan, dropout=dose)


ON_TESTING = (
    Remedy(
        code="early-stopping",
        question="testing",
        sentence="stop when the validation loss no longer falls, and keep the best weights",
        edit=_early_stopping,
        doses=(0.2,),
    ),
    Remedy(
        code="dropout",
        question="testing",
        sentence="silence a share of {dose} of the hidden units at each step",
        edit=_dropout,
        doses=(0.25, 0.1, 0.5),
    ),
    Remedy(
        code="l2",
        question="testing",
        sentence="add L2 regularisation of strength {dose} to the loss",
        edit=_l2,
        doses=(1e-2, 1e-3, 1e-1),
    ),
    Remedy(
        code="weight-decay",
        question="testing",
        sentence="let the weights decay at rate {dose}",
        edit=_weight_decay,
        doses=(1.0, 0.1, 10.0),
    ),
    Remedy(
        code="l1",
        question="testing",
        sentence="add L1 regularisation of strength {dose} to the loss",
        edit=_l1,
        doses=(1e-3, 1e-4, 1e-2),
    ),
)
