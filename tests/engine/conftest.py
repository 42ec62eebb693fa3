from __future__ import annotations

import dataclasses

import pytest
import torch

from goodfit.data.split import Rows
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named


@dataclasses.dataclass(frozen=True)
class SmallSplit:
    """Two clouds a class, in double precision, behind the part of Split's face that the engine sees."""

    seed: int
    train: Rows
    validation: Rows
    cardinalities: tuple[int, ...] = ()

    def rows(self, part, inputs="scaled"):
        return getattr(self, part)

    def move_rows(self, inputs, *, train, validation):
        object.__setattr__(self, "train", train)
        object.__setattr__(self, "validation", validation)

    def input_shape(self, inputs="scaled"):
        return tuple(self.train.x.shape[1:])


def make_split(
    num_train=48, num_validation=24, *, num_inputs=5, num_classes=3, cardinalities=(), numbers=False, seed=0
):
    generator = torch.Generator().manual_seed(seed)
    total = num_train + num_validation
    y_N = torch.randint(num_classes, (total,), generator=generator)
    centres = torch.randn(num_classes, num_inputs, generator=generator, dtype=torch.float64)
    x_ND = centres[y_N] + 0.8 * torch.randn(total, num_inputs, generator=generator, dtype=torch.float64)
    codes = None
    if cardinalities:
        columns = [torch.randint(size, (total,), generator=generator) for size in cardinalities]
        codes = torch.stack(columns, dim=1)
    if numbers:
        y_N = (x_ND.sum(1) + torch.randn(total, generator=generator, dtype=torch.float64)) / 3
    x_ND = x_ND.to(torch.get_default_dtype())
    y_N = y_N.to(torch.get_default_dtype()) if numbers else y_N

    def part(rows):
        return Rows(x=x_ND[rows], codes_NC=None if codes is None else codes[rows], y_N=y_N[rows])

    return SmallSplit(
        seed=seed,
        train=part(slice(0, num_train)),
        validation=part(slice(num_train, None)),
        cardinalities=cardinalities,
    )


def make_plan(**changes):
    """A small plan; ``changes`` are fields of Plan, or ``rule`` as a name with ``lr``."""
    rule = changes.pop("rule", "adam")
    if isinstance(rule, str):
        rule = rule_named(rule, lr=changes.pop("lr", 0.01))
    usual = {
        "network": MLP(widths=(7, 6), activation="tanh"),
        "loss": Loss(name="cross-entropy", kind="classes", num_outputs=3),
        "rule": rule,
        "epochs": 4,
        "batch_size": 16,
    }
    return Plan(**(usual | changes))


@pytest.fixture
def double():
    """Compute in double precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
