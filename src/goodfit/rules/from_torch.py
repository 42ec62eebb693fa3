"""Read the update rule out of an optimizer that the user's own function makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from goodfit.errors import PlanError
from goodfit.rules.base import Rule, rule_named
from goodfit.rules.own import Group, Own

_MODULE_WORDS = frozenset({"model", "module", "net", "network"})
_LEFT_OUT = {
    "amsgrad": False,
    "dampening": 0,
    "centered": False,
    "lr_decay": 0,
    "initial_accumulator_value": 0,
}
"""Settings that goodfit's rules do not have, with the value at which they do nothing."""
_WAYS = ("foreach", "fused", "capturable", "differentiable")
"""Settings of torch's optimizers that say how to compute, and not what."""
NUM_REHEARSED = 2
"""Steps of a rehearsal: the second one meets what the first has kept."""


def rule_of(make: Callable[..., Any], module: nn.Module) -> tuple[Rule, float]:
    """Ask the user's function for an optimizer, and find the rule that does the same.

    Args:
        make: Function of the parameters, or of the module if its argument is named so.
        module: A network that nobody needs any more.

    Returns:
        The rule, and the weight of the L2 penalty that torch calls ``weight_decay`` in all rules but AdamW.
        An optimizer that is none of goodfit's rules, or has groups of parameters with settings of their own,
        is its own rule (:class:`goodfit.rules.own.Own`).

    Raises:
        PlanError: The function raises or makes something else, or the optimizer cannot take steps.

    Example:
        >>> rule_of(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9), nn.Linear(2, 1))
        (Momentum(lr=0.1, weight_decay=0.0, momentum=0.9), 0.0)
    """
    optimizer = _made(make, module)
    if any(group.get("maximize") for group in optimizer.param_groups):
        raise PlanError("the optimizer has maximize=True", fix="leave it out: a loss is to become small")
    if not all("lr" in group for group in optimizer.param_groups):
        raise PlanError(
            f"{type(optimizer).__name__} keeps no lr in its groups of parameters, and rates are tried first",
            fix="give an optimizer as those of torch.optim are",
        )
    settings = _common_settings(optimizer, module)
    found = None if settings is None else _numbers(optimizer, settings)
    if settings is None or found is None:
        return _own(optimizer, module), 0.0
    name, numbers = found
    decay = float(settings.get("weight_decay", 0.0))
    if name == "adamw":
        return rule_named(name, weight_decay=decay, **numbers), 0.0
    return rule_named(name, **numbers), decay


def _made(make: Callable[..., Any], module: nn.Module) -> optim.Optimizer:
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        first = next(iter(inspect.signature(make).parameters), "")
        optimizer = make(module if first in _MODULE_WORDS else trained)
    except Exception as error:
        raise PlanError(
            f"optimizer raises {type(error).__name__}: {error}",
            fix="give a function of the parameters, such as lambda p: torch.optim.Adam(p, lr=1e-3)",
        ) from error
    if not isinstance(optimizer, optim.Optimizer):
        raise PlanError(
            f"optimizer makes {type(optimizer).__name__}",
            fix="give a function of the parameters, such as lambda p: torch.optim.Adam(p, lr=1e-3)",
        )
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    left_out = [name for name, p in module.named_parameters() if p.requires_grad and id(p) not in known]
    if left_out:
        raise PlanError(
            f"the optimizer does not get {', '.join(left_out[:3])}, which the network would train",
            fix="hand them over, or freeze them where the network is made",
        )
    return optimizer


def _common_settings(optimizer: optim.Optimizer, module: nn.Module) -> dict[str, Any] | None:
    """Settings that all groups share; ``None`` where they differ in what a rule cannot say.

    Decay that is off for biases and normalisation alone is goodfit's own habit.
    """
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    decays = {float(group.get("weight_decay", 0.0)) for group in groups}
    if len(decays) == 2 and 0.0 in decays:
        decaying = {
            id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]
        }
        weights = {id(p) for p in module.parameters() if p.requires_grad and p.ndim > 1}
        if decaying == weights:
            groups = [{**group, "weight_decay": max(decays)} for group in groups]
    return groups[0] if all(group == groups[0] for group in groups) else None


def _numbers(optimizer: optim.Optimizer, settings: Mapping[str, Any]) -> tuple[str, dict[str, float]] | None:
    """Name the rule and its numbers; ``None`` if goodfit has no such rule."""
    if any(settings.get(name, off) != off for name, off in _LEFT_OUT.items()):
        return None
    numbers = {"lr": float(settings["lr"])}
    kind = type(optimizer)
    if kind is optim.SGD:
        if not settings["momentum"]:
            return "gradient-descent", numbers
        name = "nesterov" if settings["nesterov"] else "momentum"
        return name, numbers | {"momentum": settings["momentum"]}
    if kind in (optim.Adam, optim.AdamW):
        beta1, beta2 = settings["betas"]
        name = "adamw" if kind is optim.AdamW or settings.get("decoupled_weight_decay") else "adam"
        return name, numbers | {"beta1": beta1, "beta2": beta2, "eps": settings["eps"]}
    if kind is optim.RMSprop and not settings["momentum"]:
        return "rmsprop", numbers | {"alpha": settings["alpha"], "eps": settings["eps"]}
    if kind is optim.Adagrad:
        return "adagrad", numbers | {"eps": settings["eps"]}
    return None


def _own(optimizer: optim.Optimizer, module: nn.Module) -> Own:
    kind, named = type(optimizer), dict(module.named_parameters())
    names = {id(parameter): name for name, parameter in named.items()}
    is_torchs = kind.__module__.partition(".")[0] == "torch"
    groups = tuple(
        Group(
            names=tuple(names[id(parameter)] for parameter in group["params"] if id(parameter) in names),
            settings=tuple(
                (name, value)
                for name, value in group.items()
                if name != "params" and not (is_torchs and name in _WAYS)
            ),
        )
        for group in optimizer.param_groups
    )
    rule = Own(lr=max(group.lr for group in groups), kind=kind, groups=groups)
    _rehearse(rule, optimizer, {name: named[name] for group in groups for name in group.names})
    return rule


def _rehearse(rule: Own, optimizer: optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> None:
    """Take a few steps of the user's optimizer and of the one made anew by its groups; they have to agree.

    Raises:
        PlanError: One of them raises, or they go apart.
    """
    copies = {name: nn.Parameter(p.detach().clone()) for name, p in parameters.items() if p.requires_grad}
    originals = {name: parameters[name] for name in copies}
    try:
        for taking, moved in ((rule.on(copies), copies), (optimizer, originals)):
            for _ in range(NUM_REHEARSED):
                for parameter in moved.values():
                    parameter.grad = torch.linspace(-1, 1, parameter.numel()).view_as(parameter)
                taking.step()
    except Exception as error:
        raise PlanError(
            f"{rule.label} cannot take steps here: {type(error).__name__}: {error}",
            fix="give an optimizer whose groups hold all its settings and whose step() needs no function, "
            "such as those of torch.optim but LBFGS",
        ) from error
    if not all(_is_close(copies[name], originals[name]) for name in copies):
        raise PlanError(
            f"{rule.label}, made anew from its groups of parameters, takes other steps",
            fix="let its groups hold all its settings, as those of torch.optim do",
        )


def _is_close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-5, atol=1e-7, equal_nan=True)
