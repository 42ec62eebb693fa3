"""How much work a run may do: seconds of wall time, or a number of trainings."""

from __future__ import annotations

import dataclasses
import math
import time

from goodfit.errors import BudgetError

FINAL_SHARE = 0.30
"""Share of the time that is kept for the final training and the report."""
SHORT_SECONDS = 8.0
"""Seconds of budget below which a run leaves out what does not pay in so little time: other processes, costly
checks and references, and looks at the pace of what tells its own price."""
GLANCE_SHARE = 0.01
"""Share of the time that one measurement of a pace may take at most."""
CLOSING_SECONDS = 2.0
"""Kept for the sealed test and for writing files."""


@dataclasses.dataclass(kw_only=True)
class Budget:
    """What is allowed, and what has been used.

    Attributes:
        seconds: Wall time for the whole run; infinite if only trainings are counted.
        max_trainings: Networks that may be trained; infinite if only time counts.
        started: Value of :func:`time.monotonic` when the run began.
        used: Networks trained so far.
        final_share: Share of the time that is kept for the final training.
    """

    seconds: float = math.inf
    max_trainings: float = math.inf
    started: float = dataclasses.field(default_factory=time.monotonic)
    used: int = 0
    final_share: float = FINAL_SHARE

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise BudgetError(
                f"the budget is {self.seconds:g} s", fix="give a time above zero, such as 30s or 5m"
            )
        if self.max_trainings < 2:
            raise BudgetError(
                f"max_trainings is {self.max_trainings:g}",
                fix="allow at least 2: one to look at, one to hand back",
            )

    @property
    def is_timed(self) -> bool:
        """Whether wall time limits the run."""
        return self.seconds < math.inf

    @property
    def is_short(self) -> bool:
        """Whether there is so little time that what is learnt of it must not cost much of it."""
        return self.seconds < SHORT_SECONDS

    @property
    def spent(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    @property
    def final_deadline(self) -> float:
        """When the last step must be over, leaving time to write the report."""
        return self.started + self.seconds - min(CLOSING_SECONDS, 0.05 * self.seconds)

    @property
    def trial_deadline(self) -> float:
        """When trials must be over, leaving time for the final training."""
        return self.started + (1 - self.final_share) * self.seconds

    def left_for_trials(self) -> float:
        """Seconds that trials may still take."""
        return max(0.0, self.trial_deadline - time.monotonic())

    def left_for_final(self) -> float:
        """Seconds until the last step must be over."""
        return max(0.0, self.final_deadline - time.monotonic())

    def glance(self, seconds: float) -> float:
        """Seconds for which to measure a pace: those wanted, or fewer where the whole budget is short.

        Example:
            >>> Budget(seconds=300.0).glance(0.2), Budget(seconds=1.0).glance(0.2)
            (0.2, 0.01)
        """
        return min(seconds, GLANCE_SHARE * self.seconds)

    def trainings_left(self, *, keep: int) -> float:
        """Networks that may still be trained when ``keep`` are set aside for the final model."""
        return max(0, self.max_trainings - self.used - keep)
