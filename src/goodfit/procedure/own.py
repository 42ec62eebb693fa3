"""The plan of a network that the user brings: their module, their loss, their optimizer, as they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import nn

from goodfit.data.split import Split
from goodfit.engine.checks.graph import operations
from goodfit.engine.goodness.contract import IGNORED, Contract, refuse_arguments
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.goodness.scoring import scoring_of
from goodfit.engine.plan import Plan
from goodfit.engine.ways.construction import sizes_of
from goodfit.errors import ModelError, PlanError
from goodfit.nets.given import Given
from goodfit.rules.from_torch import rule_of

_FUNCTIONS: dict[Any, str] = {
    F.cross_entropy: "cross-entropy",
    F.mse_loss: "squared",
    F.huber_loss: "huber",
    F.smooth_l1_loss: "huber",
    F.binary_cross_entropy_with_logits: "binary-cross-entropy",
}
MOST_ASKED = 256
"""Rows on which a loss of numbers is asked what it prefers."""
_ON_SHARES = (nn.BCELoss, F.binary_cross_entropy)
_SHARES = frozenset({"sigmoid", "softmax"})
"""Operations that make shares of scores."""


def ignored_class(loss: Any) -> int:
    """Tell which class of a place the user's loss does not count."""
    return int(getattr(loss, "ignore_index", IGNORED))


def with_own_network(
    plan: Plan, split: Split, *, loss: str | Callable[..., Any] | None
) -> tuple[Plan, Split]:
    """Let a plan follow what the user's network returns and what their loss needs.

    Args:
        plan: The plan; its network is the user's, its loss is replaced.
        split: Rows with a form.
        loss: The user's loss: a name, a function of (outputs, targets), or nothing.

    Returns:
        The plan, and the split with as many classes as the network has outputs.

    Raises:
        ModelError: The network's outputs do not fit the targets.
        PlanError: The loss does not fit outputs and targets.
    """
    assert split.form is not None
    assert isinstance(plan.network, Given)
    shape, is_tensor = dataclasses.replace(plan.network, form=split.form).returned()
    form = dataclasses.replace(split.form, class_axis=_class_axis(shape, split, loss))
    contract = Contract(
        output_shape=shape,
        class_axis=form.class_axis,
        target_shape=form.target.shape,
        target_dtype=form.target.dtype,
        function=None if loss is None or isinstance(loss, str) else loss,
        ignored=ignored_class(loss),
    )
    if split.task.kind == "numbers":
        y_NT = split.rows("train").y_N.reshape(len(split.train_index), -1).double()
        mean_T, std_T = y_NT.mean(0).tolist(), y_NT.std(0, correction=0).tolist()
        contract = dataclasses.replace(contract, target_mean=tuple(mean_T), target_std=tuple(std_T))
    split = _with_classes(split, contract)
    known, changes = _known(loss, split)
    if known is not None:
        contract = dataclasses.replace(contract, function=None)
    elif contract.function is not None:
        refuse_arguments(loss)
        contract.refuse_misfit()
        if split.task.kind == "numbers":
            is_fitting = contract.is_smallest_at(y_NT[:MOST_ASKED].float())
            contract = dataclasses.replace(contract, is_fitting=is_fitting)
        known = getattr(loss, "__name__", type(loss).__name__)
    made = Loss(
        name=known or _usual(split, contract),
        kind=split.task.kind,
        num_outputs=math.prod(shape),
        class_weights=changes.pop("class_weights", ()) or plan.loss.class_weights,
        contract=contract,
    )
    is_simple = is_tensor and form.is_plain and shape == (made.num_outputs,) and not split.task.shape
    network = dataclasses.replace(plan.network, form=None if is_simple else form)
    plan = dataclasses.replace(plan, network=network, loss=made, **changes)
    return dataclasses.replace(plan, loss=dataclasses.replace(made, is_share=_is_share(plan, split))), split


def _is_share(plan: Plan, split: Split) -> bool:
    """Tell whether the user's loss is given what is predicted, and no scores that a link has to be put on."""
    loss = plan.loss
    if not loss.is_own or loss.contract is None or loss.kind not in ("classes", "labels"):
        return False
    function = loss.contract.function
    if function in _ON_SHARES or isinstance(function, nn.BCELoss) or loss.takes_any_scores:
        return True  # squared error and its like set outputs beside 0 and 1 as they are
    with torch.random.fork_rng(devices=[]):
        module = plan.network.build(sizes_of(plan, split)).eval()
        made_by = operations(module(split.rows("train", inputs=plan.inputs).x[:2]))
    return not _SHARES.isdisjoint(made_by) and "log" not in made_by


def with_optimizer(plan: Plan, split: Split, optimizer: Callable[..., Any]) -> Plan:
    """Take the update rule from the function that makes the user's optimizer."""
    with torch.random.fork_rng(devices=[]):
        rule, l2 = rule_of(optimizer, plan.network.build(sizes_of(plan, split)))
    return dataclasses.replace(plan, rule=rule, l2=plan.l2 or l2)


def with_metric(plan: Plan, split: Split, metric: Any) -> Plan:
    """Judge by a metric of the user's choice.

    Raises:
        PlanError: There is none such, or rows have weights, of which only the usual metrics know.
    """
    scoring = scoring_of(
        metric,
        kind=split.task.kind,
        several=bool(split.task.shape),
        center=split.task.center,
        scale=split.task.scale,
    )
    if scoring is not None and split.is_weighted:
        raise PlanError(
            f"the metric {scoring.name} knows no weights, and sample_weight is given",
            fix=f"leave the metric out, to be judged by {split.task.metric}, or leave the weights out",
        )
    return dataclasses.replace(plan, loss=dataclasses.replace(plan.loss, scoring=scoring))


def _class_axis(shape: tuple[int, ...], split: Split, loss: Any) -> int:
    """Find the axis of the outputs that is not one of the targets', where each place has a class."""
    task = split.task
    num_outputs = math.prod(shape)
    if task.kind == "classes":
        if len(shape) == 1 and (shape[0] >= task.num_outputs or (shape[0] == 1 and task.num_outputs == 2)):
            return -1
        if not shape and task.num_outputs == 2:
            return -1
        raise _misfit(shape, f"({task.num_outputs},), one score a class", task.num_outputs)
    if task.kind in ("numbers", "labels"):
        if num_outputs == math.prod(task.shape):
            return -1
        raise _misfit(shape, f"{task.shape or (1,)}", task.num_outputs)
    axes = [axis for axis in (0, -1) if len(shape) > len(task.shape) and _without(shape, axis) == task.shape]
    # torch's losses take classes before the places; networks of sequences mostly return them last
    first = isinstance(loss, nn.Module) or len(task.shape) > 1
    axes = sorted(axes, key=lambda axis: (axis == 0) != first)
    fitting = [axis for axis in axes if shape[axis] >= task.num_outputs]
    if not fitting:
        wanted = f"{(task.num_outputs, *task.shape)} or {(*task.shape, task.num_outputs)}"
        uncounted = "; a class that does not count is -100, or the ignore_index of a loss that is a module"
        raise _misfit(shape, f"{wanted}, a score for each class in each place", task.num_outputs, uncounted)
    return fitting[0]


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[1:] if axis == 0 else shape[:-1]


def _misfit(shape: tuple[int, ...], wanted: str, num_outputs: int, more: str = "") -> ModelError:
    said = f"let its last layer have {num_outputs} outputs, or say task= if the targets mean something else"
    return ModelError(
        f"the network returns {shape} for a row, and the targets need {wanted}", fix=f"{said}{more}"
    )


def _with_classes(split: Split, contract: Contract) -> Split:
    """Count the classes that the network knows, too, where its loader numbers them."""
    task = split.task
    size = contract.output_shape[contract.class_axis] if contract.output_shape else 1
    if task.kind not in ("classes", "places") or size <= len(task.labels) or not _are_codes(task.labels):
        return split
    return dataclasses.replace(split, task=dataclasses.replace(task, labels=tuple(range(size))))


def _are_codes(labels: tuple[Any, ...]) -> bool:
    return labels == tuple(range(len(labels)))


def _usual(split: Split, contract: Contract) -> str:
    is_single = split.task.kind == "classes" and math.prod(contract.output_shape) == 1
    names = {"labels": "binary-cross-entropy", "numbers": "squared"}
    return "binary-cross-entropy" if is_single else names.get(split.task.kind, "cross-entropy")


def _known(loss: Any, split: Split) -> tuple[str | None, dict[str, Any]]:
    """Recognise a loss that goodfit has, with what it asks for beside it, so that remedies can change it."""
    if loss is None or isinstance(loss, str):
        return loss, {}
    kind = split.task.kind
    if getattr(loss, "reduction", "mean") != "mean":
        return None, {}
    if isinstance(loss, nn.CrossEntropyLoss) and kind in ("classes", "places"):
        weights = () if loss.weight is None else tuple(loss.weight.tolist())
        if weights and kind == "places":
            return None, {}
        return "cross-entropy", {"class_weights": weights, "label_smoothing": loss.label_smoothing}
    if type(loss) is nn.BCEWithLogitsLoss and loss.weight is None and loss.pos_weight is None:
        return ("binary-cross-entropy", {}) if kind in ("classes", "labels") else (None, {})
    if kind == "numbers" and type(loss) is nn.MSELoss:
        return "squared", {}
    is_huber = (type(loss) is nn.HuberLoss and loss.delta == 1) or (
        type(loss) is nn.SmoothL1Loss and loss.beta == 1
    )
    if kind == "numbers" and is_huber:
        return "huber", {}
    name = _FUNCTIONS.get(loss) if callable(loss) and not isinstance(loss, nn.Module) else None
    fits = {"cross-entropy": ("classes", "places"), "binary-cross-entropy": ("classes", "labels")}
    return (name, {}) if name and kind in fits.get(name, ("numbers",)) else (None, {})


def refuse_own(loss: Any) -> None:
    """Raise a :class:`PlanError` if a loss is a function where goodfit makes the network."""
    if loss is not None and not isinstance(loss, str):
        raise PlanError(
            f"the loss is a {type(loss).__name__}, and the network is goodfit's",
            fix="give model= with arrays or a loader, or the name of a loss",
        )
