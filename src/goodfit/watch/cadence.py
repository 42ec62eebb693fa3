"""When to look: often at first, then as rarely as the allowed share of time asks for."""

from __future__ import annotations

import time

SHARE = 0.015
FIRST_STEPS = 6
"""Looked at whatever they cost: most mistakes show in the first steps."""


class Cadence:
    """Keeps the time spent on looking below a share of the whole.

    Args:
        share: Largest share of the wall time.
    """

    def __init__(self, share: float = SHARE) -> None:
        self._share = share
        self._started = time.perf_counter()
        self.spent = 0.0

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self._started

    @property
    def overhead(self) -> float:
        """Share of the wall time spent on looking."""
        return self.spent / max(self.seconds, 1e-9)

    def is_due(self, num_steps: int) -> bool:
        """Whether the next step should be looked at closely."""
        return num_steps < FIRST_STEPS or self.spent < self._share * self.seconds
