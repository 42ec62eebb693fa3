"""What a person sees in the terminal while the procedure runs.

One live line says what is being done and how long it will take; above it stays what was answered, found and
proven. A notebook shows the same. Without either the same sentences come as plain lines, and the live line is
left out.
"""

from __future__ import annotations

import importlib
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from goodfit.diagnosis.finding import Finding
from goodfit.evidence.verdict import Verdict
from goodfit.procedure.events import Doing, Event, Noted
from goodfit.procedure.run import Answer, Reference
from goodfit.report import wording
from goodfit.report.wording import printable

STYLES = {"good": "bold green", "bad": "bold red", "finding": "yellow", "faint": "dim"}
REFRESH_PER_SECOND = 8
SECONDS_BETWEEN = 0.1


class Progress:
    """Tells a console what happens; a :class:`goodfit.procedure.events.Listener`.

    Args:
        console: Where to print. Colour and the live line need it to be a terminal or a notebook. By default
            standard output.

    Example:
        >>> with Progress(Console(width=60)) as progress:
        ...     progress(Noted(text="column 'id' dropped: every row has its own value"))
        · column 'id' dropped: every row has its own value
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = Console() if console is None else console
        self._doing = Doing(what="starting", fraction=0.0, seconds_left=None)
        self._drawn = 0.0
        self._live: Live | _Cell | None = None
        self._spinner = Spinner("dots", style="cyan")

    def __enter__(self) -> Self:
        if self.console.is_jupyter:
            self._live = _Cell(self._status())
        elif self.console.is_terminal:
            self._live = Live(
                self._status(),
                console=self.console,
                refresh_per_second=REFRESH_PER_SECOND,
                transient=True,
            )
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Doing):
            self._show(event)
        else:
            self.console.print(say(event), highlight=False, soft_wrap=True)

    def _show(self, doing: Doing) -> None:
        """Redraw the live line, but not so often that training waits for it; without one, say what is new."""
        is_new = doing.what != self._doing.what
        self._doing = doing
        now = time.monotonic()
        if self._live is not None and (is_new or now - self._drawn > SECONDS_BETWEEN):
            self._drawn = now
            self._live.update(self._status())
        elif self._live is None and is_new:
            self.console.print(Text(f"… {printable(doing.what)}"), highlight=False, soft_wrap=True)

    def _status(self) -> Table:
        left = self._doing.seconds_left
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=min(1.0, max(0.0, self._doing.fraction)), width=16)
        ahead = Text("" if left is None else f"about {wording.duration(round(max(0.0, left)))} left", "dim")
        line.add_row(self._spinner, bar, Text(printable(self._doing.what), no_wrap=True), ahead)
        return line


class _Cell:
    """One line of a notebook's output that is drawn over; rich's own way there would need widgets."""

    def __init__(self, line: Table) -> None:
        self._line = line
        self._shown: Any = None

    def start(self) -> None:
        self._shown = importlib.import_module("IPython.display").display(self._line, display_id=True)

    def update(self, line: Table) -> None:
        self._shown.update(line)

    def stop(self) -> None:
        self._shown.update(Text(""))


def say(event: Reference | Answer | Finding | Verdict | Noted | Doing) -> Text:
    """Put an event into one line."""
    match event:
        case Noted():
            return Text(f"· {printable(event.text)}", STYLES["faint"])
        case Reference():
            scores = f"{wording.number(event.validation_score)} on validation rows"
            return Text(f"· reference {event.name}: {scores}", STYLES["faint"])
        case Answer():
            return _say_answer(event)
        case Finding():
            return Text(f"! {event.code} {event.name}: {printable(event.message)}", STYLES["finding"])
        case Verdict():
            return _say_verdict(event)
    return Text(f"… {printable(event.what)}")


def _say_answer(answer: Answer) -> Text:
    word, style = ("yes", STYLES["good"]) if answer.good else ("no", STYLES["bad"])
    line = Text(f"? Good results on {answer.question} data?  ", "bold")
    return line.append(word, style).append(f"  {printable(answer.reason)}", "not bold")


def _say_verdict(verdict: Verdict) -> Text:
    sign = {"helped": "+", "harmed": "−", "not shown": "="}[verdict.outcome]
    style = {"helped": "green", "harmed": "red", "not shown": STYLES["faint"]}[verdict.outcome]
    kept = ", kept" if verdict.kept else ""
    line = Text(f"{sign} {verdict.outcome}{kept}: ", style)
    return line.append(f"{printable(verdict.sentence)}  ").append(wording.effect(verdict.effect), style)
