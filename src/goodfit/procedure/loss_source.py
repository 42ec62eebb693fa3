"""A loss as text: what a script needs in order to compute it without this package."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn

from goodfit.engine.goodness.losses import Loss


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossSource:
    """What is known of a loss when a training is over.

    Attributes:
        name: That of the plan.
        is_own: Whether a function of the user's own judged.
        source: What makes that function: an expression of torch such as ``"nn.L1Loss()"``,
            ``"FILE.py:FUNCTION"`` or ``"FILE.py:CLASS(gamma=2.0)"``; empty where it has no source that can be
            found again.
        class_weights: Weight of each class, or empty for equal weights.
        output_shape: Shape in which the network returns the scores of a row.
        class_axis: Axis of it that holds the classes of a place.
        target_shape: Shape of a row's target in the loader.
        target_dtype: Its type.
    """

    name: str
    is_own: bool = False
    source: str = ""
    class_weights: tuple[float, ...] = ()
    output_shape: tuple[int, ...] = ()
    class_axis: int = -1
    target_shape: tuple[int, ...] = ()
    target_dtype: str = "float32"

    @property
    def place(self) -> tuple[str, str, str]:
        """The file, the name in it, and the call that makes an object of it; no file for what is torch's."""
        found = re.fullmatch(r"(.+\.py):(\w+)(\(.*\))?", self.source, flags=re.DOTALL)
        return ("", self.source, "") if found is None else (found[1], found[2], found[3] or "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LossSource:
        """Read what :meth:`to_dict` wrote, also after JSON has turned its tuples into lists."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**fields)


def loss_source(loss: Loss) -> LossSource:
    """Write a plan's loss down.

    Args:
        loss: The loss, perhaps with a function of the user's own.

    Example:
        >>> loss_source(Loss(name="cross-entropy", kind="classes", num_outputs=3)).is_own
        False
    """
    contract = loss.contract
    if contract is None:
        return LossSource(name=loss.name, class_weights=loss.class_weights)
    return LossSource(
        name=loss.name,
        is_own=loss.is_own,
        source="" if contract.function is None else expression(contract.function),
        class_weights=loss.class_weights,
        output_shape=contract.output_shape,
        class_axis=contract.class_axis,
        target_shape=contract.target_shape,
        target_dtype=contract.target_dtype,
    )


def expression(function: Callable[..., Any]) -> str:
    """Say what makes a function: an expression of torch, or where it stands; empty if neither can be told.

    Example:
        >>> import torch
        >>> expression(nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0]))), expression(F.l1_loss)
        ('nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0]))', 'F.l1_loss')
    """
    if isinstance(function, nn.Module):
        return _of_module(function)
    name = getattr(function, "__name__", "")
    return f"F.{name}" if getattr(F, name, None) is function else _in_file(inspect.unwrap(function))


def _in_file(thing: Any) -> str:
    """Where a function or class stands; empty for what was made on the spot, such as a lambda."""
    name = getattr(thing, "__qualname__", "")
    try:
        path = inspect.getsourcefile(thing) or ""
    except TypeError:
        return ""
    is_there = name.isidentifier() and path.endswith(".py") and Path(path).is_file()
    return f"{path}:{name}" if is_there else ""


def _of_module(module: nn.Module) -> str:
    kind = type(module)
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        value = getattr(module, name, parameter.default)
        if isinstance(value, Tensor) or value != parameter.default:
            given[name] = value
    text = ", ".join(
        f"{n}=torch.tensor({v.tolist()})" if isinstance(v, Tensor) else f"{n}={v!r}" for n, v in given.items()
    )
    if getattr(nn, kind.__name__, None) is kind:
        return f"nn.{kind.__name__}({text})"
    place = _in_file(kind)
    return f"{place}({text})" if place and _is_made_by(module, given) else ""


def _is_made_by(module: nn.Module, given: dict[str, Any]) -> bool:
    """Whether an object of the user's own class holds nothing but what its constructor is given."""
    try:
        for value in given.values():
            if not isinstance(value, Tensor):
                ast.literal_eval(repr(value))  # raises for what cannot be written
        return repr(vars(type(module)(**given))) == repr(vars(module))
    except Exception:  # a constructor of the user's own raises what it likes
        return False
