r"""An update rule turns a gradient into a change of the parameters.

A rule is settings (a frozen record that prints, compares and serialises) and one pure function,
:meth:`Rule.update`, of gradient, state and hyperparameters. Every operation in it is elementwise, so
tensors may carry a leading axis of K candidates, each with hyperparameters of its own in shape ``(K, 1)``.
Weight decay is never part of the update: see :func:`goodfit.rules.penalties.decoupled_decay`.
"""

from __future__ import annotations

import abc
import dataclasses
import difflib
import functools
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

from goodfit.errors import PlanError

if TYPE_CHECKING:  # rules are read and printed where torch is not installed
    from torch import Tensor

State = Mapping[str, "Tensor"]
Hyper = Mapping[str, "float | Tensor"]

_IN_UNIT_INTERVAL = frozenset({"momentum", "alpha", "beta1", "beta2"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule(abc.ABC):
    r"""How one step moves the parameters.

    .. math:: w \leftarrow (1 - \eta \lambda)\, w + \Delta(g, \text{state}, t)

    Weight decay is always decoupled: it shrinks the weights directly and never enters the state.
    ``torch.optim.SGD(weight_decay=...)`` and ``torch.optim.Adam(weight_decay=...)`` add
    :math:`\lambda w` to the gradient instead, which is L2 (:func:`goodfit.rules.penalties.l2_gradient`).

    Attributes:
        lr: Learning rate :math:`\eta`.
        weight_decay: Decoupled decay :math:`\lambda`.

    Raises:
        PlanError: A number is outside its range.

    Reference:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithms 1 and 2.
    """

    name: ClassVar[str]
    slots: ClassVar[tuple[str, ...]] = ()

    lr: float
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            check_range(name, value)

    @property
    def label(self) -> str:
        """What the rule is called in a plan."""
        return self.name

    @staticmethod
    @abc.abstractmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change; nothing that is passed in is edited.

        Args:
            g: Gradient, of any shape, with or without a leading candidate axis.
            state: One tensor of the gradient's shape for each of :attr:`slots`.
            hyper: The numbers of :meth:`hyperparameters`; each a float, or a tensor of the
                gradient's dtype that broadcasts against it, such as ``(K, 1)`` against ``(K, P)``.
            t: Step number, counted from 1.

        Returns:
            What to add to the parameters, and the state for the next step.
        """

    @classmethod
    def start(cls, like: Tensor) -> dict[str, Tensor]:
        """Make the state before the first step: zeros in the shape of ``like``."""
        return {slot: like.new_zeros(like.shape) for slot in cls.slots}

    def hyperparameters(self) -> dict[str, float]:
        """Collect the numbers that :meth:`update` reads (``weight_decay`` is not one of them)."""
        numbers = dataclasses.asdict(self)
        del numbers["weight_decay"]
        return numbers

    @property
    def particulars(self) -> dict[str, str]:
        """What a plan says of the rule beside rate and decay: numbers that are not the usual ones."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        return {
            name: repr(value)
            for name, value in self.hyperparameters().items()
            if name != "lr" and value != usual[name]
        }

    def without_decay(self) -> Rule:
        """Leave out the decay of the weights."""
        return dataclasses.replace(self, weight_decay=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Write the rule as JSON-ready values; :meth:`from_dict` reads them."""
        return {"name": self.name, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> Rule:
        """Read what :meth:`to_dict` wrote."""
        return rule_named(**record)


def rule_named(name: str, **numbers: float) -> Rule:
    """Make the rule of that name.

    Args:
        name: ``"gradient-descent"``, ``"momentum"``, ``"nesterov"``, ``"adagrad"``, ``"rmsprop"``,
            ``"adam"`` or ``"adamw"``.
        numbers: The rule's fields; ``lr`` is always needed.

    Raises:
        PlanError: The name is unknown, or a number is missing, unknown or outside its range.

    Example:
        >>> rule_named("momentum", lr=0.1)
        Momentum(lr=0.1, weight_decay=0.0, momentum=0.9)
    """
    rules = _rules()
    if name not in rules:
        raise PlanError(f"there is no update rule {name!r}", fix=suggest(name, rules))
    return make(rules[name], numbers, what=f"update rule {name!r}")


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, or list them all.

    Example:
        >>> suggest("adan", ["adam", "adagrad"])
        'write adam'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"write {close[0]}" if close else f"choose one of {', '.join(known)}"


def make(kind: type[Any], numbers: Mapping[str, Any], *, what: str) -> Any:
    """Make a settings record; a missing or unknown field is the user's error, not a TypeError."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(set(numbers) - set(fields)):
        raise PlanError(f"{what} has no {unknown[0]!r}", fix=suggest(unknown[0], fields))
    needed = (name for name, field in fields.items() if field.default is dataclasses.MISSING)
    if missing := [name for name in needed if name not in numbers]:
        raise PlanError(f"{what} is given no {missing[0]!r}", fix=f"give {missing[0]}=NUMBER")
    return kind(**numbers)


@functools.cache
def _rules() -> dict[str, type[Rule]]:
    from goodfit.rules import adaptive, descent  # they define subclasses of Rule, so not at the top

    rules: tuple[type[Rule], ...] = (
        descent.GradientDescent,
        descent.Momentum,
        descent.Nesterov,
        adaptive.Adagrad,
        adaptive.RMSProp,
        adaptive.Adam,
        adaptive.AdamW,
    )
    return {rule.name: rule for rule in rules}


def check_range(name: str, value: float) -> None:
    """Raise a :class:`PlanError` if a number of a rule is outside its range."""
    if not isinstance(value, Real):
        raise PlanError(f"{name} is {value!r}", fix=f"give one {name} to each candidate")
    if name in _IN_UNIT_INTERVAL:
        is_fine, words = 0 <= value < 1, "at least 0 and below 1"
    elif name == "eps":
        # zero is refused: a unit that has never had a gradient would divide 0 by 0
        is_fine, words = 0 < value < float("inf"), "above 0"
    else:
        is_fine, words = 0 <= value < float("inf"), "at least 0 and finite"
    if not is_fine:
        raise PlanError(f"{name} is {value}", fix=f"give a {name} {words}")
