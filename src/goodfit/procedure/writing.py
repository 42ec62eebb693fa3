"""Write the journal up as the record of the run."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform

import torch

from goodfit.data.split import Split
from goodfit.engine.history import Harness
from goodfit.engine.machine.device import describe, placement
from goodfit.procedure.case import Case
from goodfit.procedure.run import DataSummary, Reference, Run, TestResult

PACKAGES = ("torch", "numpy", "scikit-learn", "pandas")


def write_run(
    case: Case,
    *,
    plan: tuple[tuple[str, str], ...],
    treated_plan: tuple[tuple[str, str], ...],
    references: tuple[Reference, ...],
    harness: Harness,
    test: TestResult | None,
    because: str,
    command: str,
    metric: str,
) -> Run:
    """Collect everything into one record."""
    journal, split, budget = case.journal, case.split, case.budget
    last = {answer.question: answer.good for answer in journal.answers}
    return Run(
        goodfit=importlib.metadata.version("goodfit"),
        versions=(
            ("python", platform.python_version()),
            *((name, importlib.metadata.version(name)) for name in PACKAGES),
        ),
        machine=_machine(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        seed=split.seed,
        data=summarise(split),
        metric=metric,
        plan=plan,
        treated_plan=treated_plan,
        references=references,
        harness=harness,
        answers=tuple(journal.answers),
        findings=tuple(journal.findings),
        verdicts=tuple(journal.verdicts),
        untried=tuple(journal.untried.items()),
        not_checked=tuple(journal.not_checked.items()),
        arms=tuple(journal.arms),
        test=test,
        good_on_training=last.get("training", False),
        good_on_testing=last.get("testing", False),
        stopped_because=because,
        budget_seconds=budget.seconds if budget.is_timed else None,
        num_trainings=budget.used,
        seconds=budget.spent,
    )


def _machine() -> str:
    where = placement()
    computed = describe(where.device) if where.is_gpu else "CPU only"
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {computed}"


def summarise(split: Split) -> DataSummary:
    """Say what was learnt from."""
    return DataSummary(
        name=split.name,
        kind=split.kind,
        num_train=len(split.train_index),
        num_validation=len(split.validation_index),
        num_test=len(split.test_index),
        target=split.task.target,
        task=split.task.kind,
        labels=split.class_counts(),
        columns=tuple((column.name, column.kind, column.note) for column in split.columns),
        num_inputs=int(torch.tensor(split.input_shape()).prod()),
        notes=split.notes,
        is_weighted=split.is_weighted,
    )
