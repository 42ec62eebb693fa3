"""Fully connected networks of any depth and width."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar, Literal, final

from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import activation_module, activation_named, features_per_unit
from goodfit.nets.initialisation import INITIALISATIONS, Initialisation, initialise
from goodfit.nets.network import Network, Sizes, collapse, embedding_width, join_codes, make_embeddings

Normalisation = Literal["batch", "layer"]


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class MLP(Network):
    """Linear layers with an activation behind each but the last.

    Images are read as flat rows. With no widths at all it is linear regression or softmax regression.

    Attributes:
        widths: Units of each hidden layer, first one first.
        activation: Name of the activation, see :mod:`goodfit.nets.activations`.
        pieces: Pieces of a Maxout unit.
        normalisation: Standardises the weighted sums before the activation.
        skip: Adds a layer's input to its output wherever the two are equally wide.
        initialisation: How the weights start, see :func:`goodfit.nets.initialisation.initialise`.

    Raises:
        PlanError: A width is not positive, or a name is unknown.

    Example:
        >>> MLP(widths=(32,) * 10, activation="sigmoid").describe(Sizes(inputs=(64,), outputs=10))
        '64-32x10-10 sigmoid'
    """

    kind: ClassVar[str] = "mlp"

    widths: tuple[int, ...]
    activation: str = "relu"
    pieces: int = 2
    normalisation: Normalisation | None = None
    skip: bool = False
    initialisation: Initialisation = "torch"

    def __post_init__(self) -> None:
        check_choices(self.widths, activation=self.activation, pieces=self.pieces)
        _check_name("normalisation", self.normalisation, (None, "batch", "layer"))
        _check_name("initialisation", self.initialisation, INITIALISATIONS)

    def build(self, sizes: Sizes, *, dropout: float = 0.0, input_dropout: float = 0.0) -> MLPModule:
        """Make a fresh module (arguments as in :meth:`Network.build`)."""
        return MLPModule(self, sizes, dropout=dropout, input_dropout=input_dropout)

    def describe(self, sizes: Sizes | None = None) -> str:
        """Say the structure in a few words; the first width counts embedded codes too."""
        if not self.widths:
            return "linear" if sizes is None else f"{joined_width(sizes)}-{sizes.outputs} linear"
        ends = None if sizes is None else (joined_width(sizes), sizes.outputs)
        words = collapse((ends[0], *self.widths, ends[1]) if ends else self.widths)
        words += " " + describe_choices(self.activation, self.pieces, self.normalisation)
        words += ", skip" if self.skip else ""
        return words if self.initialisation == "torch" else f"{words}, {self.initialisation} start"


@final
class Dense(nn.Module):
    """One hidden layer: weighted sums, normalisation, activation, dropout, and perhaps a skip.

    The stacked engine reads the attributes ``linear``, ``norm`` (or ``None``), ``activation``,
    ``dropout`` and ``has_skip``.
    """

    def __init__(self, num_inputs: int, width: int, *, network: MLP, dropout: float) -> None:
        super().__init__()
        pieces = features_per_unit(network.activation, pieces=network.pieces)
        num_features = width * pieces
        self.linear = nn.Linear(num_inputs, num_features)
        self.norm = _norm(network.normalisation, num_features)
        self.activation = activation_module(network.activation, pieces=network.pieces)
        self.dropout = nn.Dropout(dropout)
        self.has_skip = network.skip and num_inputs == width
        if network.initialisation != "torch":
            gain = activation_named(network.activation).gain
            initialise(self.linear, network.initialisation, gain=gain, pieces=pieces)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Compute the layer's activations, shape ``(N, U)``."""
        z = self.linear(x_ND)
        if self.norm is not None:
            z = self.norm(z)
        a_NU: Tensor = self.dropout(self.activation(z))
        return x_ND + a_NU if self.has_skip else a_NU


@final
class MLPModule(nn.Module):
    """The module of an :class:`MLP`.

    Attributes:
        embeddings: One ``nn.Embedding`` for each column of codes.
        input_dropout: Acts on the inputs, embedded codes included.
        layers: The hidden layers, each a :class:`Dense`.
        output: The last linear layer.
    """

    def __init__(self, network: MLP, sizes: Sizes, *, dropout: float, input_dropout: float) -> None:
        super().__init__()
        self.embeddings = make_embeddings(sizes.cardinalities)
        self.input_dropout = nn.Dropout(input_dropout)
        widths = (joined_width(sizes), *network.widths)
        self.layers = nn.ModuleList(
            Dense(*pair, network=network, dropout=dropout) for pair in itertools.pairwise(widths)
        )
        self.output = nn.Linear(widths[-1], sizes.outputs)
        if network.initialisation != "torch":  # a fresh nn.Linear has that one already
            initialise(self.output, network.initialisation)

    def forward(self, x: Tensor, codes_NC: Tensor | None = None) -> Tensor:
        """Compute raw scores, shape ``(N, outputs)``."""
        h = self.input_dropout(join_codes(x.flatten(1), codes_NC, embeddings=self.embeddings))
        for layer in self.layers:
            h = layer(h)
        scores: Tensor = self.output(h)
        return scores


def joined_width(sizes: Sizes) -> int:
    """Count the numbers that reach the first layer: flat inputs and embedded codes."""
    return sizes.num_inputs + sum(map(embedding_width, sizes.cardinalities))


def check_choices(widths: tuple[int, ...], *, activation: str, pieces: int) -> None:
    """Refuse widths, activations and pieces that no layer can have."""
    if not isinstance(widths, tuple) or any(width < 1 for width in widths):
        raise PlanError(f"the widths are {widths}", fix="give a tuple with at least 1 unit for each layer")
    if activation_named(activation).is_maxout and pieces < 2:
        raise PlanError(f"maxout has {pieces} pieces", fix="give pieces=2 or more")


def describe_choices(activation: str, pieces: int, normalisation: str | None) -> str:
    """Say what stands between the weighted sums, such as ``"maxout 3, batch norm"``."""
    words = f"{activation} {pieces}" if activation_named(activation).is_maxout else activation
    return f"{words}, {normalisation} norm" if normalisation else words


def _norm(normalisation: Normalisation | None, num_features: int) -> nn.Module | None:
    if normalisation is None:
        return None
    return nn.BatchNorm1d(num_features) if normalisation == "batch" else nn.LayerNorm(num_features)


def _check_name(field: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise PlanError(f"{field} is {value!r}", fix=f"choose one of {', '.join(map(str, known))}")
