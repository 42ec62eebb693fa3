"""How numbers and outcomes are said, the same way in the terminal, the report and its charts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodfit.evidence.verdict import Interval, Verdict
    from goodfit.procedure.run import Answer, Arm, Run

NOTHING = "–"
METRICS = {"accuracy": "accuracy", "r2": "R²"}


def number(value: float | None) -> str:
    """Write a score or loss with three decimals; very large and very small ones in powers of ten.

    Example:
        >>> number(0.97412), number(31250.0), number(None)
        ('0.974', '3.12e+04', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.2e}"
    return f"{value:.3f}"


def signed(value: float | None) -> str:
    """Write a difference with its sign.

    Example:
        >>> signed(0.8512), signed(-0.02), signed(0.0)
        ('+0.851', '−0.020', '0.000')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = number(abs(value)) if abs(value) >= 5e-4 else "0.000"
    if text == "0.000":
        return text
    return f"+{text}" if value > 0 else f"−{text}"


def between(interval: Interval) -> str:
    """Write the ends of an interval of scores: ``0.951 to 0.989``."""
    return f"{number(interval.low)} to {number(interval.high)}"


def effect(interval: Interval) -> str:
    """Write a difference with its interval: ``+0.851 (+0.840 to +0.862)``."""
    return f"{signed(interval.value)} ({signed(interval.low)} to {signed(interval.high)})"


def chance(p_value: float) -> str:
    """Write a p-value.

    Example:
        >>> chance(0.00002), chance(0.0312)
        ('< 0.001', '0.031')
    """
    if not math.isfinite(p_value):
        return NOTHING
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def duration(seconds: float | None) -> str:
    """Write a time span.

    Example:
        >>> duration(9.31), duration(75), duration(3720)
        ('9.3 s', '1 min 15 s', '1 h 2 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def metric(name: str) -> str:
    """Name a metric as people write it."""
    return METRICS.get(name, name)


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun.

    Example:
        >>> count(1, "remedy", "remedies"), count(12, "row")
        ('1 remedy', '12 rows')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}".replace(",", " ")


def listed(words: Iterable[str], *, most: int) -> str:
    """List words, and say how many more there are.

    Example:
        >>> listed(["relu", "adam", "l2"], most=2)
        'relu, adam and 1 more'
    """
    words = tuple(words)
    rest = len(words) - most
    return ", ".join(words) if rest <= 0 else f"{', '.join(words[:most])} and {rest} more"


def printable(text: str) -> str:
    """Put a space for every control character, so that no label can steer a terminal or break a page."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def headline(run: Run) -> str:
    """Say the result in one line."""
    if run.good_on_training and run.good_on_testing:
        return "A good fit"
    if run.good_on_training:
        return "Good on training data, not on testing data"
    return "Not good on training data"


def last_answer(run: Run, question: str) -> Answer | None:
    """The last asking of a question, or ``None`` if it was never asked."""
    asked = [answer for answer in run.answers if answer.question == question]
    return asked[-1] if asked else None


def not_kept(run: Run, outcome: str) -> tuple[Verdict, ...]:
    """Verdicts of one outcome that did not enter the prescription."""
    return tuple(verdict for verdict in run.verdicts if verdict.outcome == outcome and not verdict.kept)


def verdict_of(arm: Arm, run: Run) -> Verdict | None:
    """The verdict on a treated arm; an arm's name is the remedy's code, and its dose if it has several."""
    for verdict in run.verdicts:
        code, _, dose = arm.name.partition(" ")
        words = verdict.sentence.replace("(", " ").replace(")", " ").split()
        same_trial = (verdict.round, verdict.question) == (arm.round, arm.question)
        if same_trial and verdict.remedy in (code, arm.name) and (not dose or dose in words):
            return verdict
    return None


def is_control(arm: Arm) -> bool:
    """Whether an arm is the untreated plan."""
    return arm.name == "as it is"
