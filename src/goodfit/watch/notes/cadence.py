"""When to look: often at first, then as rarely as the allowed share of time asks for."""

from __future__ import annotations

import math
import time

SHARE = 0.01
LEAST_SHARE = 0.003
"""Kept for looking, even where passing through the wrappers alone takes the whole share."""
HEARING_SHARE = 0.003
"""Part of the share that goes to losses between two looks."""
FIRST_STEPS = 6
"""Looked at whatever they cost, of each of some optimizers: most mistakes show in the first steps."""
MOST_OPTIMIZERS = 4
FIRST_LOSSES = 64
FIRST_EVALUATIONS = 3
LONGEST_WAIT = 4096
"""Steps after which the clock is read again, however fast they are."""


class Cadence:
    """Counts steps and losses, and says which of them to look at.

    Between two looks a script only passes through the wrappers; what that costs is known from a
    rehearsal (see toll.py) and counts, too.

    Args:
        toll: Seconds that one pass through a wrapper costs.
        toll_of_call: Seconds that the hooks of modules add to one call, beside what is measured inside.
        share: Largest share of the wall time.
    """

    def __init__(self, *, toll: float = 0.0, toll_of_call: float = 0.0, share: float = SHARE) -> None:
        self._toll, self._toll_of_call, self._share = toll, toll_of_call, share
        self._started = time.perf_counter()
        self.spent = self.spent_hearing = 0.0
        self.num_steps = self.num_losses = self.num_calls = self.num_heard = self.num_evaluations = 0
        self.next_step = self.next_loss = self.next_evaluation = 0

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self._started

    @property
    def overhead(self) -> float:
        """Share of the wall time that watching took: looking, and passing through."""
        return (self.spent + self._tolls()) / max(self.seconds, 1e-9)

    def leave_out(self, seconds: float) -> None:
        """Take time off the clock in which nothing was watched."""
        self._started += seconds

    def is_due(self, *, num_optimizers: int = 1) -> bool:
        """Whether the next step should be looked at closely."""
        num_first = FIRST_STEPS * min(num_optimizers, MOST_OPTIMIZERS)
        return self.num_steps < num_first or self._seconds_to_wait() <= 0

    def wait_for_step(self) -> None:
        """Set the step at which the clock is read again: half of what is to wait, at the pace so far."""
        self.next_step = _ahead(self.num_steps, self._seconds_to_wait() / 2, self.seconds)

    def wait_for_loss(self) -> None:
        """Set the loss that is heard next, so that hearing keeps to its part of the share."""
        if self.num_losses < FIRST_LOSSES:
            return
        each = self.spent_hearing / max(1, self.num_heard)
        self.next_loss = _ahead(self.num_losses, each / HEARING_SHARE, self.seconds)

    def wait_for_evaluation(self) -> None:
        """Set the step from which an evaluation is looked at again; the first ones always are."""
        self.num_evaluations += 1
        if self.num_evaluations >= FIRST_EVALUATIONS:
            self.next_evaluation = _ahead(self.num_steps, self._seconds_to_wait(), self.seconds)

    def hurry(self) -> None:
        """Hear the next loss, and read the clock at the next step."""
        self.next_loss = self.next_step = 0

    def _seconds_to_wait(self) -> float:
        seconds = self.seconds
        share = max(LEAST_SHARE, self._share - self._tolls() / max(seconds, 1e-9))
        return self.spent / share - seconds

    def _tolls(self) -> float:
        """Seconds of passing: steps and losses pass one wrapper each."""
        return (self.num_losses + self.num_steps) * self._toll + self.num_calls * self._toll_of_call


def _ahead(count: int, seconds: float, elapsed: float) -> int:
    """The count some seconds ahead, at the pace so far; but not far, since a pace may change."""
    num_steps = math.ceil(seconds * count / max(elapsed, 1e-9))
    return count + max(1, min(num_steps, count // 4, LONGEST_WAIT))
