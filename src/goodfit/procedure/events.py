"""What the procedure tells whoever listens while it runs: a terminal, a notebook, a test."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from goodfit.diagnosis.finding import Finding
from goodfit.evidence.verdict import Verdict
from goodfit.procedure.run import Answer, Reference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Doing:
    """Work in progress: ``fraction`` of the whole run is behind us, about ``seconds_left`` ahead."""

    what: str
    fraction: float
    seconds_left: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Noted:
    """A sentence worth keeping on the screen, such as a dropped column."""

    text: str


Event = Doing | Noted | Reference | Answer | Finding | Verdict


class Listener(Protocol):
    """Anything that wants to hear what happens, in the order it happens."""

    def __call__(self, event: Event) -> None:
        """Take one event; must return quickly, and may be called from the training loop."""


def silence(event: Event) -> None:
    """Listen to nothing."""
