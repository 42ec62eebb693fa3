"""What a person types, turned into values: durations, widths, targets, rows of numbers."""

from __future__ import annotations

import math
import re

from goodfit.errors import BudgetError, PlanError

SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")
WIDTHS = re.compile(r"([1-9]\d*)(?:x([1-9]\d*))?")
TASKS = {"accuracy": "classes", "r2": "numbers"}


def duration(text: str) -> float:
    """Read a time span.

    Args:
        text: Such as ``"30s"``, ``"5m"``, ``"1h30m"``, or plain seconds.

    Returns:
        Seconds, above zero.

    Raises:
        BudgetError: The text is no time span, or not above zero.

    Example:
        >>> duration("1h30m"), duration("45")
        (5400.0, 45.0)
    """
    match = DURATION.fullmatch(text.strip().lower())
    parts = match.groups() if match else ()
    seconds = sum(float(part) * factor for part, factor in zip(parts, SECONDS.values(), strict=False) if part)
    if not 0 < seconds < math.inf:
        raise BudgetError(f"the budget is {text!r}", fix="write a time such as 30s, 5m or 1h30m")
    return seconds


def widths(text: str) -> tuple[int, ...]:
    """Read the widths of hidden layers.

    Args:
        text: Widths with commas between, one repeated ``n`` times written ``<width>x<n>``.

    Raises:
        PlanError: The text is not of that form.

    Example:
        >>> widths("64x3"), widths("128,64")
        ((64, 64, 64), (128, 64))
    """
    layers: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = WIDTHS.fullmatch(part)
        if match is None:
            raise PlanError(f"the hidden layers are {text!r}", fix="write widths such as 128,64 or 32x10")
        layers += [int(match[1])] * int(match[2] or 1)
    return tuple(layers)


def target_metric(text: str) -> tuple[str | None, float]:
    """Read the score that counts as good.

    Args:
        text: ``"accuracy=0.97"``, ``"r2=0.9"``, or the number alone.

    Returns:
        The kind of task that the metric's name implies, ``None`` without a name, and the score.

    Raises:
        PlanError: The metric is unknown, or the score is no number that it can reach.

    Example:
        >>> target_metric("accuracy=0.97")
        ('classes', 0.97)
    """
    name, equals, value = text.rpartition("=")
    name = name.strip().lower()
    if equals and name not in TASKS:
        raise PlanError(f"the target metric is {name!r}", fix="write accuracy=0.97 or r2=0.9")
    score = _number(value)
    if score is None or not 0 < score <= 1:
        raise PlanError(
            f"the target is {value!r}", fix="write a score above 0 and at most 1, such as accuracy=0.97"
        )
    return TASKS.get(name), score


def numbers(text: str) -> tuple[float, ...]:
    """Read numbers with commas between.

    Raises:
        PlanError: A part is no finite number.

    Example:
        >>> numbers("1,2.5")
        (1.0, 2.5)
    """
    values = tuple(_number(part) for part in text.split(","))
    if None in values:
        raise PlanError(f"the numbers are {text!r}", fix="write numbers with commas between, such as 1,2.5")
    return tuple(value for value in values if value is not None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
