from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from goodfit.errors import PlanError
from goodfit.rules.schedules import Constant, Cosine, InverseSqrt, Schedule, WarmUp, schedule_named

EVERY = [Constant(), WarmUp(share=0.3), Cosine(), Cosine(warmup=0.2), InverseSqrt()]


def factors(schedule: Schedule, total: int) -> list[float]:
    return [schedule.factor(step, total) for step in range(total)]


@given(schedule=st.sampled_from(EVERY), total=st.integers(1, 500))
def test_every_step_of_every_schedule_moves_and_none_exceeds_the_rate(schedule, total):
    assert all(0 < factor <= 1 for factor in factors(schedule, total))


@given(share=st.floats(0, 1), total=st.integers(1, 300))
def test_a_warm_up_rises_in_equal_steps_over_its_share_and_stays(share, total):
    num_warmup = math.ceil(share * total)
    expected = [(step + 1) / num_warmup if step < num_warmup else 1.0 for step in range(total)]
    assert factors(WarmUp(share=share), total) == pytest.approx(expected)
    assert factors(Cosine(warmup=share), total)[:num_warmup] == pytest.approx(expected[:num_warmup])


def test_cosine_is_torchs_annealing():
    walker = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(walker, T_max=50)
    expected = []
    for _ in range(50):
        expected.append(annealing.get_last_lr()[0])
        walker.step()
        annealing.step()
    assert factors(Cosine(), 50) == pytest.approx(expected, rel=1e-12)


def test_cosine_falls_after_its_warm_up_to_zero_just_behind_the_last_step():
    schedule = Cosine(warmup=0.2)
    falling = factors(schedule, 100)[20:]
    assert falling[0] == 1.0
    assert falling == sorted(falling, reverse=True)
    assert schedule.factor(100, 100) == 0.0
    assert schedule.factor(130, 100) == 0.0


def test_inverse_sqrt_is_the_lectures_decay():
    assert [InverseSqrt().factor(t, 10) for t in (0, 3, 8, 24)] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 5])


def test_constant_never_changes():
    assert set(factors(Constant(), 20)) == {1.0}


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_a_schedule_survives_json(schedule):
    assert Schedule.from_dict(json.loads(json.dumps(schedule.to_dict()))) == schedule


def test_a_share_outside_its_range_is_refused_by_value():
    with pytest.raises(PlanError, match=r"warmup=1\.5"):
        Cosine(warmup=1.5)


def test_a_misspelt_schedule_is_answered_with_the_closest():
    with pytest.raises(PlanError, match="write cosine"):
        schedule_named("cosin")


def test_a_field_that_a_schedule_does_not_have_is_refused():
    with pytest.raises(PlanError, match="'warmup'"):
        schedule_named("constant", warmup=0.1)
