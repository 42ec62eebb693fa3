"""An optimizer of the user's that no rule here equals: its groups of parameters, with their settings."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from goodfit.rules.base import Hyper, Rule, State, check_range

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters that share their settings.

    Attributes:
        names: Their names in the user's network.
        settings: What the optimizer keeps of the group beside them, its ``lr`` first of all.
    """

    names: tuple[str, ...]
    settings: tuple[tuple[str, Any], ...]

    @property
    def lr(self) -> float:
        """Learning rate, as the user's function sets it."""
        return float(dict(self.settings)["lr"])

    def having(self, **changes: Any) -> Group:
        """Change settings that the group has; others are not added."""
        return dataclasses.replace(self, settings=tuple((k, changes.get(k, v)) for k, v in self.settings))

    def likeness(self, name: str) -> tuple[int, bool]:
        """Say how much a name is like those of the group: parts that begin alike, and whether the end is."""
        parts = name.split(".")
        return max((_common(parts, own.split(".")) for own in self.names), default=(0, False))


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(Rule):
    """Any optimizer of torch's kind; it moves the parameters itself, those of one candidate at a time.

    Attributes:
        lr: Largest rate of a group; the others keep their proportion to it.
        weight_decay: Decoupled decay beside what the optimizer does itself.
        kind: Its class.
        groups: Its groups, as the user's function makes them.
    """

    name: ClassVar[str] = "own"

    kind: type[Optimizer]
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay"):
            check_range(name, getattr(self, name))

    @property
    def label(self) -> str:
        """What the optimizer is called."""
        return self.kind.__name__

    @property
    def own_lr(self) -> float:
        """Largest rate that the user's function sets."""
        return max(group.lr for group in self.groups)

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """There is no pure form.

        Raises:
            TypeError: Always; see :meth:`on`.
        """
        raise TypeError("an optimizer of the user's own moves parameters itself")

    def hyperparameters(self) -> dict[str, float]:
        """Give the rate alone; everything else is the optimizer's business."""
        return {"lr": self.lr}

    def without_decay(self) -> Rule:
        """Leave out all decay, that of the groups too."""
        groups = tuple(group.having(weight_decay=0.0) for group in self.groups)
        return dataclasses.replace(self, weight_decay=0.0, groups=groups)

    def on(self, parameters: Mapping[str, Tensor]) -> Optimizer:
        """Make the optimizer of some parameters, at the rule's rate.

        Args:
            parameters: By name. A name that the user's network does not have, such as one of a layer that an
                edit has added, belongs where the names are most like it.
        """
        make: Callable[..., Optimizer] = self.kind
        return make(sort_into(self._at_rate(), parameters))

    @property
    def particulars(self) -> dict[str, str]:
        """The optimizer as JSON: where its class is found, and its groups at the rule's rate."""
        groups = [{"names": group.names, "settings": dict(group.settings)} for group in self._at_rate()]
        return {"optimizer": json.dumps({"source": _source_of(self.kind), "groups": groups}, default=repr)}

    def _at_rate(self) -> tuple[Group, ...]:
        factor = self.lr / self.own_lr if self.own_lr else 1.0
        return tuple(group.having(lr=group.lr * factor) for group in self.groups)


def sort_into(groups: Sequence[Group], parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sort parameters, or whatever stands for them, into groups as torch takes them; empty ones are left out.

    Example:
        >>> slow = Group(names=("0.weight",), settings=(("lr", 0.1),))
        >>> sort_into([slow, Group(names=("1.weight",), settings=())], {"0.weight": "w", "0.bias": "b"})
        [{'lr': 0.1, 'params': ['w', 'b']}]
    """
    members: list[list[Any]] = [[] for _ in groups]
    for name, parameter in parameters.items():
        members[_place_of(name, groups)].append(parameter)
    return [
        {**dict(group.settings), "params": inside}
        for group, inside in zip(groups, members, strict=True)
        if inside
    ]


def _common(parts: Sequence[str], others: Sequence[str]) -> tuple[int, bool]:
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(parts, others, strict=False))
    return len(list(alike)), parts[-1] == others[-1]


def _place_of(name: str, groups: Sequence[Group]) -> int:
    for place, group in enumerate(groups):
        if name in group.names:
            return place
    return max(range(len(groups)), key=lambda place: groups[place].likeness(name))


def _source_of(kind: type) -> str:
    """Where a class is found again: ``"package.module:CLASS"``, or ``"FILE.py:CLASS"`` in a script.

    It is empty for one that was made on the spot, in a notebook or inside a function.
    """
    if kind.__module__.startswith("torch.optim."):
        return f"torch.optim:{kind.__name__}"
    try:
        path = inspect.getsourcefile(kind) or ""
    except (TypeError, OSError):  # what was typed has no file
        path = ""
    if not (path.endswith(".py") and kind.__qualname__.isidentifier()):
        return ""
    is_installed = "site-packages" in Path(path).parts
    return f"{kind.__module__ if is_installed else path}:{kind.__qualname__}"
