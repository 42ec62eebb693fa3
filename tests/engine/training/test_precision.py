"""Which number type the steps of a plan are computed in; the pace is told, not measured."""

from __future__ import annotations

import dataclasses

import pytest
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.training.loop import fills_the_machine, train
from goodfit.engine.training.precision import at_faster_precision
from goodfit.errors import PlanError
from goodfit.nets.cnn import CNN
from goodfit.nets.mlp import MLP

LARGE = make_plan(network=MLP(widths=(256, 256)))
NUMBERS = Loss(name="squared", kind="numbers", num_outputs=1)


@pytest.fixture
def pace(monkeypatch):
    """Sets how many times as fast an epoch is in bfloat16."""

    def set_gain(gain):
        def told(population, split, *, seconds):
            return 1 / gain if population[0].plan.precision == "bfloat16" else 1.0

        monkeypatch.setattr("goodfit.engine.training.precision.measure_pace", told)

    return set_gain


def test_a_large_network_for_classes_takes_what_is_faster(pace):
    pace(1.6)
    plan, gain = at_faster_precision(LARGE, make_split())
    assert gain == pytest.approx(1.6)
    assert plan == dataclasses.replace(LARGE, precision="bfloat16")


@pytest.mark.parametrize(
    ("plan", "gain"),
    [
        pytest.param(LARGE, 1.1, id="it is hardly faster"),
        pytest.param(make_plan(), 2.0, id="the network is small"),
        pytest.param(dataclasses.replace(LARGE, loss=NUMBERS), 2.0, id="numbers are predicted"),
        pytest.param(
            dataclasses.replace(LARGE, network=CNN(channels=(4,))), 2.0, id="torch differentiates it"
        ),
    ],
)
def test_anything_else_stays_in_float32(pace, plan, gain):
    pace(gain)
    assert at_faster_precision(plan, make_split()) == (plan, 1.0)


def test_small_networks_gain_by_a_stack_and_large_ones_do_not():
    assert fills_the_machine(LARGE, make_split())
    assert not fills_the_machine(make_plan(), make_split())
    assert fills_the_machine(make_plan(network=CNN(channels=(4,))), make_split())


def test_what_is_trained_in_bfloat16_learns_and_is_scored_in_float32():
    plan = make_plan(network=MLP(widths=(16,)), epochs=20)
    exact, rounded = (
        train([Candidate(arm="a", seed=0, plan=tried)], make_split())[0]
        for tried in (plan, dataclasses.replace(plan, precision="bfloat16"))
    )
    assert rounded.history.train_loss[0] == exact.history.train_loss[0]
    assert rounded.history.train_loss[-1] == pytest.approx(exact.history.train_loss[-1], rel=0.05)
    assert rounded.history.train_loss[-1] < 0.5 * rounded.history.train_loss[0]
    assert rounded.history.train_loss[-1] != exact.history.train_loss[-1]


def test_a_number_type_that_does_not_exist_is_refused():
    with pytest.raises(PlanError, match="float8"):
        dataclasses.replace(LARGE, precision="float8")
