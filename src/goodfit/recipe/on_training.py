"""What helps on training data, by the lecture: a new activation, an adaptive learning rate, a proper loss."""

from __future__ import annotations

from dataclasses import replace

from goodfit.engine.plan import Plan
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.recipe.remedy import Edit, Remedy, is_linear
from goodfit.rules.base import rule_named

FAR = 15.0
"""How many times as large or small as its usual value a rate has to be for the rule to be a remedy again."""
WITH_ACTIVATION = (MLP, CNN, Given)


def activation(name: str) -> Edit:
    """Edit that puts another activation behind every hidden layer, with the initial weights that suit it."""

    def edit(plan: Plan, dose: float) -> Plan:
        network = plan.network
        if not isinstance(network, WITH_ACTIVATION) or network.activation == name or is_linear(plan):
            return plan
        # a start made for another activation shrinks or blows up signals layer by layer, so both change
        # together
        return replace(plan, network=replace(network, activation=name, initialisation="he"))

    return edit


def rule(name: str) -> Edit:
    """Edit that takes another update rule; the dose is its learning rate, weight decay stays.

    It takes the same rule too where the plan's rate is far from the dose: no few steps of a rate, up or down,
    lead from a millionth to a thousandth.
    """

    def edit(plan: Plan, dose: float) -> Plan:
        # of AdamW and Adam only the decay differs, and that stays as it is
        is_same = plan.rule.name == name or (plan.rule.name, name) == ("adamw", "adam")
        if is_same and dose / FAR < plan.rule.lr < dose * FAR:
            return plan
        return replace(plan, rule=rule_named(name, lr=dose, weight_decay=plan.rule.weight_decay))

    return edit


def scale_lr(plan: Plan, dose: float) -> Plan:
    """Multiply the learning rate."""
    return replace(plan, rule=replace(plan.rule, lr=plan.rule.lr * dose))


def _cross_entropy(plan: Plan, dose: float) -> Plan:
    if plan.loss.kind != "classes" or plan.loss.name != "squared":
        return plan
    return replace(plan, loss=replace(plan.loss, name="cross-entropy"))


ON_TRAINING = (
    Remedy(
        code="relu", question="training", sentence="use ReLU in the hidden layers", edit=activation("relu")
    ),
    Remedy(
        code="leaky-relu",
        question="training",
        sentence="use leaky ReLU in the hidden layers",
        edit=activation("leaky-relu"),
    ),
    Remedy(
        code="prelu",
        question="training",
        sentence="use leaky ReLU of a learnt slope in the hidden layers",
        edit=activation("prelu"),
    ),
    Remedy(
        code="maxout",
        question="training",
        sentence="use Maxout in the hidden layers",
        edit=activation("maxout"),
    ),
    Remedy(
        code="adam",
        question="training",
        sentence="update by Adam at lr {dose}",
        edit=rule("adam"),
        doses=(1e-3, 5e-3),
    ),
    Remedy(
        code="rmsprop",
        question="training",
        sentence="update by RMSProp at lr {dose}",
        edit=rule("rmsprop"),
        doses=(1e-3,),
    ),
    Remedy(
        code="adagrad",
        question="training",
        sentence="update by Adagrad at lr {dose}",
        edit=rule("adagrad"),
        doses=(1e-2,),
    ),
    Remedy(
        code="momentum",
        question="training",
        sentence="update by Momentum at lr {dose}",
        edit=rule("momentum"),
        doses=(0.1, 0.01),
    ),
    Remedy(
        code="nesterov",
        question="training",
        sentence="update by Nesterov's momentum at lr {dose}",
        edit=rule("nesterov"),
        doses=(0.1, 0.01),
    ),
    Remedy(
        code="cross-entropy",
        question="training",
        sentence="minimise cross-entropy instead of squared error",
        edit=_cross_entropy,
    ),
    Remedy(
        code="lr-up",
        question="training",
        sentence="multiply the learning rate by {dose}",
        edit=scale_lr,
        doses=(3.0, 10.0),
    ),
    Remedy(
        code="lr-down",
        question="training",
        sentence="multiply the learning rate by {dose}",
        edit=scale_lr,
        doses=(0.3, 0.1),
    ),
)
