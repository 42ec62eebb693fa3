"""What a notebook shows of a run: one small card, with its own style, nothing fetched and no script."""

from __future__ import annotations

from markupsafe import Markup

from goodfit.evidence.verdict import Verdict
from goodfit.procedure.run import Arm, Run
from goodfit.report import charts, wording
from goodfit.report.curves import band
from goodfit.report.html import pages

MOST_REMEDIES = 6
MOST_FINDINGS = 4


def card(run: Run) -> str:
    """Draw a run for a notebook.

    Args:
        run: The record.

    Returns:
        An HTML fragment of a few tens of kilobytes; its style touches nothing else on the page.
    """
    template = pages().get_template("card.html")
    return template.render(
        run=run,
        good=run.good_on_training and run.good_on_testing,
        answers=[(question, wording.last_answer(run, question)) for question in ("training", "testing")],
        kept=run.prescription[:MOST_REMEDIES],
        more_kept=max(0, len(run.prescription) - MOST_REMEDIES),
        findings=run.findings[:MOST_FINDINGS],
        more_findings=max(0, len(run.findings) - MOST_FINDINGS),
        not_kept=_counted(run),
        curves=_curves(run),
    )


def _counted(run: Run) -> str:
    """Say how many remedies did not enter the prescription, by outcome."""
    counts: list[tuple[str, tuple[Verdict, ...]]] = [
        (words, wording.not_kept(run, outcome))
        for words, outcome in (
            ("helped less", "helped"),
            ("not shown to help", "not shown"),
            ("harmed", "harmed"),
        )
    ]
    return ", ".join(f"{len(verdicts)} {words}" for words, verdicts in counts if verdicts)


def _curves(run: Run) -> Markup | None:
    """The validation score of the plan as it came and as it is handed back, if both were trained."""
    arms = [arm for arm in run.arms if arm.histories]
    if not arms:
        return None
    first, last = arms[0], arms[-1]
    lines = [(band(first.histories, "validation_score"), charts.CONTEXT)]
    says = f"Validation score over epochs: as it came it ends at {_end(first)}"
    if last is not first:
        lines.append((band(last.histories, "validation_score"), charts.TRAIN))
        says += f", as handed back at {_end(last)}"
    bar = run.answers[-1].bar if run.answers else None
    lowest = min(0.0, *(float(line.low_E.min(initial=0.0)) for line, _ in lines))
    return charts.learning_curves(lines, says=says, bar=bar, limits=(max(-1.0, lowest) - 0.03, 1.03))


def _end(arm: Arm) -> str:
    known = [value for value in band(arm.histories, "validation_score").mean_E.tolist() if value == value]
    return wording.number(known[-1] if known else None)
