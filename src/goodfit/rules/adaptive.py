"""Rules with a learning rate of its own for each parameter: Adagrad, RMSProp, Adam, AdamW.

In all of them ``eps`` stands outside the root, :math:`\\sqrt{v} + \\epsilon`, as in torch and in the
paper on Adam; TensorFlow's RMSProp has it inside. A ``lerp`` from a to b by s is (1 - s) a + s b.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, final

from goodfit.rules.base import Hyper, Rule, State

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Adagrad(Rule):
    r"""Divide the learning rate by the root of all squared gradients so far.

    .. math:: s \leftarrow s + g^2, \qquad \Delta = -\frac{\eta}{\sqrt{s} + \epsilon}\, g

    A mean instead of the sum, with :math:`\eta / \sqrt{t}` as the rate, is the same rule: the
    :math:`\sqrt{t}` cancels. There is no further decay of the rate (torch's ``lr_decay=0``).

    Attributes:
        eps: Added to the root.

    Reference:
        Duchi et al., "Adaptive Subgradient Methods", JMLR 2011, section 1.1.
    """

    name: ClassVar[str] = "adagrad"
    slots: ClassVar[tuple[str, ...]] = ("s",)

    eps: float = 1e-10

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        s = state["s"] + g.square()
        return -hyper["lr"] * (g / (s.sqrt() + hyper["eps"])), {"s": s}


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class RMSProp(Rule):
    r"""Divide the learning rate by the root of a fading mean of squared gradients.

    .. math:: v \leftarrow \alpha v + (1 - \alpha) g^2, \qquad \Delta = -\frac{\eta}{\sqrt{v} + \epsilon}\, g

    The mean starts at zero and is not corrected, as in torch, so the first step is longer by
    :math:`1 / \sqrt{1 - \alpha}`. The lecture starts at :math:`v = g_0^2`, which makes it :math:`\eta`.

    Attributes:
        alpha: Share of the old mean that is kept; free in [0, 1).
        eps: Added to the root.

    Reference:
        Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    """

    name: ClassVar[str] = "rmsprop"
    slots: ClassVar[tuple[str, ...]] = ("v",)

    alpha: float = 0.99
    eps: float = 1e-8

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        v = state["v"].lerp(g.square(), 1 - hyper["alpha"])
        return -hyper["lr"] * (g / (v.sqrt() + hyper["eps"])), {"v": v}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Moments(Rule):
    """What Adam and AdamW share; they differ in their default weight decay."""

    slots: ClassVar[tuple[str, ...]] = ("m", "v")

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    @staticmethod
    def update(g: Tensor, state: State, hyper: Hyper, t: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute one step's change (arguments as in :meth:`Rule.update`)."""
        m = state["m"].lerp(g, 1 - hyper["beta1"])
        v = state["v"].lerp(g.square(), 1 - hyper["beta2"])
        # Both bias corrections act on numbers instead of tensors: with r = sqrt(1 - beta2^t),
        # m_hat / (sqrt(v_hat) + eps) = r / (1 - beta1^t) * m / (sqrt(v) + r eps).
        root = (1 - hyper["beta2"] ** t) ** 0.5
        rate = hyper["lr"] * root / (1 - hyper["beta1"] ** t)
        return -rate * (m / (v.sqrt() + root * hyper["eps"])), {"m": m, "v": v}


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam(_Moments):
    r"""RMSProp with momentum, both corrected for having started at zero.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \Delta = -\eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    ``torch.optim.Adam`` is this while ``weight_decay`` is 0; otherwise torch adds L2 to the gradient, and
    the decay here is decoupled.

    Attributes:
        beta1: Share of the old mean of gradients that is kept.
        beta2: Share of the old mean of squared gradients that is kept.
        eps: Added to the corrected root.

    Reference:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """

    name: ClassVar[str] = "adam"


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamW(_Moments):
    """Adam whose weights decay unless told otherwise; the update is :class:`Adam`'s.

    Reference:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2. As in torch,
        the decay is multiplied by the learning rate; in the paper by the schedule alone.
    """

    name: ClassVar[str] = "adamw"

    weight_decay: float = 0.01
