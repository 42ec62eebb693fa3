"""Rules that read their numbers from a timetable move as those that are told them step by step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.engine.conftest import make_plan

from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.kernels import kernels_on
from goodfit.engine.moves.descent import Descent
from goodfit.engine.moves.tabled import MOVES, NUMBERS, TabledDescent
from goodfit.engine.moves.timetable import Timetable
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine, InverseSqrt
from goodfit.tensors import flatten_parameters

STEPS, EPOCHS = 5, 3
SHAPES = {"hidden.weight": (3, 4), "hidden.bias": (3,)}


def plans_of(*names):
    """Plans in the order of their rules that differ in everything a rule reads."""
    return [
        make_plan(
            rule=replace(rule_named(name, lr=0.01 * (place + 1)), weight_decay=0.1 * (place % 2)),
            schedule=[Cosine(warmup=0.3), InverseSqrt()][place % 2],
            clip_norm=[math.inf, 0.5][place % 2],
            l2=0.01 * place,
            l1=0.001 * place,
        )
        for place, name in enumerate(names)
    ]


def stack_of(kind, plans):
    flat_KP, layout = flatten_parameters([{n: torch.ones(shape) for n, shape in SHAPES.items()}] * len(plans))
    return kind(plans, flat_KP, layout=layout, total_steps=STEPS * EPOCHS), flat_KP


def gradient_of(flat_KP, count):
    generator = torch.Generator().manual_seed(count)
    noise_P = torch.randn(flat_KP.shape[1], generator=generator, dtype=flat_KP.dtype)
    return flat_KP * torch.linspace(1, 100, flat_KP.shape[1], dtype=flat_KP.dtype) + noise_P


def run(descent, flat_KP, *, keep=None):
    timetable = Timetable(PROCESSOR)
    for epoch in range(EPOCHS):
        if epoch == 1 and keep is not None:
            descent.keep(keep)
            flat_KP, timetable = flat_KP[keep], Timetable(PROCESSOR)
        first = epoch * STEPS + 1
        if isinstance(descent, TabledDescent):
            timetable.write(descent.numbers(first, STEPS))
        for count in range(first, first + STEPS):
            grad_KP = gradient_of(flat_KP, count)
            if isinstance(descent, TabledDescent):
                descent.step_by(timetable, flat_KP, grad_KP)
                timetable.move_on()
            else:
                descent.step(flat_KP, grad_KP, count=count)
    return flat_KP


@pytest.mark.usefixtures("double")
class TestAgainstTheSteps:
    @pytest.mark.parametrize("name", NUMBERS)
    def test_every_rule(self, name):
        plans = plans_of(name, name, name)
        told_KP, tabled_KP = (run(*stack_of(kind, plans)) for kind in (Descent, TabledDescent))
        torch.testing.assert_close(tabled_KP, told_KP, rtol=1e-12, atol=1e-14)

    def test_several_rules_of_which_some_leave(self):
        plans = plans_of("momentum", "momentum", "adam", "adamw", "adamw", "rmsprop")
        kept = torch.tensor([1, 3, 4, 5])
        told_KP, tabled_KP = (run(*stack_of(kind, plans), keep=kept) for kind in (Descent, TabledDescent))
        torch.testing.assert_close(tabled_KP, told_KP, rtol=1e-12, atol=1e-14)


def test_corrections_are_exact_in_single_precision_too():
    plans = plans_of("adam")
    descent, _ = stack_of(TabledDescent, plans)
    (table_SCK,) = descent.numbers(1, 2).values()
    rate = plans[0].rule.lr * plans[0].schedule.factor(0, STEPS * EPOCHS)
    assert table_SCK.dtype == torch.float32
    assert table_SCK[0, 0, 0].item() == pytest.approx(rate * math.sqrt(0.001) / 0.1, rel=1e-6)


def test_every_rule_has_numbers_and_a_move():
    assert NUMBERS.keys() == MOVES.keys()


def test_a_processor_has_no_kernels():
    assert kernels_on(torch.zeros(1)) is None
