"""One self-contained page: no script, nothing fetched, everything from data escaped."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

import jinja2
from markupsafe import Markup

from goodfit.evidence.verdict import Interval, Verdict
from goodfit.procedure.run import Answer, Run
from goodfit.report import wording
from goodfit.report.flow import flow_of
from goodfit.report.pictures import layer_panels, learning_panels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """A common horizontal axis of effects, from 0 to 100, so that rows of a table can be compared by eye."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the width."""
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """What was asked in one round, and what was tried for it."""

    number: int
    answers: tuple[Answer, ...]
    verdicts: tuple[Verdict, ...]


def render(run: Run) -> str:
    """Write the report of a run.

    Args:
        run: The record.

    Returns:
        An HTML page that opens offline, is readable on a phone, and prints.
    """
    return (
        pages()
        .get_template("report.html")
        .render(
            run=run,
            flow=flow_of(run),
            rounds=rounds_of(run),
            learning=learning_panels(run),
            layers=layer_panels(run),
            scale=scale_of(verdict.effect for verdict in run.verdicts),
            helped_too=wording.not_kept(run, "helped"),
            not_shown=wording.not_kept(run, "not shown"),
            harmed=wording.not_kept(run, "harmed"),
            untried=untried_of(run),
            best_reference=max((r.validation_score for r in run.references), default=None),
        )
    )


def rounds_of(run: Run) -> tuple[Round, ...]:
    """Sort answers and verdicts by round."""
    numbers = sorted({answer.round for answer in run.answers} | {verdict.round for verdict in run.verdicts})
    return tuple(
        Round(
            number=number,
            answers=tuple(dict.fromkeys(answer for answer in run.answers if answer.round == number)),
            verdicts=tuple(verdict for verdict in run.verdicts if verdict.round == number),
        )
        for number in numbers
    )


def untried_of(run: Run) -> dict[str, list[str]]:
    """Names of the remedies left untried, by reason."""
    names: dict[str, list[str]] = {}
    for name, reason in run.untried:
        names.setdefault(reason, []).append(name)
    return names


def scale_of(effects: Iterable[Interval]) -> Scale:
    """Choose an axis that holds zero and every finite interval, with a margin.

    One very wide interval would make the rest invisible, so the axis ends at three times the largest value.
    """
    effects = tuple(effects)
    reach = 3 * max((abs(effect.value) for effect in effects), default=0.0) or 1.0
    ends = [end for effect in effects for end in (effect.low, effect.high)]
    inside = [min(max(end, -reach), reach) for end in ends if end == end]
    low, high = min([0.0, *inside]), max([0.0, *inside])
    margin = 0.06 * (high - low) or 1.0
    return Scale(low=low - margin, high=high + margin)


@functools.cache
def pages() -> jinja2.Environment:
    """Open the templates; whatever comes from data is escaped and printable."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("goodfit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    names = (
        "number",
        "signed",
        "between",
        "effect",
        "chance",
        "duration",
        "metric",
        "headline",
        "count",
        "listed",
    )
    found.filters |= {name: getattr(wording, name) for name in names}
    found.globals["last_answer"] = wording.last_answer
    return found


def _printable(value: object) -> object:
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return wording.printable(str(value)) if is_text else value
