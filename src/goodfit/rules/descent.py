"""Rules with one learning rate for all parameters: gradient descent, momentum, Nesterov."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, final

from goodfit.rules.base import Hyper, Rule, State

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientDescent(Rule):
    r"""Step against the gradient.

    .. math:: \Delta = -\eta\, g

    Example:
        >>> GradientDescent(lr=0.1).to_dict()
        {'name': 'gradient-descent', 'lr': 0.1, 'weight_decay': 0.0}
    """

    name: ClassVar[str] = "gradient-descent"

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        return -hyper["lr"] * g, {}


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Momentum(Rule):
    r"""Keep moving: the last movement, shortened, plus the step against the gradient.

    .. math:: v \leftarrow \lambda v - \eta\, g, \qquad \Delta = v

    The movement :math:`v` contains the learning rate. ``torch.optim.SGD(momentum=...)`` keeps
    :math:`b \leftarrow \lambda b + g` and multiplies by the rate afterwards. The two agree while
    the rate is constant; when a schedule lowers it, the movement here fades by :math:`\lambda` alone,
    while in torch it shrinks with the rate at once.

    Attributes:
        momentum: Share :math:`\lambda` of the last movement that is kept.

    Reference:
        Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    name: ClassVar[str] = "momentum"
    slots: ClassVar[tuple[str, ...]] = ("v",)

    momentum: float = 0.9

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        v = hyper["momentum"] * state["v"] - hyper["lr"] * g
        return v, {"v": v}


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Nesterov(Rule):
    r"""Momentum that looks ahead: the new movement is applied before the gradient's step.

    .. math:: v \leftarrow \lambda v - \eta\, g, \qquad \Delta = \lambda v - \eta\, g

    This is the form of ``torch.optim.SGD(nesterov=True)``, which needs the gradient only where the
    parameters are. Sutskever's form evaluates it at :math:`w + \lambda v`; with :math:`w` standing for
    that looked-ahead point the two are the same trajectory while the rate is constant. As in
    :class:`Momentum`, :math:`v` contains the learning rate, and torch's buffer does not.

    Attributes:
        momentum: Share :math:`\lambda` of the last movement that is kept.

    Reference:
        Sutskever et al., "On the importance of initialization and momentum in deep learning",
        ICML 2013, section 2.1.
    """

    name: ClassVar[str] = "nesterov"
    slots: ClassVar[tuple[str, ...]] = ("v",)

    momentum: float = 0.9

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        step = hyper["lr"] * g
        v = hyper["momentum"] * state["v"] - step
        return hyper["momentum"] * v - step, {"v": v}
