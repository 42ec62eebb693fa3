r"""How weights start; biases start at zero except in torch's own way.

Shapes: D inputs of a layer (``fan_in``), U its outputs (``fan_out``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Initialisation = Literal["torch", "he", "xavier", "lecun", "orthogonal"]


def _normal(w: Tensor, gain: float) -> None:
    fan_in = w[0].numel()
    nn.init.normal_(w, std=gain / math.sqrt(fan_in))


_WAYS: dict[str, Callable[[Tensor, float], object]] = {
    "he": _normal,
    "xavier": lambda w, gain: nn.init.xavier_uniform_(w),
    "lecun": lambda w, gain: _normal(w, 1.0),
    "orthogonal": lambda w, gain: nn.init.orthogonal_(w, gain=gain),
}

INITIALISATIONS = ("torch", *_WAYS)


def initialise(layer: nn.Linear | _ConvNd, way: str, *, gain: float = 1.0, pieces: int = 1) -> None:
    r"""Start a layer's weights afresh, in place, from torch's global random state.

    ============  ==========================================================================
    torch         what ``nn.Linear`` and ``nn.Conv2d`` do: uniform within :math:`1/\sqrt{D}`
    he            normal, :math:`\sigma = g / \sqrt{D}`, with the activation's gain :math:`g`
    xavier        uniform within :math:`\sqrt{6 / (D + U)}`
    lecun         normal, :math:`\sigma = 1 / \sqrt{D}`
    orthogonal    a random rotation times :math:`g`
    ============  ==========================================================================

    Args:
        layer: A linear or convolutional layer.
        way: One of the names above.
        gain: Gain :math:`g` of the activation behind the layer; 1 at the output.
        pieces: Pieces of each Maxout unit behind the layer; each piece starts as a layer of its own.

    Reference:
        He et al., "Delving Deep into Rectifiers", ICCV 2015; Glorot and Bengio, AISTATS 2010;
        LeCun et al., "Efficient BackProp", 1998; Saxe et al., ICLR 2014.
    """
    if way == "torch":
        layer.reset_parameters()
        return
    for w in layer.weight.data.unflatten(0, (-1, pieces)).unbind(1):
        _WAYS[way](w, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias.data)
