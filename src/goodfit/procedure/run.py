"""The record of one whole procedure; what the store saves and the report shows, without torch."""

from __future__ import annotations

import dataclasses
from typing import Literal

import goodfit
from goodfit.diagnosis.finding import Finding
from goodfit.engine.history import Harness, History
from goodfit.evidence.references import Reference
from goodfit.evidence.verdict import Interval, Verdict

FORMAT = 1
"""Version of the record; a reader refuses a higher one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """One asking of one of the two questions.

    Attributes:
        question: ``"training"`` or ``"testing"``.
        round: How often the loop had come back, from 1.
        good: The answer.
        score: Score of the plan so far: mean over seeds, on training or validation rows.
        bar: What it had to reach.
        bar_from: Where the bar comes from: ``"target"`` or a reference's name.
        reason: One sentence.
    """

    question: Literal["training", "testing"]
    round: int
    good: bool
    score: Interval
    bar: float
    bar_from: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arm:
    """All trainings of one plan in one round: the control, or a treated arm.

    Attributes:
        name: ``"as it is"``, or the remedy's code.
        round: The round it belongs to.
        question: The question it was trained for.
        histories: One per seed.
    """

    name: str
    round: int
    question: Literal["training", "testing", "final"]
    histories: tuple[History, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What was learnt from: sizes, columns, and what was dropped and why.

    Attributes:
        name: File or object the rows came from.
        kind: ``"table"``, ``"arrays"``, ``"images"`` or ``"loader"``.
        num_train: Training rows.
        num_validation: Validation rows.
        num_test: Sealed test rows.
        target: Name of the target.
        task: What was learnt: ``"classes"``, ``"numbers"``, ``"labels"`` or ``"places"``.
        labels: Class labels as text, with how many training rows carry each; empty for numbers.
        columns: For tables: name, kind, and a note for each column.
        num_inputs: Inputs of the network after preparation.
        notes: Sentences on what was done to the data, such as dropped columns.
        is_weighted: Whether rows counted by ``sample_weight``.
    """

    name: str
    kind: str
    num_train: int
    num_validation: int
    num_test: int
    target: str
    task: str
    labels: tuple[tuple[str, int], ...]
    columns: tuple[tuple[str, str, str], ...]
    num_inputs: int
    notes: tuple[str, ...]
    is_weighted: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class TestResult:
    """The one look at the sealed test rows.

    Attributes:
        metric: ``"accuracy"`` or ``"r2"``.
        score: The score with its bootstrap interval.
        others: Further metrics in the user's units, such as ``("root mean squared error", 2.31)``.
        num_rows: Rows of the sealed test part.
        openings: How often it was opened (1, or the report says so in red).
        references: Scores of the reference models on the same rows, by name.
        plan_as_it_was: Score on the same rows of one network of the untreated plan, trained on the
            training rows alone.
    """

    __test__ = False  # the name starts with Test, and pytest would collect it

    metric: str
    score: Interval
    others: tuple[tuple[str, float], ...]
    num_rows: int
    openings: int
    references: tuple[tuple[str, float], ...]
    plan_as_it_was: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One whole procedure, from the plan as it came to the sealed test.

    Attributes:
        goodfit: Version that wrote it.
        versions: Name and version of python, torch, numpy, scikit-learn, pandas.
        machine: Processor, cores, device, in words.
        created: ISO date and time.
        command: What the user typed or called.
        seed: The root seed.
        data: What was learnt from.
        metric: ``"accuracy"``, ``"r2"``, or the metric of the user's choice, higher always better.
        plan: The plan as it came: (word, value) pairs in reading order.
        treated_plan: The plan by the prescription, the same way.
        references: Reference models, best on validation last.
        harness: What the checks before training measured.
        answers: Every asking of the two questions, in order.
        findings: All findings, in the order found.
        verdicts: Every remedy tried, in order; the prescription is those kept.
        untried: Remedies left untried, with the reason.
        not_checked: What was not examined, and why.
        arms: Histories of every arm.
        test: The sealed test, or ``None`` if it was not opened.
        good_on_training: Last answer to question one.
        good_on_testing: Last answer to question two.
        stopped_because: Why the procedure ended, one sentence.
        budget_seconds: What the user allowed, or ``None``.
        num_trainings: Networks trained.
        seconds: Wall time of the whole.
        format: Version of this record.
    """

    goodfit: str
    versions: tuple[tuple[str, str], ...]
    machine: str
    created: str
    command: str
    seed: int
    data: DataSummary
    metric: str
    plan: tuple[tuple[str, str], ...]
    treated_plan: tuple[tuple[str, str], ...]
    references: tuple[Reference, ...]
    harness: Harness
    answers: tuple[Answer, ...]
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    untried: tuple[tuple[str, str], ...]
    not_checked: tuple[tuple[str, str], ...]
    arms: tuple[Arm, ...]
    test: TestResult | None
    good_on_training: bool
    good_on_testing: bool
    stopped_because: str
    budget_seconds: float | None
    num_trainings: int
    seconds: float
    format: int = FORMAT

    @property
    def prescription(self) -> tuple[Verdict, ...]:
        """The proven remedies, in the order they were kept."""
        return tuple(verdict for verdict in self.verdicts if verdict.kept)

    def _repr_html_(self) -> str:
        """Show the run in a notebook, as :func:`goodfit.card` draws it."""
        return goodfit.card(self)  # the report lies above this layer; the package's front knows it
