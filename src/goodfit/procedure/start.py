"""The plan as it comes: what the user asked for, and a sound choice for the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from torch import nn

from goodfit.data.split import Split
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.errors import PlanError
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network
from goodfit.procedure.own import with_metric, with_optimizer, with_own_network
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine

USUAL_LR = {
    "gradient-descent": 0.1,
    "momentum": 0.05,
    "nesterov": 0.05,
    "adagrad": 0.01,
    "rmsprop": 1e-3,
    "adam": 2e-3,
    "adamw": 2e-3,
}
SMALLEST_IMAGE = 8
"""Pixels of an image's shorter side from which convolutions have room to work."""
ROWS_FOR_BASIS = 1000
"""Training rows from which a table of classes starts with the piecewise-linear basis."""
FEW_ROWS = 300
"""Training rows below which a table of classes starts with few large steps and no early stopping."""
USUAL_STEPS = 4000
"""Steps after which a small network has usually learnt what it will learn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user said about the plan; ``None`` leaves the choice to goodfit.

    Attributes:
        model: Their own network: ``"FILE.py:FUNCTION"``, or the function.
        network: A network of this package.
        hidden: Widths of the hidden layers.
        activation: Name of the activation.
        rule: Name of the update rule.
        lr: Learning rate.
        loss: Name of the loss, or their own function of (outputs, targets).
        optimizer: Function of the parameters that makes their optimizer; in place of ``rule`` and ``lr``.
        metric: Name of the metric, or one of torchmetrics.
        epochs: Passes over the training rows.
        batch_size: Rows of one step.
        class_weights: Weight of each class in the loss, in the order of the labels.
    """

    model: str | Callable[..., nn.Module] | None = None
    network: Network | None = None
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    rule: str | None = None
    lr: float | None = None
    loss: str | Callable[..., Any] | None = None
    optimizer: Callable[..., Any] | None = None
    metric: Any = None
    epochs: int | None = None
    batch_size: int | None = None
    class_weights: tuple[float, ...] = ()

    @property
    def is_silent(self) -> bool:
        """Whether the user left the plan to goodfit: no network, rule, rate or loss of their own."""
        plan = (self.model, self.network, self.hidden, self.activation)
        said = (*plan, self.rule, self.lr, self.loss, self.optimizer)
        return all(word is None for word in said)


def plan_as_it_is(wanted: Wanted, split: Split) -> Plan:
    """Make the plan to start from.

    Where the user said anything about the network or its training, the rest is the plainest there is,
    because a plan under examination must not be improved in secret. Otherwise it is a sound one for the
    data: numbers shown also through a piecewise-linear basis, a rate that falls to zero, early stopping, and
    the vote of all seeds; for classes in a table of few rows, few large steps in a single layer instead.
    """
    if wanted.optimizer is not None and (wanted.rule is not None or wanted.lr is not None):
        raise PlanError("optimizer and rule or lr are both given", fix="give only the optimizer")
    num_rows = len(split.train_index)
    batch_size = wanted.batch_size or _usual_batch(num_rows)
    steps = max(1, num_rows // min(batch_size, num_rows))
    name = wanted.rule or "adam"
    plan = Plan(
        network=_network(wanted, split),
        loss=_loss(wanted, split),
        rule=rule_named(name, lr=USUAL_LR.get(name, 1e-3) if wanted.lr is None else wanted.lr),
        epochs=wanted.epochs or min(200, max(15, round(USUAL_STEPS / steps))),
        batch_size=batch_size,
    )
    if wanted.metric is not None:
        plan = with_metric(plan, split, wanted.metric)
    if wanted.optimizer is not None and split.form is None:
        plan = with_optimizer(plan, split, wanted.optimizer)
    return _sound(plan, wanted, split) if wanted.is_silent else plan


def own_plan(wanted: Wanted, split: Split) -> tuple[Plan, Split]:
    """Make the plan of a network of the user's own on rows of a form.

    Inputs are shown as they are: scaling them is a remedy, and has to prove itself.

    Returns:
        The plan, and the split with the classes that the network knows.
    """
    asked = dataclasses.replace(wanted, metric=None, loss=None)
    plan = dataclasses.replace(plan_as_it_is(asked, split), inputs="raw")
    plan, split = with_own_network(plan, split, loss=wanted.loss)
    if wanted.optimizer is not None:
        plan = with_optimizer(plan, split, wanted.optimizer)
    return (plan if wanted.metric is None else with_metric(plan, split, wanted.metric)), split


def _sound(plan: Plan, wanted: Wanted, split: Split) -> Plan:
    is_few = split.kind == "table" and split.task.kind == "classes" and len(split.train_index) < FEW_ROWS
    if is_few and wanted.epochs is None:  # in fewer epochs, large steps would be too few
        return _gentle(plan, wanted)
    # a step in a number's effect takes many rows to be told from noise, when each row says only yes or no
    is_rich = split.task.kind == "numbers" or len(split.train_index) >= ROWS_FOR_BASIS
    return dataclasses.replace(
        plan,
        inputs="expanded" if split.kind == "table" and split.can_expand and is_rich else "scaled",
        schedule=Cosine(warmup=0.05),
        patience=max(5, plan.epochs // 3),
        ensemble=True,
    )


def _gentle(plan: Plan, wanted: Wanted) -> Plan:
    """Take few large steps in a single layer, and watch nothing: each row is worth more to learn from."""
    return dataclasses.replace(
        plan,
        network=MLP(widths=(128,), initialisation="xavier"),
        rule=rule_named("adam", lr=1e-3),
        batch_size=wanted.batch_size or 128,
        epochs=200,
        ensemble=True,
    )


def _network(wanted: Wanted, split: Split) -> Network:
    said = [word for word in ("model", "network", "hidden") if getattr(wanted, word) is not None]
    if len(said) > 1:
        raise PlanError(f"{' and '.join(said)} are both given", fix=f"give only {said[0]}")
    if wanted.model is not None:
        return Given(factory=wanted.model)
    if wanted.network is not None:
        return wanted.network
    activation = wanted.activation or "relu"
    if wanted.hidden is not None:
        return MLP(widths=wanted.hidden, activation=activation)
    shape = split.input_shape()
    if len(shape) == 3 and min(shape[1:]) >= SMALLEST_IMAGE:
        return CNN(channels=(16, 32), activation=activation)
    return MLP(widths=(128, 128), activation=activation, initialisation="he" if wanted.is_silent else "torch")


def _loss(wanted: Wanted, split: Split) -> Loss:
    task = split.task
    name = wanted.loss if isinstance(wanted.loss, str) else None
    if name is None and task.shape:
        name = {"labels": "binary-cross-entropy", "places": "cross-entropy"}.get(task.kind, "squared")
    elif name is None:
        name = "cross-entropy" if task.kind == "classes" else ("huber" if task.heavy_tailed else "squared")
    outputs = 1 if name == "binary-cross-entropy" and task.num_outputs == 2 else task.num_outputs
    return Loss(name=name, kind=task.kind, num_outputs=outputs, class_weights=wanted.class_weights)


def _usual_batch(num_rows: int) -> int:
    """About forty steps an epoch, between 16 and 256 rows, a power of two."""
    size = 16
    while size < 256 and size * 2 * 40 <= num_rows:
        size *= 2
    return size
