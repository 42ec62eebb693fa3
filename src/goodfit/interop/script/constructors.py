"""A layer as the call that makes a fresh one like it."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from torch import nn

from goodfit.errors import ModelError
from goodfit.nets.activations import Maxout
from goodfit.nets.additions import Scaled


def written(part: nn.Module) -> str:
    """Write what makes a fresh module like this one.

    Raises:
        ModelError: It is no module of ``torch.nn`` that tells its settings.

    Example:
        >>> written(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        'nn.Sequential(nn.Linear(2, 3), nn.ReLU())'
    """
    kind = type(part)
    if isinstance(part, Maxout):
        return f"Maxout({part.dim})"
    if isinstance(part, Scaled):
        return f"Scaled({part.center.tolist()}, {part.scale.tolist()})"
    if isinstance(part, nn.Sequential):
        return f"nn.Sequential({', '.join(map(written, part))})"
    text = re.sub(r"\b(padding|padding_mode)=([a-z]+)", r"\1='\2'", part.extra_repr())
    call = ast.parse(f"{kind.__name__}({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    parameters = inspect.signature(kind).parameters
    given = [ast.unparse(value) for value in call.args]
    named = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    if "bias" in parameters and getattr(part, "bias", None) is None:
        named["bias"] = False
    for place, (word, parameter) in enumerate(parameters.items()):
        if word not in named or place < len(given):
            continue
        value = named.pop(word)
        if value == parameter.default or _is_spread(value, parameter.default):
            continue
        is_plain = place == len(given) and (place == 0 or parameter.default is parameter.empty)
        given.append(repr(value) if is_plain else f"{word}={value!r}")
    made = f"nn.{kind.__name__}({', '.join(given)})"
    if (
        getattr(nn, kind.__name__, None) is not kind
        or eval(made, {"nn": nn}).extra_repr() != part.extra_repr()
    ):
        raise ModelError(
            f"the layer {part} cannot be written as source",
            fix="leave with goodfit.export(run, 'torch', path)",
        )
    return made


def _is_spread(value: Any, usual: Any) -> bool:
    """Whether a size of every axis is what one number would say: ``(1, 1)`` for 1."""
    return isinstance(value, tuple) and len(set(value)) == 1 and value[0] == usual
