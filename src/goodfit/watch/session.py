"""One stretch of watching: from attaching to torch to the last finding."""

from __future__ import annotations

import contextlib
import os
import time
import types
from collections.abc import Collection, Iterator
from typing import Any, Self

import torch

from goodfit.diagnosis.finding import Finding
from goodfit.errors import ModelError
from goodfit.watch.hooks import Hooks
from goodfit.watch.judging.judge import judge, not_checked
from goodfit.watch.notes.collector import Collector
from goodfit.watch.sighting import Sighting
from goodfit.watch.telling import closing, say, tell

FIRST_CHECK, GROWTH = 4, 4
SECONDS_BETWEEN = 1.0
LEAST_GAP = 300.0
"""Seconds between two checks, over those that a check takes."""


class Session:
    """Watches until it is closed, and knows what was found.

    Args:
        model: The network, if there is one to check.
        optimizer: Its optimizer, likewise.
        quiet: Print nothing.
        select: Codes to keep; all if empty.
        ignore: Codes to leave out.
    """

    _num_active = 0

    def __init__(
        self,
        model: Any = None,
        optimizer: Any = None,
        *,
        quiet: bool = False,
        select: Collection[str] = (),
        ignore: Collection[str] = (),
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._quiet, self._select, self._ignore = quiet, select, ignore
        self._hooks: Hooks | None = None
        self._next_check, self._next_second = FIRST_CHECK, SECONDS_BETWEEN
        self._told: set[str] = set()
        self._seen_before: set[str] = set()
        self.failure: str | None = None
        self.sightings: tuple[Sighting, ...] = ()
        self.not_checked: tuple[str, ...] = ()
        self.overhead = 0.0
        self.num_steps = 0
        self.has_called = False
        self._process = os.getpid()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, errors first."""
        return tuple(seen.finding for seen in self.sightings)

    def __enter__(self) -> Self:
        if self._model is not None and not isinstance(self._model, torch.nn.Module):
            raise ModelError(f"the model is a {type(self._model).__name__}", fix="hand over an nn.Module")
        if self._optimizer is not None and not isinstance(self._optimizer, torch.optim.Optimizer):
            raise ModelError(
                f"the optimizer is a {type(self._optimizer).__name__}",
                fix="hand over a torch.optim optimizer",
            )
        if Session._num_active and not self._quiet:
            say("goodfit: this is watched already; the watch around it tells what is found")
            self._quiet = True
        Session._num_active += 1
        self._hooks = Hooks(on_step=self._check, on_failure=self._fail)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close(is_whole=kind is None)

    def close(self, *, is_whole: bool = True, note: str = "") -> None:
        """Take the hooks off, and judge all that was seen.

        Args:
            is_whole: Whether the training ended by itself.
            note: What to tell before the findings.
        """
        hooks, self._hooks = self._hooks, None
        if hooks is None:
            return
        Session._num_active -= 1
        hooks.detach()
        started = hooks.cadence.seconds
        try:
            self._judge(hooks.collector, is_over=True, is_whole=is_whole)
        except Exception as error:
            self._fail(error)
        hooks.cadence.spent += hooks.cadence.seconds - started
        self.overhead = hooks.cadence.overhead
        if self.failure is not None:
            self.not_checked = (*self.not_checked, f"everything after {self.failure}")
        if not self._quiet and self.is_speaker:
            rest = [seen for seen in self.sightings if seen.finding.code not in self._told]
            closing(rest, self, num_told=len(self._told), note=note)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave torch alone for a while: what happens inside is not looked at, and its time does not count.

        Example:
            >>> with Session(quiet=True) as session:
            ...     with session.paused():
            ...         torch.nn.functional.mse_loss(torch.ones(4, 1), torch.ones(4)).item()
            0.0
        """
        hooks = self._hooks
        if hooks is None or self.failure is not None:
            yield
            return
        started = time.perf_counter()
        hooks.collector.rest()  # what lies between two looks is nobody's business
        hooks.detach()
        try:
            yield
        finally:
            if self._hooks is hooks and self.failure is None:
                hooks.cadence.leave_out(time.perf_counter() - started)
                hooks.attach()

    def _check(self, collector: Collector) -> None:
        """Tell what is certain as soon as it is seen, at steps and seconds that grow apart."""
        started = collector.cadence.seconds
        is_due = collector.num_steps >= self._next_check or started >= self._next_second
        if not collector.has_news() and not is_due:
            return
        self._next_check = max(self._next_check, collector.num_steps) * GROWTH
        self._judge(collector, is_over=False)
        now = collector.cadence.seconds
        self._next_second = now + max(SECONDS_BETWEEN, LEAST_GAP * (now - started))
        if not self._quiet and self.is_speaker:
            self._tell_early()

    def _tell_early(self) -> None:
        """Tell errors at once, and warnings that stood at the last check already."""
        codes = {seen.finding.code for seen in self.sightings}
        for seen in self.sightings:
            found = seen.finding
            is_sure = found.severity == "error" or found.code in self._seen_before
            if found.severity != "info" and is_sure and found.code not in self._told:
                self._told.add(found.code)
                tell(seen)
        self._seen_before = codes

    def _judge(self, collector: Collector, *, is_over: bool, is_whole: bool = True) -> None:
        observation = collector.observe(is_over=is_over, is_whole=is_whole)
        self.num_steps, self.has_called = observation.num_steps, bool(observation.networks)
        self.sightings = tuple(seen for seen in judge(observation) if self._is_wanted(seen.finding.code))
        self.not_checked = not_checked(observation)

    def _is_wanted(self, code: str) -> bool:
        return (not self._select or code in self._select) and code not in self._ignore

    @property
    def is_speaker(self) -> bool:
        """Whether this process speaks: not a fork of it, and the first of a group under torchrun."""
        return os.getpid() == self._process and os.environ.get("RANK", "0") == "0"

    def _fail(self, error: Exception) -> None:
        """Say in one line that watching has stopped; the script goes on."""
        self.failure = f"a fault in goodfit ({type(error).__name__}: {error})"
        if not self._quiet:
            say(f"goodfit: {self.failure}; watching stops, your script goes on")
