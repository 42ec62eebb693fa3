"""A small convolutional network for images."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import activation_module, activation_named, features_per_unit
from goodfit.nets.initialisation import Initialisation, initialise
from goodfit.nets.mlp import MLP, Dense, check_choices, describe_choices
from goodfit.nets.network import Network, Sizes, collapse, embedding_width, join_codes, make_embeddings

SMALLEST_SIDE = 8


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class CNN(Network):
    """Convolutions of 3 x 3 pixels with max-pooling between them, then fully connected layers.

    Pooling halves the image while its shorter side has at least two pixels, so any depth fits any image.

    Attributes:
        channels: Channels of each convolution, first one first.
        widths: Units of each fully connected hidden layer behind them.
        activation: Name of the activation, see :mod:`goodfit.nets.activations`.
        pieces: Pieces of a Maxout unit; behind a convolution the pieces are channels.
        normalisation: ``"batch"`` standardises the weighted sums before the activation.
        initialisation: How the weights start, see :func:`goodfit.nets.initialisation.initialise`.

    Raises:
        PlanError: There is no convolution, a size is not positive, or a name is unknown.

    Example:
        >>> CNN(channels=(16, 32), widths=(64,)).describe(Sizes(inputs=(1, 28, 28), outputs=10))
        '1x28x28-conv16-conv32-64-10 relu'
    """

    kind: ClassVar[str] = "cnn"

    channels: tuple[int, ...] = (32, 64)
    widths: tuple[int, ...] = (128,)
    activation: str = "relu"
    pieces: int = 2
    normalisation: Literal["batch"] | None = None
    initialisation: Initialisation = "torch"

    def __post_init__(self) -> None:
        check_choices(self.channels, activation=self.activation, pieces=self.pieces)
        if not self.channels:
            raise PlanError("the CNN has no convolution", fix="give channels=(32, 64), or use an MLP")
        if self.normalisation not in (None, "batch"):
            raise PlanError(f"normalisation is {self.normalisation!r}", fix="give 'batch' or None for a CNN")
        self.head()  # the remaining settings are checked where they are used

    def head(self) -> MLP:
        """Give the settings of the fully connected layers behind the convolutions."""
        return MLP(
            widths=self.widths,
            activation=self.activation,
            pieces=self.pieces,
            normalisation=self.normalisation,
            initialisation=self.initialisation,
        )

    def build(self, sizes: Sizes, *, dropout: float = 0.0, input_dropout: float = 0.0) -> CNNModule:
        """Make a fresh module (arguments as in :meth:`Network.build`).

        Raises:
            PlanError: The inputs are no images, or smaller than 8 x 8 pixels.
        """
        if len(sizes.inputs) != 3 or min(sizes.inputs[1:]) < SMALLEST_SIDE:
            raise PlanError(
                f"a CNN got inputs of shape {sizes.inputs}",
                fix="use an MLP, or give images of shape (C, H, W) with 8 x 8 pixels or more",
            )
        return CNNModule(self, sizes, dropout=dropout, input_dropout=input_dropout)

    def describe(self, sizes: Sizes | None = None) -> str:
        """Say the structure in a few words."""
        parts = [f"conv{channels}" for channels in self.channels]
        parts += [collapse(self.widths)] if self.widths else []
        if sizes is not None:
            parts = ["x".join(map(str, sizes.inputs)), *parts, str(sizes.outputs)]
        words = f"{'-'.join(parts)} {describe_choices(self.activation, self.pieces, self.normalisation)}"
        return words if self.initialisation == "torch" else f"{words}, {self.initialisation} start"


@final
class Convolution(nn.Module):
    """One convolutional layer: weighted sums, normalisation, activation, dropout, pooling.

    Attributes:
        puts_channels_last: Whether pixels are laid out so that torch pools several times faster. It changes
            nothing but rounding; ``torch.func.vmap`` cannot do it.
    """

    puts_channels_last = False

    def __init__(self, num_inputs: int, channels: int, *, network: CNN, dropout: float, pools: bool) -> None:
        super().__init__()
        pieces = features_per_unit(network.activation, pieces=network.pieces)
        num_features = channels * pieces
        self.conv = nn.Conv2d(num_inputs, num_features, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(num_features) if network.normalisation else None
        self.activation = activation_module(network.activation, pieces=network.pieces, dim=1)
        self.dropout = nn.Dropout2d(dropout)  # whole channels: neighbouring pixels tell each other's value
        self.pool = nn.MaxPool2d(2) if pools else nn.Identity()
        if network.initialisation != "torch":
            gain = activation_named(network.activation).gain
            initialise(self.conv, network.initialisation, gain=gain, pieces=pieces)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Compute the layer's activations."""
        z = self.conv(x_NCHW)
        if self.puts_channels_last:
            z = z.contiguous(memory_format=torch.channels_last)
        if self.norm is not None:
            z = self.norm(z)
        pooled: Tensor = self.pool(self.dropout(self.activation(z)))
        return pooled


@final
class CNNModule(nn.Module):
    """The module of a :class:`CNN`.

    Attributes:
        embeddings: One ``nn.Embedding`` for each column of codes.
        input_dropout: Acts on the pixels.
        convolutions: The convolutional layers, each a :class:`Convolution`.
        layers: The fully connected layers, which also see the embedded codes.
        output: The last linear layer.
    """

    def __init__(self, network: CNN, sizes: Sizes, *, dropout: float, input_dropout: float) -> None:
        super().__init__()
        self.embeddings = make_embeddings(sizes.cardinalities)
        self.input_dropout = nn.Dropout(input_dropout)
        self.convolutions = nn.ModuleList()
        self.layers = nn.ModuleList()
        channels, height, width = sizes.inputs
        for next_channels in network.channels:
            pools = min(height, width) >= 2
            layer = Convolution(channels, next_channels, network=network, dropout=dropout, pools=pools)
            self.convolutions.append(layer)
            channels, height, width = next_channels, height >> pools, width >> pools
        num_inputs = channels * height * width + sum(map(embedding_width, sizes.cardinalities))
        for next_width in network.widths:
            self.layers.append(Dense(num_inputs, next_width, network=network.head(), dropout=dropout))
            num_inputs = next_width
        self.output = nn.Linear(num_inputs, sizes.outputs)
        if network.initialisation != "torch":
            initialise(self.output, network.initialisation)

    def forward(self, x: Tensor, codes_NC: Tensor | None = None) -> Tensor:
        """Compute raw scores, shape ``(N, outputs)``, from images ``(N, C, H, W)``."""
        h = self.input_dropout(x)
        for convolution in self.convolutions:
            h = convolution(h)
        h = join_codes(h.flatten(1), codes_NC, embeddings=self.embeddings)
        for layer in self.layers:
            h = layer(h)
        scores: Tensor = self.output(h)
        return scores
