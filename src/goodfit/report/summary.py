"""The end of a run on one screen: at most 24 lines of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from goodfit.evidence.verdict import Verdict
from goodfit.procedure.run import Answer, Run
from goodfit.report import wording
from goodfit.report.terminal import STYLES
from goodfit.report.wording import printable

WIDTH = 79
MOST_REMEDIES = 5
MOST_FINDINGS = 3


def summarise(run: Run, console: Console, *, folder: str | Path, page: str | Path) -> None:
    """Print what was asked, proven and found, and where the files are.

    Args:
        run: The record.
        console: Where to print.
        folder: Where the run lies.
        page: Where its report lies.
    """
    for line in _lines(run, folder, page):
        console.print(line, highlight=False, soft_wrap=True)


def _lines(run: Run, folder: str | Path, page: str | Path) -> Iterator[Text]:
    good = run.good_on_training and run.good_on_testing
    yield Text()
    yield _cut(wording.headline(run), STYLES["good" if good else "bad"])
    yield from _questions(run)
    yield from _prescription(run.prescription)
    yield _test(run)
    yield from _findings(run)
    yield from _left_over(run)
    yield _cut(f"  Stopped      {run.stopped_because}")
    spent = (
        f"{wording.count(run.num_trainings, 'training')} in {wording.duration(run.seconds)}, seed {run.seed}"
    )
    yield _cut(f"  Spent        {spent}")
    yield _path("  Run          ", f"{folder}")
    yield _path("  Report       ", f"{page}")


def _questions(run: Run) -> Iterator[Text]:
    for question in ("training", "testing"):
        answer = wording.last_answer(run, question)
        label = f"  Good results on {question} data?".ljust(33)
        yield Text(label).append_text(_answer(answer))


def _answer(answer: Answer | None) -> Text:
    if answer is None:
        return Text("not asked", "dim")
    word = Text("yes" if answer.good else "no ", STYLES["good" if answer.good else "bad"])
    score = f"  {wording.number(answer.score.value)} ({wording.between(answer.score)})"
    bar = f"  bar {wording.number(answer.bar)}"
    return word.append(score, "none").append(bar, "dim")


def _prescription(kept: Sequence[Verdict]) -> Iterator[Text]:
    if not kept:
        yield _cut("  Prescription nothing was changed")
        return
    yield _cut("  Prescription")
    for verdict in kept[:MOST_REMEDIES]:
        effect = wording.effect(verdict.effect)
        width = WIDTH - 5 - cell_len(effect)
        yield Text(f"    {_shortened(printable(verdict.sentence), width)} ").append(effect, STYLES["good"])
    if len(kept) > MOST_REMEDIES:
        yield _cut(f"    and {len(kept) - MOST_REMEDIES} more, see the report")


def _test(run: Run) -> Text:
    test = run.test
    if test is None:
        return _cut("  Sealed test  not opened")
    before = "" if test.plan_as_it_was is None else f", was {wording.number(test.plan_as_it_was)}"
    text = f"{wording.metric(test.metric)} {wording.number(test.score.value)} ({wording.between(test.score)})"
    rows = wording.count(test.num_rows, "row")
    return _cut(f"  Sealed test  {text}{before}, {rows}", "bold")


def _findings(run: Run) -> Iterator[Text]:
    for place, finding in enumerate(run.findings[:MOST_FINDINGS]):
        yield _cut(f"  {'Found' if not place else '':<12} {finding.code} {finding.name}", STYLES["finding"])
    if len(run.findings) > MOST_FINDINGS:
        yield _cut(f"  {'':<12} and {len(run.findings) - MOST_FINDINGS} more, see the report")


def _left_over(run: Run) -> Iterator[Text]:
    kept = {verdict.remedy for verdict in run.prescription}
    for label, names in (
        ("Not shown", [v.remedy for v in wording.not_kept(run, "not shown")]),
        ("Harmed", [v.remedy for v in wording.not_kept(run, "harmed")]),
        ("Untried", [name for name, _ in run.untried]),
        ("Not checked", [name for name, _ in run.not_checked]),
    ):
        others = dict.fromkeys(name for name in names if name not in kept)
        if others:
            yield _cut(f"  {label:<12} {wording.listed(others, most=4)}")


def _cut(text: str, style: str = "") -> Text:
    return Text(_shortened(printable(text), WIDTH).rstrip(), style)


def _path(label: str, path: str) -> Text:
    """A path is never cut: it is there to be copied."""
    return Text(label + printable(path))


def _shortened(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1).rstrip() + "…"
