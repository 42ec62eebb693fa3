"""Sick networks to repair: illnesses planted in a sound plan, on four data sets.

Each illness is one change of the sound plan, and the sound plan trained on the same rows is what a
repaired network is measured against.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification, make_friedman1

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.rules.base import rule_named

EPOCHS = 30
ROWS = 1200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patient:
    """One sick network.

    Attributes:
        illness: Name of what was planted.
        data: Name of the data.
        seed: Decides the split.
        split: The rows.
        plan: The sick plan.
        healthy: The plan without the illness.
    """

    illness: str
    data: str
    seed: int
    split: Split
    plan: Plan
    healthy: Plan


def sound_plan(split: Split) -> Plan:
    """Two layers of ReLU units, Adam: a plan that learns all four data sets."""
    wanted = Wanted(
        network=MLP(widths=(64, 64), initialisation="he"), rule="adam", lr=2e-3, epochs=EPOCHS, batch_size=32
    )
    return plan_as_it_is(wanted, split)


def _network(plan: Plan, **changes: object) -> Plan:
    assert isinstance(plan.network, MLP)
    return dataclasses.replace(plan, network=dataclasses.replace(plan.network, **changes))  # type: ignore[arg-type]


def _rule(plan: Plan, name: str, lr: float, **numbers: float) -> Plan:
    return dataclasses.replace(plan, rule=rule_named(name, lr=lr, **numbers))


def _deep_sigmoid(plan: Plan) -> Plan:
    deep = _network(plan, widths=(32,) * 8, activation="sigmoid", initialisation="torch")
    return _rule(deep, "gradient-descent", 0.1)


def _deep_tanh_rate_too_high(plan: Plan) -> Plan:
    return _rule(_network(plan, widths=(64,) * 4, activation="tanh"), "gradient-descent", 3.0)


ILLNESSES: dict[str, Callable[[Plan], Plan]] = {
    "vanishing gradients": _deep_sigmoid,
    "rate too low": lambda plan: _rule(plan, "adam", 1e-6),
    "rate too high": lambda plan: _rule(plan, "adam", 0.3),
    "gradient descent, rate far too low": lambda plan: _rule(plan, "gradient-descent", 1e-4),
    "divergence": lambda plan: _rule(plan, "gradient-descent", 30.0),
    "saturated units": _deep_tanh_rate_too_high,
    "capacity too small": lambda plan: _network(plan, widths=(1,)),
    "too deep": lambda plan: _rule(
        _network(plan, widths=(16,) * 24, initialisation="torch"), "gradient-descent", 0.05
    ),
    "decay far too strong": lambda plan: dataclasses.replace(plan, l2=1.0),
    "overtraining": lambda plan: dataclasses.replace(_network(plan, widths=(256, 256)), epochs=4 * EPOCHS),
}


def data_sets() -> dict[str, Callable[[int], Split]]:
    """The four data sets, each a function of the seed of its split."""

    def of(x_ND: np.ndarray, y_N: np.ndarray) -> Callable[[int], Split]:
        return lambda seed: load(x_ND.astype(np.float32), y_N, seed=seed)

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
