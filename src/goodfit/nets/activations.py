r"""Activation functions by name, for stacked tensors and as modules; Maxout among them.

Shapes: N samples, U units, P pieces of a unit. Maxout needs P weighted sums for each unit, and they
lie side by side: unit ``u`` owns the features from ``u * P`` to ``u * P + P - 1``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable
from typing import final

from torch import Tensor, nn
from torch.nn import functional

from goodfit.errors import PlanError, ShapeError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Activation:
    r"""What is known about one activation.

    Attributes:
        name: Its name in plans.
        make: Makes the module, from the number of pieces and the axis of the features.
        function: The elementwise form; ``None`` where it needs more than the weighted sum.
        bounds: Lower and upper bound if it saturates on both sides.
        gain: Factor on :math:`1 / \sqrt{D}` that keeps the size of signals from layer to layer.
            Torch's where torch has one; for GELU, SiLU and Maxout of two pieces
            :math:`1 / \sqrt{E[a(z)^2]}` for a standard normal :math:`z`, which makes ReLU's :math:`\sqrt 2`.
    """

    name: str
    make: Callable[[int, int], nn.Module]
    function: Callable[[Tensor], Tensor] | None = None
    bounds: tuple[float, float] | None = None
    gain: float = 1.0

    @property
    def is_maxout(self) -> bool:
        """Whether the layer before must provide several pieces per unit."""
        return self.name == "maxout"


def maxout(z_NUP: Tensor) -> Tensor:
    r"""Let the largest of a unit's pieces speak for it.

    .. math:: a_u = \max_{p \in \{1, \dots, P\}} z_{u,p}

    With :math:`P = 2` and the second piece held at zero this is ReLU.

    Args:
        z_NUP: Weighted sums of every piece, pieces last; any number of axes before them.

    Returns:
        Activations, shape ``(N, U)``. Only the winning piece receives gradient.

    Raises:
        ShapeError: ``P < 2``; with one piece there is nothing to choose from.

    Example:
        >>> maxout(torch.tensor([[[1.0, -2.0], [0.5, 3.0]]]))
        tensor([[1., 3.]])

    Reference:
        Goodfellow et al., "Maxout Networks", ICML 2013, section 3.
    """
    if z_NUP.ndim < 2 or z_NUP.shape[-1] < 2:
        raise ShapeError(
            f"maxout got shape {tuple(z_NUP.shape)}; it needs (N, U, P) with P of at least 2",
            fix="give the layer before it U * P outputs, then z.unflatten(-1, (U, P))",
        )
    # amax would share the gradient between equal pieces; max gives it to one
    return z_NUP.max(dim=-1).values


@final
class Maxout(nn.Module):
    """Maxout behind a layer with ``pieces`` times as many features; it has no parameters of its own.

    Args:
        pieces: Weighted sums that compete for each unit.
        dim: Axis of the features: -1 after ``nn.Linear``, 1 after a convolution.

    Example:
        >>> nn.Sequential(nn.Linear(5, 3 * 4), Maxout(4))(torch.zeros(2, 5)).shape
        torch.Size([2, 3])
    """

    def __init__(self, pieces: int = 2, *, dim: int = -1) -> None:
        super().__init__()
        self.pieces = pieces
        self.dim = dim

    def forward(self, z: Tensor) -> Tensor:
        """Keep the largest piece of each unit."""
        num_features = z.shape[self.dim]
        if num_features % self.pieces:
            raise ShapeError(
                f"maxout of {self.pieces} pieces got {num_features} features, which it cannot share out",
                fix=f"give the layer before it a multiple of {self.pieces} outputs",
            )
        last = z.movedim(self.dim, -1).unflatten(-1, (-1, self.pieces))
        return maxout(last).movedim(-1, self.dim)

    def extra_repr(self) -> str:
        """Show the settings in the module's printed form."""
        return f"pieces={self.pieces}, dim={self.dim}"


_LEAK = 0.01  # torch's default slope, and the lecture's

ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation(
            name="sigmoid", make=lambda *_: nn.Sigmoid(), function=functional.sigmoid, bounds=(0.0, 1.0)
        ),
        Activation(
            name="tanh", make=lambda *_: nn.Tanh(), function=functional.tanh, bounds=(-1.0, 1.0), gain=5 / 3
        ),
        Activation(name="relu", make=lambda *_: nn.ReLU(), function=functional.relu, gain=math.sqrt(2)),
        Activation(
            name="leaky-relu",
            make=lambda *_: nn.LeakyReLU(_LEAK),
            function=lambda z: functional.leaky_relu(z, _LEAK),
            gain=math.sqrt(2 / (1 + _LEAK**2)),
        ),
        Activation(name="prelu", make=lambda *_: nn.PReLU(), gain=math.sqrt(2 / (1 + 0.25**2))),
        Activation(name="maxout", make=lambda pieces, dim: Maxout(pieces, dim=dim)),
        Activation(name="gelu", make=lambda *_: nn.GELU(), function=functional.gelu, gain=1.5335),
        Activation(name="silu", make=lambda *_: nn.SiLU(), function=functional.silu, gain=1.6766),
    )
}

_NAMES = {type(activation.make(2, -1)): name for name, activation in ACTIVATIONS.items()}


def activation_named(name: str) -> Activation:
    """Find an activation.

    Raises:
        PlanError: There is none of that name.

    Example:
        >>> activation_named("tanh").bounds
        (-1.0, 1.0)
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    close = difflib.get_close_matches(name, ACTIVATIONS, n=1)
    raise PlanError(
        f"there is no activation {name!r}",
        fix=f"write {close[0]}" if close else f"choose one of {', '.join(ACTIVATIONS)}",
    )


def activation_module(name: str, *, pieces: int = 2, dim: int = -1) -> nn.Module:
    """Make a fresh activation module (``pieces`` and ``dim`` as in :class:`Maxout`)."""
    return activation_named(name).make(pieces, dim)


def apply(name: str, z: Tensor, *, pieces: int = 2, slope: Tensor | None = None) -> Tensor:
    """Apply an activation to weighted sums with any leading axes and features last.

    Args:
        name: The activation's name.
        z: Weighted sums, such as ``(K, N, U)``, or ``(K, N, U * P)`` for Maxout.
        pieces: Pieces of a Maxout unit.
        slope: PReLU's learned slopes, in a shape that broadcasts, such as ``(K, 1, 1)``.

    Returns:
        Activations; ``(K, N, U)``.

    Raises:
        PlanError: The name is unknown, or PReLU is given no slope.
    """
    activation = activation_named(name)
    if activation.function is not None:
        return activation.function(z)
    if activation.is_maxout:
        return maxout(z.unflatten(-1, (-1, pieces)))
    if slope is None:
        raise PlanError("prelu is given no slope", fix="pass the learned slopes as slope=")
    return z.clamp(min=0) + slope * z.clamp(max=0)


def bounds(name: str) -> tuple[float, float]:
    """Tell the range an activation saturates in; infinite where it does not on both sides."""
    return activation_named(name).bounds or (-math.inf, math.inf)


def name_of(module: nn.Module) -> str | None:
    """Recognise an activation module; ``None`` for any other module.

    Example:
        >>> name_of(nn.LeakyReLU()), name_of(nn.Linear(2, 2))
        ('leaky-relu', None)
    """
    return _NAMES.get(type(module))


def features_per_unit(name: str, *, pieces: int) -> int:
    """Count the weighted sums a unit needs: its pieces for Maxout, otherwise one."""
    return pieces if activation_named(name).is_maxout else 1
