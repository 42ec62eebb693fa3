"""Planted illnesses: for every finding of the recipe's own runs a patient that has it.

A patient is made anew for each seed: data, split, start and batches differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.recipe.order import RECIPE
from goodfit.rules.base import rule_named

Make = Callable[[int], tuple[Plan, Split]]
CLASSES = Loss(name="cross-entropy", kind="classes", num_outputs=10)
TWO_CLASSES = Loss(name="binary-cross-entropy", kind="classes", num_outputs=1)
NUMBERS = Loss(name="squared", kind="numbers", num_outputs=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patient:
    """One planted illness.

    Attributes:
        code: The finding it must raise.
        illness: What was planted, in words.
        make: Makes plan and split from a seed.
        by: What decides: ``"harness"``, ``"training"``, ``"testing"``, ``"relation"``, ``"shift"``,
            ``"trial"`` or ``"experiment"``.
        arms: For a trial, the remedy whose arms are compared.
    """

    code: str
    illness: str
    make: Make
    by: str
    arms: str = ""


def digits(seed: int, *, rows: int = 700, image: bool = False, change: Any = None) -> Split:
    """Some of scikit-learn's digits, the targets changed by ``change``."""
    x_ND, y_N = load_digits(return_X_y=True)
    order_N = np.random.default_rng(seed).permutation(len(x_ND))[:rows]
    x_ND, y_N = x_ND[order_N], y_N[order_N]
    if change is not None:
        x_ND, y_N = change(x_ND, y_N, np.random.default_rng(1000 + seed))
    return load(x_ND.reshape(-1, 1, 8, 8) if image else x_ND, y_N, task="classes", seed=seed)


def few_digits(seed: int) -> Split:
    """Ninety digits to learn from, and sixteen hundred to be judged by."""
    x_ND, y_N = load_digits(return_X_y=True)
    order_N = np.random.default_rng(seed).permutation(len(x_ND))
    # the sealed test takes a fifth of what is divided
    main_N, other_N = order_N[:120], order_N[120:1720]
    return load(
        x_ND[main_N], y_N[main_N], validation=(x_ND[other_N], y_N[other_N]), task="classes", seed=seed
    )


def waves(seed: int, *, rows: int = 1000) -> Split:
    """A smooth function of eight numbers, with a little noise."""
    stream = np.random.default_rng(seed)
    x_ND = stream.normal(size=(rows, 8))
    y_N = np.sin(2 * x_ND[:, 0]) + x_ND[:, 1] * x_ND[:, 2] + x_ND[:, 3] + 0.1 * stream.normal(size=rows)
    return load(x_ND, y_N, task="numbers", seed=seed)


def halves(seed: int) -> Split:
    """Digits of which one is to tell the small from the large."""
    return digits(seed, change=lambda x_ND, y_N, stream: (x_ND, y_N // 5))


def line(seed: int) -> Split:
    """A straight line with a little noise."""
    stream = np.random.default_rng(seed)
    x_ND = stream.normal(size=(1500, 4))
    return load(x_ND, x_ND.sum(1) + 0.2 * stream.normal(size=len(x_ND)), task="numbers", seed=seed)


def plan(*widths: int, rule: str = "adam", lr: float = 3e-3, **changes: Any) -> Plan:
    """A small plan; ``changes`` are fields of Plan, ``activation`` one of the network."""
    network = MLP(widths=widths or (32,), activation=changes.pop("activation", "relu"))
    usual = {"network": network, "loss": CLASSES, "epochs": 12, "batch_size": 32}
    return Plan(**(usual | {"rule": rule_named(rule, lr=lr)} | changes))


def given(start: Callable[[nn.Linear], object], *, depth: int = 2, activation: type = nn.ReLU) -> Given:
    """A network whose hidden layers start as ``start`` says."""

    def factory(inputs: int, outputs: int) -> nn.Module:
        sizes = [inputs, *[32] * depth]
        parts: list[nn.Module] = [nn.Flatten()]
        for place in range(depth):
            linear = nn.Linear(sizes[place], 32)
            with torch.no_grad():
                start(linear)
            parts += [linear, activation()]
        return nn.Sequential(*parts, nn.Linear(32, outputs))

    return Given(factory=factory)


class Mixing(nn.Module):
    """A network that takes the mean of its batch away, in evaluation too."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Compute raw scores."""
        scores: Tensor = self.linear(x_ND - x_ND.mean(0))
        return scores


class Forgetful(nn.Module):
    """A network with a layer that it never calls."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.used, self.forgotten = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Compute raw scores."""
        scores: Tensor = self.used(x_ND)
        return scores


def scaled(linear: nn.Linear, gain: float) -> None:
    """Draw weights at ``gain`` times He's scale."""
    nn.init.normal_(linear.weight, std=gain * (2 / linear.in_features) ** 0.5)
    nn.init.zeros_(linear.bias)


def changed(split: Split, change: Callable[[Tensor, Tensor], object]) -> Split:
    """Change prepared rows in place: what no reader of files would let through."""
    change(split.rows("train").x, split.rows("validation").x)
    return split


def copied(train_x: Tensor, validation_x: Tensor) -> None:
    """Put training rows into validation."""
    validation_x[: len(validation_x) // 5] = train_x[: len(validation_x) // 5]


def strangers(share: float) -> Any:
    """Give a share of the rows another label."""

    def change(x_ND: np.ndarray, y_N: np.ndarray, stream: np.random.Generator) -> Any:
        return x_ND, np.where(stream.random(len(y_N)) < share, stream.integers(10, size=len(y_N)), y_N)

    return change


def _rare(x_ND: np.ndarray, y_N: np.ndarray, stream: np.random.Generator) -> Any:
    kept = (y_N != 9) | (stream.random(len(y_N)) < 0.6)
    return x_ND[kept], (y_N == 9)[kept].astype(int)


def _ordered(x_ND: np.ndarray, y_N: np.ndarray, stream: np.random.Generator) -> Any:
    order_N = np.argsort(y_N, kind="stable")
    return x_ND[order_N], y_N[order_N]


def _twice(x_ND: np.ndarray, y_N: np.ndarray, stream: np.random.Generator) -> Any:
    return np.repeat(x_ND, 2, axis=0), np.repeat(y_N, 2)


def _harness(code: str, illness: str, make: Make) -> Patient:
    return Patient(code=code, illness=illness, make=make, by="harness")


def _ending(last: nn.Module) -> Any:
    def factory(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(inputs, 32), nn.Tanh(), nn.Linear(32, outputs), last)

    return factory


def _nan(train_x: Tensor, _: Tensor) -> None:
    train_x[0, 0] = torch.nan


BEFORE = (
    _harness(
        "GF001",
        "weights at 20 times He's scale",
        lambda s: (plan(network=given(lambda p: scaled(p, 20))), digits(s)),
    ),
    _harness("GF002", "a rate of a millionth", lambda s: (plan(rule="gradient-descent", lr=1e-6), digits(s))),
    _harness("GF003", "corner pixels that are always 0", lambda s: (plan(), digits(s, image=True))),
    _harness(
        "GF004", "pixels in the hundreds", lambda s: (plan(), changed(digits(s), lambda t, v: t.mul_(100)))
    ),
    _harness("GF005", "one NaN", lambda s: (plan(), changed(digits(s), _nan))),
    _harness("GF006", "a fifth of validation copied", lambda s: (plan(), changed(digits(s), copied))),
    _harness(
        "GF007",
        "six rows in a hundred of one class, the rest of another",
        lambda s: (plan(loss=dataclasses.replace(CLASSES, num_outputs=2)), digits(s, change=_rare)),
    ),
    _harness(
        "GF008", "the batch's mean taken away", lambda s: (plan(network=Given(factory=Mixing)), digits(s))
    ),
    _harness("GF009", "a layer never called", lambda s: (plan(network=Given(factory=Forgetful)), digits(s))),
    _harness(
        "GF010",
        "softmax at the end, and cross-entropy",
        lambda s: (plan(network=Given(factory=_ending(nn.Softmax(dim=1)))), digits(s)),
    ),
    _harness(
        "GF014",
        "softmax over one unit",
        lambda s: (plan(network=Given(factory=_ending(nn.Softmax(dim=1))), loss=TWO_CLASSES), halves(s)),
    ),
    _harness(
        "GF013",
        "ReLU at the end, targets of both signs",
        lambda s: (plan(network=Given(factory=_ending(nn.ReLU())), loss=NUMBERS), waves(s)),
    ),
    _harness(
        "GF024",
        "batch-norm and one row a step",
        lambda s: (plan(network=MLP(widths=(16,), normalisation="batch"), batch_size=1), digits(s)),
    ),
    _harness("GF040", "every row twice", lambda s: (plan(), digits(s, rows=400, change=_twice))),
    _harness("GF041", "rows sorted by target", lambda s: (plan(), digits(s, change=_ordered))),
    _harness(
        "GF042",
        "weights at zero",
        lambda s: (plan(network=given(lambda p: (p.weight.zero_(), p.bias.zero_()))), digits(s)),
    ),
    _harness(
        "GF042",
        "weights at one number",
        lambda s: (plan(network=given(lambda p: (p.weight.fill_(0.05), p.bias.zero_()))), digits(s)),
    ),
    _harness(
        "GF043",
        "weights of deviation 1",
        lambda s: (plan(network=given(lambda p: nn.init.normal_(p.weight))), digits(s)),
    ),
    Patient(
        code="GF029",
        illness="targets shuffled",
        make=lambda s: (plan(), digits(s, change=lambda x, y, stream: (x, stream.permutation(y)))),
        by="relation",
    ),
    Patient(
        code="GF206",
        illness="validation inputs higher by 0.7 deviations",
        make=lambda s: (plan(loss=NUMBERS), changed(waves(s), lambda t, v: v.add_(0.7))),
        by="shift",
    ),
)


def trial(code: str, illness: str, make: Make, arms: str) -> Patient:
    """A patient of whom the arms of one remedy tell."""
    return Patient(code=code, illness=illness, make=make, by="trial", arms=arms)


def treated(chosen: Plan, remedy: str) -> dict[str, Plan]:
    """Apply every dose of a remedy."""
    (found,) = (known for known in RECIPE if known.code == remedy)
    return {f"{remedy} {dose:g}": found.treat(chosen, dose) for dose in found.doses}
