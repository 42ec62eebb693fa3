"""The cadence on a clock of its own: what looking costs stays below the share, at any pace."""

from __future__ import annotations

import pytest

from goodfit.watch.notes import cadence as module
from goodfit.watch.notes.cadence import FIRST_EVALUATIONS, FIRST_LOSSES, FIRST_STEPS, SHARE, Cadence


class Clock:
    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    one = Clock()
    monkeypatch.setattr(module, "time", one)
    return one


def looks(cadence, clock, *, num_steps, step, look):
    """Steps looked at, of steps of some seconds, each look costing some more."""
    seen = []
    for _ in range(num_steps):
        clock.now += step
        cadence.num_steps += 1
        if cadence.num_steps < cadence.next_step:
            continue
        if cadence.is_due():
            clock.now += look
            cadence.spent += look
            seen.append(cadence.num_steps)
        cadence.wait_for_step()
    return seen


@pytest.mark.parametrize("step", [1e-4, 1e-3, 1e-1])
@pytest.mark.parametrize("look", [1e-4, 5e-3])
def test_looking_takes_its_share_and_no_more(clock, step, look):
    cadence = Cadence()
    seen = looks(cadence, clock, num_steps=round(60 / step), step=step, look=look)
    assert seen[: FIRST_STEPS - 1] == list(range(1, FIRST_STEPS))
    assert cadence.overhead <= SHARE + (FIRST_STEPS + 1) * look / clock.now
    # as often as allowed, or at every step
    assert cadence.spent >= min(0.4 * SHARE * clock.now, look * len(seen))
    assert len(seen) == 60 / step or cadence.spent > 0.4 * SHARE * clock.now


def test_passing_through_wrappers_counts(clock):
    cadence = Cadence(toll=2e-6, toll_of_call=3e-6)
    clock.now = 10.0
    cadence.num_steps, cadence.num_losses, cadence.num_calls, cadence.spent = 1000, 500, 100, 0.05
    assert cadence.overhead == pytest.approx((0.05 + 1500 * 2e-6 + 100 * 3e-6) / 10)


def test_where_passing_takes_all_a_little_is_kept_for_looking(clock):
    cadence = Cadence(toll=2e-5)
    for _ in range(100_000):
        clock.now += 1e-4
        cadence.num_steps += 1
        if cadence.num_steps >= cadence.next_step:
            if cadence.is_due():
                cadence.spent += 1e-3
            cadence.wait_for_step()
    assert 0.002 < cadence.spent / clock.now < 0.004


def test_a_pace_that_slows_down_is_noticed(clock):
    cadence = Cadence()
    looks(cadence, clock, num_steps=1000, step=1e-4, look=1e-2)
    seen = looks(cadence, clock, num_steps=1000, step=1.0, look=1e-2)
    assert seen[0] <= 1250


def test_losses_are_heard_at_first_and_then_within_their_part(clock):
    cadence, heard = Cadence(), 0
    for _ in range(20_000):
        clock.now += 1e-4
        cadence.num_losses += 1
        if cadence.num_losses >= cadence.next_loss:
            heard += 1
            cadence.num_heard += 1
            cadence.spent_hearing += 1e-5
            cadence.wait_for_loss()
    assert heard > FIRST_LOSSES
    assert cadence.spent_hearing / clock.now == pytest.approx(module.HEARING_SHARE, rel=0.3)


def test_the_first_evaluations_are_always_looked_at(clock):
    cadence = Cadence()
    cadence.num_steps, cadence.spent, clock.now = 100, 1.0, 1.0
    for _ in range(FIRST_EVALUATIONS - 1):
        cadence.wait_for_evaluation()
        assert cadence.num_steps >= cadence.next_evaluation
    cadence.wait_for_evaluation()
    assert cadence.num_steps < cadence.next_evaluation
