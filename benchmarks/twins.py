"""Healthy twins: thirty sound networks, each trained well on data that can be learnt.

Letters: N rows, D inputs, T steps of a sequence, E features of a step.
"""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from machine import data_folder
from patients import CLASSES, NUMBERS, line, plan, waves
from sklearn import datasets
from torch import Tensor, nn

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.engine.plan import Plan
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP

MOST_ROWS = 1400


class Recurrent(nn.Module):
    """An LSTM that reads an image line by line."""

    def __init__(self, inputs: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.cells = nn.LSTM(inputs[-1], 48, batch_first=True)
        self.output = nn.Linear(48, outputs)

    def forward(self, x_NCTE: Tensor) -> Tensor:
        """Compute raw scores from the last line's state."""
        states_NTH, _ = self.cells(x_NCTE[:, 0])
        scores: Tensor = self.output(states_NTH[:, -1])
        return scores


class Attentive(nn.Module):
    """A small Transformer whose tokens are the lines of an image."""

    def __init__(self, inputs: tuple[int, ...], outputs: int, *, depth: int = 1) -> None:
        super().__init__()
        self.tokens = nn.Linear(inputs[-1], 24)
        self.places = nn.Parameter(0.1 * torch.randn(inputs[-2], 24))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(24, 2, 48, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.output = nn.Linear(24, outputs)

    def forward(self, x_NCTE: Tensor) -> Tensor:
        """Compute raw scores from the mean of all tokens."""
        h_NTE = self.tokens(x_NCTE[:, 0]) + self.places
        for block in self.blocks:
            h_NTE = block(h_NTE)
        scores: Tensor = self.output(h_NTE.mean(1))
        return scores


class Convolving(nn.Module):
    """Two convolutions with modules that the package does not know."""

    def __init__(self, inputs: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, stride=2 if inputs[-1] > 8 else 1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(3),
            nn.Flatten(),
            nn.Linear(216, outputs),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Compute raw scores."""
        scores: Tensor = self.layers(x_NCHW)
        return scores


@dataclasses.dataclass(frozen=True, kw_only=True)
class Twin:
    """One healthy network.

    Attributes:
        name: Network and data in words.
        data: Makes the split.
        settings: The network, and what differs from a sound plan.
        needs_folder: Whether the data lie in the data folder.
    """

    name: str
    data: Callable[[], Split]
    settings: dict[str, Any]
    needs_folder: bool = False

    def plan(self) -> Plan:
        """Make a sound plan for the data: Adam, about five hundred steps."""
        split, settings = self.data(), dict(self.settings)
        classes = dataclasses.replace(CLASSES, num_outputs=split.task.num_outputs)
        loss = NUMBERS if split.task.kind == "numbers" else classes
        epochs = max(8, round(500 / max(1, len(split.train_index) // 32)))
        return plan(**({"loss": loss, "epochs": epochs} | settings))


@cache
def digit_images() -> Split:
    """Digits as images of 8 by 8."""
    x_ND, y_N = datasets.load_digits(return_X_y=True)
    order_N = np.random.default_rng(7).permutation(len(x_ND))[:MOST_ROWS]
    return load(x_ND[order_N].reshape(-1, 1, 8, 8), y_N[order_N], task="classes")


@cache
def motifs() -> Split:
    """Sequences of noise in which one of four motifs stands anywhere: the motif is the class."""
    stream = np.random.default_rng(7)
    x_NTE = 0.5 * stream.normal(size=(1500, 12, 8))
    motif_C2E = 1.5 * stream.choice([-1.0, 1.0], size=(4, 2, 8))
    y_N, place_N = stream.integers(4, size=1500), stream.integers(11, size=1500)
    for step in range(2):
        x_NTE[np.arange(1500), place_N + step] += motif_C2E[y_N, step]
    return load(x_NTE[:, None].astype(np.float32), y_N, task="classes")


@cache
def known(name: str) -> Split:
    """A table that scikit-learn ships."""
    x_ND, y_N = getattr(datasets, f"load_{name}")(return_X_y=True)
    return load(x_ND[:1200], y_N[:1200], task="numbers" if name == "diabetes" else "classes")


@cache
def table(name: str) -> Split:
    """A table of the data folder."""
    frame = pd.read_csv(data_folder() / "tabular" / f"{name}.csv.gz")
    index = pd.read_csv(data_folder() / "tabular" / "index.csv").set_index("name").loc[name]
    kind = "numbers" if index.task == "regression" else "classes"
    frame = frame.sample(min(len(frame), MOST_ROWS), random_state=7)
    return load(frame, target="target", task=kind)


@cache
def idx_images(name: str, *, flat: bool) -> Split:
    """Every second pixel of some images of MNIST or Fashion-MNIST."""
    folder = data_folder() / name
    pixels, labels = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{what}.gz").read_bytes()), np.uint8, offset=offset)
        for what, offset in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    )
    x_NCHW = pixels.reshape(-1, 1, 28, 28)[:MOST_ROWS, :, ::2, ::2].astype(np.float32) / 255
    return load(x_NCHW.reshape(len(x_NCHW), -1) if flat else x_NCHW, labels[:MOST_ROWS], task="classes")


def _twins(
    data_name: str, data: Callable[[], Split], networks: dict[str, dict[str, Any]], *, needs: bool = False
) -> list[Twin]:
    return [
        Twin(name=f"{word}, {data_name}", data=data, settings=settings, needs_folder=needs)
        for word, settings in networks.items()
    ]


def _mlp(*widths: int, **settings: Any) -> dict[str, Any]:
    return {"network": MLP(widths=widths, **settings)}


LSTM = {"network": Given(factory=Recurrent), "lr": 5e-3}
TRANSFORMER = {"network": Given(factory=Attentive)}
TWO_BLOCKS = {"network": Given(factory=partial(Attentive, depth=2)), "lr": 2e-3}
CONVOLUTION = {"network": Given(factory=Convolving), "epochs": 10}

TWINS = (
    *_twins(
        "digits",
        digit_images,
        {
            "MLP 128 dropout": _mlp(128) | {"dropout": 0.25},
            "MLP 96 tanh": _mlp(96, activation="tanh"),
            "MLP 64-64 batch-norm": _mlp(64, 64, normalisation="batch"),
            "MLP 64 maxout": _mlp(64, activation="maxout"),
            "CNN 8-16": {"network": CNN(channels=(8, 16)), "epochs": 12},
            "CNN of modules": CONVOLUTION,
            "LSTM": LSTM,
        },
    ),
    *_twins(
        "motifs",
        motifs,
        {
            "CNN of modules": CONVOLUTION,
            "LSTM": LSTM,
            "Transformer": TRANSFORMER,
            "Transformer of two blocks": TWO_BLOCKS,
        },
    ),
    *_twins(
        "breast cancer",
        partial(known, "breast_cancer"),
        {
            "MLP 32": _mlp(32),
            "MLP 16 tanh": _mlp(16, activation="tanh"),
            "MLP 16 sigmoid": _mlp(16, activation="sigmoid") | {"lr": 1e-2},
            "MLP 32 momentum": _mlp(32) | {"rule": "momentum", "lr": 0.02},
        },
    ),
    *_twins(
        "waves",
        partial(waves, 7),
        {"MLP 64-64": _mlp(64, 64), "MLP 32 x 4, He": _mlp(32, 32, 32, 32, initialisation="he")},
    ),
    *_twins("a line", partial(line, 7), {"MLP 16": _mlp(16)}),
    *_twins("iris", partial(known, "iris"), {"MLP 32": _mlp(32)}),
    *_twins("wine", partial(known, "wine"), {"MLP 32": _mlp(32)}),
    *(
        Twin(
            name=f"{word}, {name}",
            data=partial(idx_images, folder, flat=word.startswith("MLP")),
            settings=settings,
            needs_folder=True,
        )
        for name, folder, convolution in (
            ("MNIST", "mnist", CONVOLUTION | {"epochs": 20}),
            ("Fashion-MNIST", "fashion_mnist", CONVOLUTION | {"epochs": 30, "dropout": 0.4}),
        )
        for word, settings in (("CNN of modules", convolution), ("MLP 96", _mlp(96)))
    ),
    *(
        Twin(name=f"MLP 32, {name}", data=partial(table, name), settings=_mlp(32), needs_folder=True)
        for name in ("titanic", "penguins", "banknote", "concrete", "energy_heating", "auto_mpg")
    ),
)
"""The data are read when a twin is asked for them."""


def has_folder() -> bool:
    """Tell whether the data folder is there."""
    return (data_folder() / "tabular" / "index.csv").exists()
