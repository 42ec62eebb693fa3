"""Sick networks to repair: illnesses planted in a sound plan, on four data sets.

Each illness is one change of the sound plan, and the sound plan trained on the same rows is what a
repaired network is measured against.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from patients import given, scaled
from sklearn.datasets import load_breast_cancer, load_digits, make_classification, make_friedman1
from torch import Tensor, nn

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.engine.plan import Plan
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.rules.base import rule_named

EPOCHS = 30
ROWS = 1200
SGD = "gradient-descent"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patient:
    """One sick network.

    Attributes:
        illness: Name of what was planted.
        data: Name of the data.
        seed: Decides the split.
        split: The rows.
        plan: The sick plan.
        healthy: The plan without the illness; ``None`` where none is known.
        healthy_split: The rows as the healthy plan sees them, where these are not those of the sick one.
        score: Scores each row from what is predicted and its target; the plan's own metric by default.
    """

    illness: str
    data: str
    seed: int
    split: Split
    plan: Plan
    healthy: Plan | None
    healthy_split: Split | None = None
    score: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def name(self) -> str:
        """What stands in the record."""
        return f"{self.illness}, {self.data}, {self.seed}"


def sound_plan(split: Split) -> Plan:
    """Two layers of ReLU units, Adam: a plan that learns all four data sets."""
    wanted = Wanted(
        network=MLP(widths=(64, 64), initialisation="he"), rule="adam", lr=2e-3, epochs=EPOCHS, batch_size=32
    )
    return plan_as_it_is(wanted, split)


def behind_softmax(inputs: int, outputs: int) -> nn.Module:
    """A network that gives shares where its loss wants scores."""
    layers = (nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))
    return nn.Sequential(nn.Flatten(), *layers, nn.Softmax(dim=1))


def _changed(plan: Plan, rule: str = "", lr: float = 0.0, **changes: object) -> Plan:
    """Change fields of the network, which have its names, and of the plan."""
    if rule:
        plan = dataclasses.replace(plan, rule=rule_named(rule, lr=lr))
    fields = {field.name for field in dataclasses.fields(plan.network)}
    of_network = {name: value for name, value in changes.items() if name in fields}
    network: Network = dataclasses.replace(plan.network, **of_network)  # type: ignore[arg-type]  # by name
    others = {name: value for name, value in changes.items() if name not in fields}
    return dataclasses.replace(plan, **({"network": network} | others))  # type: ignore[arg-type]  # by name


def _ill(**changes: object) -> Callable[[Plan], Plan]:
    return lambda plan: _changed(plan, **changes)  # type: ignore[arg-type]  # by name


_EXPLODING = given(lambda linear: scaled(linear, 3), depth=8)
_DEAD = given(lambda linear: linear.bias.fill_(-20))

ILLNESSES: dict[str, Callable[[Plan], Plan]] = {
    "vanishing gradients": _ill(
        rule=SGD, lr=0.1, widths=(32,) * 8, activation="sigmoid", initialisation="torch"
    ),
    "rate too low": _ill(rule="adam", lr=1e-6),
    "rate too high": _ill(rule="adam", lr=0.3),
    "gradient descent, rate far too low": _ill(rule=SGD, lr=1e-4),
    "divergence": _ill(rule=SGD, lr=30.0),
    "saturated units": _ill(rule=SGD, lr=3.0, widths=(64,) * 4, activation="tanh"),
    "capacity too small": _ill(widths=(1,)),
    "too deep": _ill(rule=SGD, lr=0.05, widths=(16,) * 24, initialisation="torch"),
    "decay far too strong": _ill(l2=1.0),
    "overtraining": _ill(widths=(256, 256), epochs=4 * EPOCHS),
    "dropout far too strong": _ill(dropout=0.9),
    "exploding gradients": _ill(rule=SGD, lr=1e-3, network=_EXPLODING),
    "dead units": _ill(rule=SGD, lr=0.1, network=_DEAD),
    "inputs not scaled": _ill(rule=SGD, lr=0.05, inputs="raw"),
    "noisy gradients": _ill(rule=SGD, lr=0.2, batch_size=4),
    "softmax before cross-entropy": _ill(network=Given(factory=behind_softmax)),
}
ONLY_CLASSES = ("softmax before cross-entropy",)


def data_sets() -> dict[str, Callable[[int], Split]]:
    """The four data sets, each a function of the seed of its split."""

    def of(x_ND: np.ndarray, y_N: np.ndarray) -> Callable[[int], Split]:
        # columns as they come from a table: of scales from 1 to 1000
        scales_D = np.logspace(0, 3, x_ND.shape[1])
        return lambda seed: load((x_ND * scales_D).astype(np.float32), y_N, seed=seed)

    noisy = make_classification(
        ROWS, 20, n_informative=8, n_classes=3, flip_y=0.1, class_sep=1.2, random_state=0
    )
    return {
        "digits": of(*load_digits(return_X_y=True)),
        "breast cancer": of(*load_breast_cancer(return_X_y=True)),
        "noisy classes": of(*noisy),
        "friedman": of(*make_friedman1(ROWS, noise=1.0, random_state=0)),
    }


def patients(*, seeds: int, illnesses: int | None = None, num_data: int | None = None) -> list[Patient]:
    """Plant every illness in every data set.

    Args:
        seeds: Splits of each data set.
        illnesses: How many illnesses; all by default.
        num_data: How many data sets; all by default.
    """
    found = []
    for data, make in list(data_sets().items())[:num_data]:
        for seed in range(seeds):
            split = make(seed)
            healthy = sound_plan(split)
            for illness, plant in list(ILLNESSES.items())[:illnesses]:
                if illness in ONLY_CLASSES and healthy.loss.kind != "classes":
                    continue
                found.append(
                    Patient(
                        illness=illness,
                        data=data,
                        seed=seed,
                        split=split,
                        plan=plant(healthy),
                        healthy=healthy,
                    )
                )
    return found
