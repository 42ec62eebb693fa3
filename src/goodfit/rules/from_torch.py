"""Read the update rule out of an optimizer that the user's own function makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn, optim

from goodfit.errors import PlanError
from goodfit.rules.base import Rule, rule_named

_MODULE_WORDS = frozenset({"model", "module", "net", "network"})
_LEFT_OUT = {
    "amsgrad": False,
    "maximize": False,
    "dampening": 0,
    "centered": False,
    "lr_decay": 0,
    "initial_accumulator_value": 0,
}
"""Settings that goodfit's rules do not have, with the value at which they do nothing."""


def rule_of(make: Callable[..., Any], module: nn.Module) -> tuple[Rule, float]:
    """Ask the user's function for an optimizer, and find the rule that does the same.

    Args:
        make: Function of the parameters, or of the module if its argument is named so.
        module: A network, which stays as it is.

    Returns:
        The rule, and the weight of the L2 penalty that torch calls ``weight_decay`` in all rules but AdamW.

    Raises:
        PlanError: The function raises or makes something else, groups of parameters have rates of their own,
            or goodfit has no such rule.

    Example:
        >>> rule_of(lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9), nn.Linear(2, 1))
        (Momentum(lr=0.1, weight_decay=0.0, momentum=0.9), 0.0)
    """
    optimizer = _made(make, module)
    settings = _settings(optimizer)
    for name, off in _LEFT_OUT.items():
        if settings.get(name, off) != off:
            raise PlanError(
                f"the optimizer has {name}={settings[name]}, which goodfit's rules do not have",
                fix=f"leave {name} out",
            )
    name, numbers = _numbers(optimizer, settings)
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


def _settings(optimizer: optim.Optimizer) -> dict[str, Any]:
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    for group in groups[1:]:
        for name, value in group.items():
            if groups[0].get(name) != value:
                raise PlanError(
                    f"groups of parameters have {name} {groups[0].get(name)} and {value}",
                    fix="give all parameters one setting; layers that must not move can be frozen",
                )
    return groups[0]


def _numbers(optimizer: optim.Optimizer, settings: dict[str, Any]) -> tuple[str, dict[str, float]]:
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
    said = f"{kind.__name__} with momentum" if kind is optim.RMSprop else kind.__name__
    raise PlanError(
        f"goodfit has no rule for {said}",
        fix="give SGD, RMSprop, Adagrad, Adam or AdamW of torch.optim; others are tried as remedies by name",
    )
