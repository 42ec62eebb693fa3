"""A run as experiment trackers take it: settings, numbers, curves and texts, the same for each of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goodfit.procedure.fitted import Fitted
from goodfit.procedure.run import Arm, Run
from goodfit.recipe.prescription import prescription_of
from goodfit.report import wording
from goodfit.report.curves import band
from goodfit.report.html import render
from goodfit.store.record import load_run

CURVES = ("train_loss", "train_score", "validation_loss", "validation_score")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArmCurve:
    """The mean over seeds of one curve of one arm.

    Attributes:
        name: What was measured, one of :data:`CURVES`.
        arm: Round, question and name of the arm.
        points: (epoch, value) pairs; what is not finite is left out.
    """

    name: str
    arm: str
    points: tuple[tuple[int, float], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entries:
    """What there is to be logged.

    Attributes:
        settings: The plan as it came and by the prescription, the data, the seed; all words.
        numbers: Scores, bars and costs at the end; all finite.
        curves: Four for each arm.
        verdicts: One row for each remedy tried, of plain values.
        texts: Name of a file and what stands in it: the prescription and the report.
    """

    settings: dict[str, str]
    numbers: dict[str, float]
    curves: tuple[ArmCurve, ...]
    verdicts: tuple[dict[str, Any], ...]
    texts: dict[str, str]


def record_of(run: Run | Fitted | str | Path) -> Run:
    """Return the record of a run, read from its folder if need be.

    Args:
        run: A record, what :func:`goodfit.fit` returned, or a run folder.

    Raises:
        RunFolderError: The folder is no run.
    """
    if isinstance(run, Fitted):
        return run.run
    return run if isinstance(run, Run) else load_run(run)


def entries_of(run: Run) -> Entries:
    """Sort a record for a tracker."""
    prescribed = prescription_of([verdict.steps for verdict in run.prescription])
    return Entries(
        settings=_settings(run),
        numbers={name: value for name, value in _numbers(run) if math.isfinite(value)},
        curves=tuple(_curves(run)),
        verdicts=tuple(_verdicts(run)),
        texts={"prescription.json": prescribed.to_json(), "report.html": render(run)},
    )


def _settings(run: Run) -> dict[str, str]:
    words = {
        "goodfit": run.goodfit,
        "data": run.data.name,
        "target": run.data.target,
        "seed": str(run.seed),
        "command": run.command,
        "good on training": "yes" if run.good_on_training else "no",
        "good on testing": "yes" if run.good_on_testing else "no",
        "stopped because": run.stopped_because,
        "findings": ", ".join(dict.fromkeys(f"{found.code} {found.name}" for found in run.findings))
        or "none",
    }
    for when, plan in (("as it came", run.plan), ("as prescribed", run.treated_plan)):
        words |= {f"{when}/{word}": value for word, value in plan}
    return words


def _numbers(run: Run) -> Iterator[tuple[str, float]]:
    for question in ("training", "testing"):
        answer = wording.last_answer(run, question)
        if answer is not None:
            yield f"{question} {run.metric}", answer.score.value
            yield f"{question} bar", answer.bar
    if run.test is not None:
        yield f"sealed test {run.test.metric}", run.test.score.value
        yield f"sealed test {run.test.metric} low", run.test.score.low
        yield f"sealed test {run.test.metric} high", run.test.score.high
        if run.test.plan_as_it_was is not None:
            yield f"sealed test {run.test.metric} as it was", run.test.plan_as_it_was
        for name, value in run.test.others:
            yield f"sealed test {name}", value
    yield "trainings", float(run.num_trainings)
    yield "seconds", run.seconds


def _curves(run: Run) -> Iterator[ArmCurve]:
    for arm in run.arms:
        if not arm.histories:
            continue
        for name in CURVES:
            line = band(arm.histories, name)
            points = zip(line.epochs_E.tolist(), line.mean_E.tolist(), strict=True)
            finite = tuple((int(epoch), value) for epoch, value in points if math.isfinite(value))
            yield ArmCurve(name=name, arm=_named(arm), points=finite)


def _named(arm: Arm) -> str:
    return f"round {arm.round} {arm.question}, {arm.name}"


def _verdicts(run: Run) -> Iterator[dict[str, Any]]:
    for verdict in run.verdicts:
        yield {
            "round": verdict.round,
            "question": verdict.question,
            "remedy": verdict.remedy,
            "sentence": verdict.sentence,
            "outcome": verdict.outcome,
            "kept": verdict.kept,
            "effect": verdict.effect.value,
            "low": verdict.effect.low,
            "high": verdict.effect.high,
            "p_adjusted": verdict.p_adjusted,
            "seconds": verdict.seconds,
        }
