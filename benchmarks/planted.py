"""Illnesses that one remedy or another is made for, planted in small plans; rows to prove it on are plenty.

A patient is made anew for each seed: rows, start and batches differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from patients import NUMBERS, Make, plan
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.engine.goodness.contract import Contract
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.procedure.start import Wanted, own_plan

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
SGD = "gradient-descent"
CANVAS = 12
"""Pixels of the side of a canvas on which a digit of 8 by 8 lies anywhere."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Illness:
    """One planted illness.

    Attributes:
        name: What was planted, in words.
        question: Which answer it turns to no.
        make: Makes plan and split from a seed.
        remedies: Codes of the remedies that are to be tried against it.
    """

    name: str
    question: str
    make: Make
    remedies: tuple[str, ...]


def few_digits(seed: int, *, rows: int = 200, wrong: float = 0.0, change: Change | None = None) -> Split:
    """Few digits to learn from, some with a wrong label, 600 to validate and the rest sealed."""
    x_ND, y_N = load_digits(return_X_y=True)
    stream = np.random.default_rng(seed)
    order_N = stream.permutation(len(x_ND))
    x_N, y_N = x_ND[order_N].reshape(-1, 1, 8, 8) / 16, y_N[order_N]
    x_N = (x_N if change is None else change(x_N, stream)).astype(np.float32)
    learn, watch, seal = slice(0, rows), slice(rows, rows + 600), slice(rows + 600, None)
    labels_N = np.where(stream.random(rows) < wrong, stream.integers(10, size=rows), y_N[learn])
    parts = {"validation": (x_N[watch], y_N[watch]), "test": (x_N[seal], y_N[seal])}
    return load(x_N[learn], labels_N, task="classes", seed=seed, **parts)


def anywhere(x_NCHW: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Put every image anywhere on a larger canvas."""
    canvas_NCHW = np.zeros((len(x_NCHW), 1, CANVAS, CANVAS))
    for image, canvas in zip(x_NCHW, canvas_NCHW, strict=True):
        down, right = stream.integers(CANVAS - 8 + 1, size=2)
        canvas[:, down : down + 8, right : right + 8] = image
    return canvas_NCHW


def from_both_sides(x_NCHW: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Mirror every other image left to right."""
    is_mirrored_N = stream.random(len(x_NCHW)) < 0.5
    return np.where(is_mirrored_N[:, None, None, None], x_NCHW[..., ::-1], x_NCHW)


def numbers(
    seed: int,
    *,
    rows: int = 500,
    noise: float = 0.1,
    law: Callable[[np.ndarray], np.ndarray] | None = None,
    scale: float = 1.0,
    gain: float = 1.0,
) -> Split:
    """A function of six numbers with noise; columns have ``gain``, and grow in scale by ``scale``."""
    stream = np.random.default_rng(seed)
    x_ND = stream.normal(size=(rows + 1200, 6))
    y_N = (waves if law is None else law)(x_ND) + noise * stream.normal(size=len(x_ND))
    x_ND = gain * x_ND * np.logspace(0, np.log10(scale), 6)
    learn, watch, seal = slice(0, rows), slice(rows, rows + 600), slice(rows + 600, None)
    parts = {"validation": (x_ND[watch], y_N[watch]), "test": (x_ND[seal], y_N[seal])}
    return load(x_ND[learn], y_N[learn], task="numbers", seed=seed, **parts)


def waves(x_ND: np.ndarray) -> np.ndarray:
    """A smooth function with a product in it."""
    values_N: np.ndarray = np.sin(2 * x_ND[:, 0]) + x_ND[:, 1] * x_ND[:, 2] + x_ND[:, 3]
    return values_N


def line(x_ND: np.ndarray) -> np.ndarray:
    """A straight line."""
    values_N: np.ndarray = x_ND.sum(1)
    return values_N


def steps(x_ND: np.ndarray) -> np.ndarray:
    """Many steps in one number."""
    values_N: np.ndarray = np.sign(np.sin(6 * x_ND[:, 0])) + x_ND[:, 1]
    return values_N


def behind_softmax(inputs: int, outputs: int) -> nn.Module:
    """A network that gives shares where its loss wants scores."""
    layers = (nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, outputs))
    return nn.Sequential(nn.Flatten(), *layers, nn.Softmax(dim=1))


def off_shares(shares_NO: Tensor, truth_N: Tensor) -> Tensor:
    """Squared distance between shares and the one right class."""
    return (shares_NO - nn.functional.one_hot(truth_N, 10)).square().mean()


OF_SHARES = Loss(
    name="off_shares",
    kind="classes",
    num_outputs=10,
    contract=Contract(output_shape=(10,), function=off_shares),
    is_share=True,
)


def prices(seed: int) -> tuple[Plan, Split]:
    """Numbers far from what a fresh network answers, learnt as they are."""
    stream = np.random.default_rng(seed)
    x_ND = stream.normal(size=(1500, 6)).astype(np.float32)
    y_N1 = (4000 + 500 * waves(x_ND)).astype(np.float32)[:, None]
    rows = TensorDataset(torch.from_numpy(x_ND), torch.from_numpy(y_N1))
    wanted = Wanted(
        model=lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1)),
        loss=nn.MSELoss(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
        epochs=20,
        batch_size=32,
    )
    return own_plan(wanted, load_own(DataLoader(rows), Wishes(seed=seed), standardised=False))


def _ill(question: str, name: str, make: Make, remedies: str) -> Illness:
    return Illness(name=name, question=question, make=make, remedies=tuple(remedies.split()))


ON_TRAINING = (
    _ill(
        "training",
        "eight sigmoid layers, gradient descent",
        lambda s: (plan(*(24,) * 8, rule=SGD, lr=0.1, activation="sigmoid"), few_digits(s, rows=400)),
        "batch-norm gelu silu",
    ),
    _ill(
        "training",
        "twelve ReLU layers, gradient descent",
        lambda s: (plan(*(24,) * 12, rule=SGD, lr=0.1, epochs=20), few_digits(s, rows=400)),
        "skip he-init xavier-init shallower batch-norm",
    ),
    _ill(
        "training",
        "columns of scales from 1 to 1000, not scaled",
        lambda s: (plan(inputs="raw", loss=NUMBERS, lr=1e-3), numbers(s, scale=1000.0)),
        "scale-inputs",
    ),
    _ill(
        "training",
        "many steps in one number, few units",
        lambda s: (plan(16, loss=NUMBERS, epochs=20), numbers(s, law=steps)),
        "expand-inputs wider",
    ),
    _ill(
        "training",
        "a rate of Adam that shakes the weights to the end",
        lambda s: (plan(32, 32, loss=NUMBERS, lr=0.03, epochs=20), numbers(s)),
        "cosine",
    ),
    _ill(
        "training",
        "tanh at its bounds, inputs in the hundreds",
        lambda s: (
            plan(24, 24, inputs="raw", loss=NUMBERS, activation="tanh", epochs=20),
            numbers(s, gain=200.0),
        ),
        "layer-norm",
    ),
    _ill(
        "training",
        "gradients that explode in six layers",
        lambda s: (
            plan(
                network=MLP(widths=(32,) * 6, initialisation="he"),
                rule=SGD,
                lr=0.2,
                loss=NUMBERS,
                epochs=20,
            ),
            numbers(s),
        ),
        "clip",
    ),
    _ill(
        "training",
        "one layer of three units",
        lambda s: (plan(3, loss=NUMBERS, lr=0.01, epochs=60, activation="tanh"), numbers(s)),
        "wider deeper",
    ),
    _ill(
        "training",
        "too few epochs",
        lambda s: (plan(lr=1e-3, loss=NUMBERS, epochs=4), numbers(s)),
        "longer wider deeper",
    ),
    _ill(
        "training",
        "dropout of nine tenths",
        lambda s: (plan(32, 32, dropout=0.9, epochs=20), few_digits(s, rows=400)),
        "unregularised",
    ),
    _ill(
        "training",
        "softmax before cross-entropy",
        lambda s: (plan(network=Given(factory=behind_softmax)), few_digits(s, rows=400)),
        "plain-output",
    ),
    _ill(
        "training",
        "squared error of shares, a loss of one's own, by gradient descent",
        lambda s: (
            plan(network=Given(factory=behind_softmax), loss=OF_SHARES, rule=SGD, lr=0.1),
            few_digits(s, rows=400),
        ),
        "usual-loss",
    ),
    _ill("training", "prices in the thousands, a network of one's own", prices, "scale-targets"),
)
ON_TESTING = (
    _ill(
        "testing",
        "three labels in ten wrong, learnt by heart",
        lambda s: (plan(128, epochs=60), few_digits(s, rows=400, wrong=0.3)),
        "ensemble input-dropout label-smoothing averaging tail-averaging input-noise mixup smaller",
    ),
    _ill(
        "testing",
        "noise learnt by heart",
        lambda s: (plan(64, loss=NUMBERS, epochs=80), numbers(s, rows=100, law=line, noise=2.0)),
        "smaller input-dropout input-noise mixup ensemble averaging tail-averaging",
    ),
    _ill(
        "testing",
        "a rate that shakes the weights to the end",
        lambda s: (plan(32, 32, lr=0.02, loss=NUMBERS, epochs=30), numbers(s, rows=300, noise=0.5)),
        "ensemble averaging tail-averaging",
    ),
    _ill(
        "testing",
        "steps so small that they learn every row",
        lambda s: (
            plan(
                network=MLP(widths=(64, 64), initialisation="he", normalisation="batch"),
                rule=SGD,
                lr=0.03,
                epochs=60,
            ),
            few_digits(s, rows=400),
        ),
        "larger-steps",
    ),
    _ill(
        "testing",
        "few digits that lie anywhere",
        lambda s: (plan(64, epochs=40), few_digits(s, change=anywhere)),
        "shift",
    ),
    _ill(
        "testing",
        "few digits seen from both sides",
        lambda s: (plan(64, epochs=40), few_digits(s, change=from_both_sides)),
        "mirror",
    ),
    _ill(
        "testing",
        "noise learnt by heart in a basis of steps",
        lambda s: (
            plan(64, inputs="expanded", loss=NUMBERS, epochs=80),
            numbers(s, rows=100, law=line, noise=1.5),
        ),
        "plain-inputs",
    ),
)
ILLNESSES = (*ON_TRAINING, *ON_TESTING)

HEALTHY: dict[str, Make] = {
    "digits, MLP 32": lambda s: (plan(epochs=16), few_digits(s, rows=500)),
    "digits, MLP 24-24 tanh": lambda s: (plan(24, 24, epochs=16, activation="tanh"), few_digits(s, rows=500)),
    "waves, MLP 32-32": lambda s: (plan(32, 32, loss=NUMBERS, epochs=24), numbers(s)),
    "a line, MLP 16": lambda s: (plan(16, loss=NUMBERS, epochs=16), numbers(s, law=line)),
    "a noisy line, MLP 16": lambda s: (plan(16, loss=NUMBERS, epochs=16), numbers(s, law=line, noise=1.0)),
}
"""Sound plans on rows that suffice for them."""
