r"""How the learning rate changes over a training: constant, warm-up, cosine, one over root t."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, final

from goodfit.errors import PlanError
from goodfit.rules.base import make, suggest


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule(abc.ABC):
    r"""A factor on the learning rate for each step: :math:`\eta_t = \eta \cdot f(t, T)`.

    The factor depends on the share of the training that is behind, so a longer training
    stretches the schedule instead of ending it early.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not 0 <= value <= 1:
                raise PlanError(
                    f"schedule {self.name!r} has {name}={value}", fix=f"give a {name} from 0 to 1"
                )

    @abc.abstractmethod
    def factor(self, step: int, total: int) -> float:
        """Compute the factor of one step.

        Args:
            step: Step number, counted from 0.
            total: Steps of the whole training.
        """

    def to_dict(self) -> dict[str, Any]:
        """Write the schedule as JSON-ready values; :meth:`from_dict` reads them."""
        return {"name": self.name, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> Schedule:
        """Read what :meth:`to_dict` wrote."""
        return schedule_named(**record)


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The same learning rate from the first step to the last."""

    name: ClassVar[str] = "constant"

    def factor(self, step: int, total: int) -> float:
        """Return 1."""
        return 1.0


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmUp(Schedule):
    r"""Rise in equal steps to the full rate, then stay there.

    .. math:: f(t) = \min(1, (t + 1) / W)

    Attributes:
        share: Share of the training that is warm-up; :math:`W` is that share of its steps, rounded up.

    Example:
        >>> [WarmUp(share=0.4).factor(step, 10) for step in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    name: ClassVar[str] = "warm-up"

    share: float = 0.05

    def factor(self, step: int, total: int) -> float:
        """Compute the factor of one step (arguments as in :meth:`Schedule.factor`)."""
        return min(1.0, (step + 1) / max(1, math.ceil(self.share * total)))


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    r"""Fall along half a cosine from the full rate to zero, after an optional warm-up.

    .. math:: f(t) = \tfrac{1}{2} \left(1 + \cos \pi \frac{t - W}{T - W}\right) \quad \text{for } t \ge W

    Zero is reached at :math:`t = T`, just after the last step, so every step moves.

    Attributes:
        warmup: Share of the training that is warm-up, as in :class:`WarmUp`.

    Example:
        >>> [round(Cosine().factor(step, 4), 3) for step in range(4)]
        [1.0, 0.854, 0.5, 0.146]

    Reference:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017,
        equation 5, without restarts.
    """

    name: ClassVar[str] = "cosine"

    warmup: float = 0.0

    def factor(self, step: int, total: int) -> float:
        """Compute the factor of one step (arguments as in :meth:`Schedule.factor`)."""
        num_warmup = math.ceil(self.warmup * total)
        if step < num_warmup:
            return (step + 1) / num_warmup
        progress = (step - num_warmup) / max(1, total - num_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    r"""Divide by the root of the step number: :math:`f(t) = 1 / \sqrt{t + 1}`.

    The lecture's decay, with :math:`t` counted from 0. It is the one schedule here that
    ignores the length of the training.

    Example:
        >>> [round(InverseSqrt().factor(step, 100), 3) for step in (0, 3, 99)]
        [1.0, 0.5, 0.1]
    """

    name: ClassVar[str] = "inverse-sqrt"

    def factor(self, step: int, total: int) -> float:
        """Compute the factor of one step (arguments as in :meth:`Schedule.factor`)."""
        return 1 / math.sqrt(step + 1)


_SCHEDULES: dict[str, type[Schedule]] = {kind.name: kind for kind in (Constant, WarmUp, Cosine, InverseSqrt)}


def schedule_named(name: str, **shares: float) -> Schedule:
    """Make the schedule of that name.

    Args:
        name: ``"constant"``, ``"warm-up"``, ``"cosine"`` or ``"inverse-sqrt"``.
        shares: The schedule's fields.

    Raises:
        PlanError: The name or a field is unknown, or a share is outside [0, 1].

    Example:
        >>> schedule_named("cosine", warmup=0.1)
        Cosine(warmup=0.1)
    """
    if name not in _SCHEDULES:
        raise PlanError(f"there is no schedule {name!r}", fix=suggest(name, _SCHEDULES))
    schedule: Schedule = make(_SCHEDULES[name], shares, what=f"schedule {name!r}")
    return schedule
