"""What an ejected script says about its optimizer: a rule in the words of torch, or one of the user's own."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from goodfit.errors import ModelError
from goodfit.interop.script.given_source import Source, find, literal
from goodfit.interop.script.prescribed import Training
from goodfit.nets.factory import load
from goodfit.procedure.fitted import Predictor
from goodfit.rules.own import Group, sort_into

OPTIMIZERS = {
    "gradient-descent": "SGD(network.parameters(), lr=LR)",
    "momentum": "SGD(network.parameters(), lr=LR, momentum={momentum})",
    "nesterov": "SGD(network.parameters(), lr=LR, momentum={momentum}, nesterov=True)",
    "adagrad": "Adagrad(network.parameters(), lr=LR, eps={eps})",
    "rmsprop": "RMSprop(network.parameters(), lr=LR, alpha={alpha}, eps={eps})",
    "adam": "Adam(network.parameters(), lr=LR, betas=({beta1}, {beta2}), eps={eps})",
    "adamw": "Adam(network.parameters(), lr=LR, betas=({beta1}, {beta2}), eps={eps})",
}
"""Decay is left out: the script's loop shrinks the weights itself."""
NAMES_WIDTH = 80


def words(predictor: Predictor, training: Training) -> dict[str, Any]:
    """Collect what the templates need to write the optimizer.

    Args:
        predictor: The trained network; its parameters are sorted into groups.
        training: How it was trained.

    Raises:
        ModelError: The class of the user's optimizer cannot be read as source, or has settings that cannot be
            written.
    """
    if training.optimizer is None:
        assert training.rule is not None
        known = OPTIMIZERS[training.rule.name].format(**training.rule.hyperparameters())
        return {"optimizer": f"torch.optim.{known}", "optimizer_groups": [], "optimizer_source": None}
    place, groups = training.optimizer
    source, name = _class_of(place)
    usual = _usual(place)
    if len(groups) == 1:
        odd = _unusual(dict(groups[0].settings), usual)
        settings = ["lr=LR", *(f"{key}={literal(value)}" for key, value in odd.items())]
        text = f"{name}(network.parameters(), {', '.join(settings)})"
        return {"optimizer": text, "optimizer_groups": [], "optimizer_source": source}
    return {
        "optimizer": f"{name}(groups)",
        "optimizer_groups": list(_lines(predictor, groups, usual, lr=training.lr)),
        "optimizer_source": source,
    }


def _class_of(place: str) -> tuple[Source | None, str]:
    """Find the class: what has to be pasted or imported for it, and what it is called in the script."""
    origin, _, name = place.rpartition(":")
    if not origin:
        raise ModelError(
            "the class of the optimizer was made on the spot, and has no source in any file",
            fix="define it at the top of a file",
        )
    if origin == "torch.optim":
        return None, f"torch.optim.{name}"
    return find(place), name


def _usual(place: str) -> dict[str, Any]:
    """Settings that the class has by itself, which need not be written."""
    signature = inspect.signature(load(place))
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def _unusual(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Settings beside the rate that the class would not have by itself."""
    beside = {k: v for k, v in settings.items() if k in usual and k not in ("lr", "params")}
    return {k: v for k, v in beside.items() if v != usual[k]}


def _lines(
    predictor: Predictor, groups: Sequence[Group], usual: Mapping[str, Any], *, lr: float
) -> Iterator[str]:
    """Write each group: its parameters by name, its share of the rate, and what else is not usual."""
    trained = {n: n for n, p in predictor.modules[0].named_parameters() if p.requires_grad}
    for inside in sort_into(groups, trained):
        share = inside["lr"] / lr if lr else 1.0
        names = textwrap.wrap(" ".join(inside["params"]), NAMES_WIDTH)
        yield "{"
        yield '    "params": ['
        yield "        named[name]"
        yield "        for name in ("
        yield from (f'            "{line} "' for line in names)
        yield "        ).split()"
        yield "    ],"
        yield f'    "share": {share:.12g},'
        yield from (f'    "{name}": {literal(value)},' for name, value in _unusual(inside, usual).items())
        yield "},"
