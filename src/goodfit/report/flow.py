"""The decision path: the lecture's flow chart, with this run's numbers on it and the way it took."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Literal

from goodfit.procedure.run import Run
from goodfit.report import wording

Question = Literal["training", "testing"]
BOX_LETTERS = 38
REMEDY_LETTERS = 27
MOST_KEPT = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    """One step of the chart.

    Attributes:
        title: What the step is.
        lines: What happened there in this run.
        visited: Whether the run came by.
        outcome: ``"yes"`` or ``"no"`` for a question that was asked, else empty.
    """

    title: str
    lines: tuple[str, ...]
    visited: bool
    outcome: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flow:
    """The chart.

    Attributes:
        plan: Steps one to three.
        training: The first question.
        testing: The second question.
        training_remedies: Where a no to the first question leads.
        testing_remedies: Where a no to the second question leads.
        test: The sealed test.
        gave_up: The question that stayed at no, or empty.
        test_follows: Whether the sealed test was opened.
        says: The whole path in words, for those who cannot see it.
    """

    plan: Box
    training: Box
    testing: Box
    training_remedies: Box
    testing_remedies: Box
    test: Box
    gave_up: str
    test_follows: bool
    says: str


def flow_of(run: Run) -> Flow:
    """Lay this run's path over the lecture's chart."""
    training, testing = _asked(run, "training"), _asked(run, "testing")
    asked = [box.outcome for box in (training, testing)]
    gave_up = "training" if asked[0] == "no" else "testing" if asked[1] == "no" else ""
    return Flow(
        plan=_plan(run),
        training=training,
        testing=testing,
        training_remedies=_tried(run, "training"),
        testing_remedies=_tried(run, "testing"),
        test=_test(run),
        gave_up=gave_up,
        test_follows=run.test is not None,
        says=_in_words(run),
    )


def _plan(run: Run) -> Box:
    plan = dict(run.plan)
    rule = ", lr ".join(plan[word] for word in ("rule", "lr") if word in plan)
    steps = [("network", plan.get("network")), ("loss", plan.get("loss")), ("rule", rule)]
    lines = tuple(
        _short(f"{place}  {what}: {value}") for place, (what, value) in enumerate(steps, 1) if value
    )
    return Box(title="Train by the plan", lines=lines, visited=True)


def _asked(run: Run, question: Question) -> Box:
    answers = [answer for answer in run.answers if answer.question == question]
    title = f"Good results on {question.upper()} data?"
    if not answers:
        return Box(title=title, lines=("not asked in this run",), visited=False)
    last = answers[-1]
    scores = list(dict.fromkeys(wording.number(answer.score.value) for answer in answers))
    shown = scores if len(scores) <= 4 else [*scores[:1], "…", *scores[-2:]]
    return Box(
        title=title,
        lines=(" → ".join(shown), _short(f"bar {wording.number(last.bar)}, from {last.bar_from}")),
        visited=True,
        outcome="yes" if last.good else "no",
    )


def _tried(run: Run, question: Question) -> Box:
    tried = [verdict for verdict in run.verdicts if verdict.question == question]
    title = f"{question.capitalize()} remedies"
    if not tried:
        return Box(title=title, lines=("none tried",), visited=False)
    rounds = wording.count(len({verdict.round for verdict in tried}), "round")
    kept = [f"✓ {v.remedy} {wording.signed(v.effect.value)}" for v in tried if v.kept]
    if len(kept) > MOST_KEPT:
        kept = [*kept[: MOST_KEPT - 1], f"✓ {len(kept) - MOST_KEPT + 1} more"]
    lines = (f"{len(tried)} tried in {rounds}", *(kept or ["none kept"]))
    return Box(title=title, lines=tuple(_short(line, REMEDY_LETTERS) for line in lines), visited=True)


def _test(run: Run) -> Box:
    if run.test is None:
        return Box(title="Sealed test", lines=("not opened in this run",), visited=False)
    score = run.test.score
    was = run.test.plan_as_it_was
    return Box(
        title="Sealed test",
        lines=(
            f"{wording.metric(run.test.metric)} {wording.number(score.value)} ({wording.between(score)})",
            "" if was is None else f"the plan as it came: {wording.number(was)}",
        ),
        visited=True,
    )


def _in_words(run: Run) -> str:
    steps = [
        f"round {answer.round}: good on {answer.question} data? {'yes' if answer.good else 'no'}, "
        f"{wording.number(answer.score.value)}"
        for answer in run.answers
    ]
    path = "; ".join(steps) or "no question was asked"
    return f"Decision path. {path}. Ended because {run.stopped_because}."


def _short(text: str, letters: int = BOX_LETTERS) -> str:
    """Keep a line inside its box: SVG does not wrap."""
    return textwrap.shorten(text, letters, placeholder="…") if " " in text[:letters] else _cut(text, letters)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
