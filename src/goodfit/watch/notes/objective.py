"""Notes on what is sent backward, and on the first value that is no number."""

from __future__ import annotations

import time
from collections.abc import Iterable

from torch import Tensor

from goodfit.engine.checks.graph import is_negated
from goodfit.watch.notes.curve import CourseOf
from goodfit.watch.notes.places import here
from goodfit.watch.uses import Place

FEWEST_NEGATED = 3
SECONDS_UNREAD = 1.0
"""Reading a loss waits for the device: not oftener than this, while nothing is looked at."""


class ObjectiveNotes:
    """The course of what is sent backward, its sign, and where it stopped being a number."""

    def __init__(self) -> None:
        self.course = CourseOf()
        self.broken: tuple[int, Place | None] | None = None
        self._num_negated = self._num_bare = self._num_made = 0
        self._last_read = time.perf_counter()
        self.data_loss: Tensor | None = None
        self.unscaled: Tensor | None = None

    @property
    def is_negated(self) -> bool:
        """Whether the loss was sent backward with its sign turned, more than once."""
        return self._num_negated >= FEWEST_NEGATED

    @property
    def is_bare(self) -> bool:
        """Whether most of what was sent backward came from a loss function as it is."""
        return 2 * self._num_bare > self._num_made

    def forget(self) -> None:
        """Let go of the tensors of a step."""
        self.data_loss = self.unscaled = None

    def add(self, total: Tensor) -> None:
        """Look at a loss that is about to be sent backward."""
        if total.numel() != 1:
            return
        # a scaler multiplies losses until they overflow, on purpose
        meant = total if self.unscaled is None else self.unscaled
        self.course.add(meant.detach())
        if self.data_loss is not None:
            self._num_negated += is_negated(total, self.data_loss)
            self._num_bare += meant.grad_fn is self.data_loss.grad_fn
            self._num_made += 1

    def is_to_be_read(self, value: Tensor) -> bool:
        """Whether reading a loss costs next to nothing, or losses have waited long enough."""
        return value.device.type == "cpu" or time.perf_counter() - self._last_read > SECONDS_UNREAD

    def note_break(self, courses: Iterable[CourseOf], *, step: int) -> bool:
        """Remember the first step with a value that is no number.

        Args:
            courses: The courses of the loss functions; the objective's own only counts without them.
            step: The step that is under way.

        Returns:
            Whether it was this one.
        """
        self._last_read = time.perf_counter()
        known = list(courses) or [self.course]
        for course in known:
            course.settle()
        if self.broken is not None or all(course.first_nonfinite is None for course in known):
            return False
        self.broken = (step, here())
        return True
