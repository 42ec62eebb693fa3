"""From rows as given to one Split: targets checked, rows divided, inputs prepared."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from typing import Any

import numpy as np
import pandas as pd

from goodfit.data.arrays import Given
from goodfit.data.preparation import Preparation
from goodfit.data.split import SourceKind, Split
from goodfit.data.splits import SHARES, Division, divide, order_of
from goodfit.data.task import Task, TaskKind, define, is_missing
from goodfit.data.weights import checked_weights, relative
from goodfit.errors import DataError

FEWEST_ROWS = 20

MOST_NAMED = 5
"""Columns that a note names before it counts the rest."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Wishes:
    """What the user said about the split; everything has a default.

    Attributes:
        task: ``"classes"`` or ``"numbers"``; ``None`` decides by content.
        group: Column name or values: rows of a group stay in one part.
        time: Column name or values: the newest rows are the test.
        shares: Shares of training, validation and test.
        seed: The root seed.
        sample_weight: How often each row counts; ``None`` counts all alike.
    """

    task: TaskKind | None = None
    group: Any = None
    time: Any = None
    shares: tuple[float, float, float] = SHARES
    seed: int = 0
    sample_weight: Any = None


def assemble(
    main: Given,
    wishes: Wishes,
    *,
    name: str,
    kind: SourceKind,
    validation: Given | None = None,
    test: Given | None = None,
    division: Division | None = None,
) -> Split:
    """Build a Split.

    Args:
        main: The rows to divide.
        wishes: What the user said.
        name: Where the rows came from.
        kind: What kind of source that was.
        validation: The user's own validation rows, if any.
        test: The user's own test rows, if any.
        division: The parts themselves, if they are known already.

    Raises:
        DataError: There are fewer than 20 rows with a target, or they cannot be learnt from.
    """
    group, main = _beside(main, wishes.group, "group")
    time, main = _beside(main, wishes.time, "time")
    weight_N = None
    if wishes.sample_weight is not None:
        weight_N = checked_weights(wishes.sample_weight, num_rows=len(main.targets))
    main, kept_N, notes = _with_targets(main, "", weight_N)
    if len(main.targets) < FEWEST_ROWS:
        raise DataError(
            f"{name} has {len(main.targets)} rows with a target", fix=f"give at least {FEWEST_ROWS} rows"
        )
    others = [
        _like(part, main, role)
        for part, role in ((validation, "validation"), (test, "test"))
        if part is not None
    ]
    parts = [main, *(_with_targets(part, role)[0] for part, role in others)]
    targets = pd.concat([part.targets.rename(main.targets.name) for part in parts], ignore_index=True)
    whole_task = define(targets, kind=wishes.task)
    division = division or _division(
        parts,
        task=whole_task,
        targets=targets,
        group=None if group is None else group[kept_N],
        time=None if time is None else order_of(time[kept_N], name=str(wishes.time)),
        wishes=wishes,
        has_own=(validation is not None, test is not None),
    )
    task = define(targets, division.train, kind=whole_task.kind)
    inputs = _stacked([part.inputs for part in parts])
    if weight_N is not None:
        weight_N = _with_own_parts(weight_N[kept_N], num_rows=len(targets))
    preparation = Preparation.fit(inputs, division.train, seed=wishes.seed)
    return Split(
        name=name,
        kind=kind,
        task=task,
        preparation=preparation,
        train_index=division.train,
        validation_index=division.validation,
        test_index=division.test,
        notes=(
            *notes,
            *(["rows count by sample_weight"] if weight_N is not None else []),
            *_column_notes(preparation),
            *division.notes,
        ),
        seed=wishes.seed,
        _cells=preparation.cells(inputs, odd="missing"),
        _targets_N=task.encode(targets),
        _weights_N=weight_N,
    )


def _with_own_parts(weight_N: np.ndarray, *, num_rows: int) -> np.ndarray | None:
    """Scale the weights of the main rows; rows of parts that the user brought weigh 1 each."""
    scaled_N = relative(weight_N)
    return None if scaled_N is None else np.append(scaled_N, np.ones(num_rows - len(weight_N)))


def _beside(main: Given, said: Any, word: str) -> tuple[np.ndarray | None, Given]:
    """Find the values to divide by; a group column is then no input, a time column stays one."""
    if said is None:
        return None, main
    if isinstance(said, str):
        if not isinstance(main.inputs, pd.DataFrame) or said not in main.inputs.columns:
            known = list(main.inputs.columns) if isinstance(main.inputs, pd.DataFrame) else []
            raise absent(said, known, what=f"{word} column")
        values = main.inputs[said].to_numpy()
        rest = main.inputs.drop(columns=said) if word == "group" else main.inputs
        return pd.factorize(values, use_na_sentinel=False)[
            0
        ] if word == "group" else values, dataclasses.replace(main, inputs=rest)
    values = np.asarray(said)
    if values.shape != (len(main.targets),):
        raise DataError(
            f"{word} has shape {values.shape}, there are {len(main.targets)} rows", fix="give one value a row"
        )
    return pd.factorize(values, use_na_sentinel=False)[0] if word == "group" else values, main


def absent(name: str, known: list[str], *, what: str) -> DataError:
    """Say that a column is not there, and which one was probably meant."""
    folded = {other.lower(): other for other in known}
    close = [folded[other] for other in difflib.get_close_matches(name.lower(), folded, n=1)]
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return DataError(
        f"there is no {what} {name!r}; there are {shown or 'no named columns'}",
        fix=f"give {close[0]!r}, if that was meant" if close else "give one of the columns",
    )


def _with_targets(
    part: Given, role: str, weight_N: np.ndarray | None = None
) -> tuple[Given, np.ndarray, tuple[str, ...]]:
    """Leave out rows that have no target or weigh nothing: the rest, which rows that is, and notes."""
    if not len(part.targets):
        raise DataError(f"the {role or 'training'} part has no rows", fix="give rows, or leave the part out")
    is_empty = is_missing(part.targets)
    if is_empty.all():
        raise DataError(
            f"target {part.targets.name!r} is missing in every row{f' of the {role} part' if role else ''}",
            fix="choose a target that is filled",
        )
    is_idle = np.zeros_like(is_empty) if weight_N is None else (weight_N == 0) & ~is_empty
    kept = ~(is_empty | is_idle)
    if kept.all():
        return part, kept, ()
    inputs = part.inputs.loc[kept] if isinstance(part.inputs, pd.DataFrame) else part.inputs[kept]
    counts = ((is_empty, "without a target"), (is_idle, "of weight 0"))
    notes = tuple(f"{int(rows.sum())} rows {what} were left out" for rows, what in counts if rows.any())
    return Given(inputs=inputs, targets=part.targets[kept].reset_index(drop=True)), kept, notes


def _like(part: Given, main: Given, role: str) -> tuple[Given, str]:
    """Bring another part's inputs into the main part's columns or shape."""
    if isinstance(main.inputs, np.ndarray) or isinstance(part.inputs, np.ndarray):
        if not (isinstance(main.inputs, np.ndarray) and isinstance(part.inputs, np.ndarray)):
            raise DataError(
                f"the {role} rows are of another kind than the training rows", fix="give both the same way"
            )
        if part.inputs.shape[1:] != main.inputs.shape[1:]:
            raise DataError(
                f"{role} rows have shape {part.inputs.shape[1:]}, training rows {main.inputs.shape[1:]}",
                fix="give both the same shape",
            )
        return part, role
    missing = [name for name in main.inputs.columns if name not in part.inputs.columns]
    if missing:
        raise absent(missing[0], list(part.inputs.columns), what=f"{role} column")
    return dataclasses.replace(part, inputs=part.inputs[list(main.inputs.columns)]), role


def _division(
    parts: list[Given],
    *,
    task: Task,
    targets: pd.Series,
    group: np.ndarray | None,
    time: np.ndarray | None,
    wishes: Wishes,
    has_own: tuple[bool, bool],
) -> Division:
    num_rows = len(parts[0].targets)
    classes = task.encode(targets[:num_rows]) if task.kind == "classes" else None
    shares = _remaining(wishes.shares, has_own)
    cut = divide(num_rows, classes=classes, group=group, time=time, shares=shares, seed=wishes.seed)
    starts = np.cumsum([len(part.targets) for part in parts]).tolist()
    own = [np.arange(low, high) for low, high in itertools.pairwise(starts)]
    test = own.pop() if has_own[1] else cut.test
    validation = own.pop() if has_own[0] else cut.validation
    return dataclasses.replace(cut, validation=validation, test=test)


def _remaining(shares: tuple[float, float, float], has_own: tuple[bool, bool]) -> tuple[float, float, float]:
    """Shares of the rows to divide, when the user brought parts along."""
    train, validation, test = shares[0], 0.0 if has_own[0] else shares[1], 0.0 if has_own[1] else shares[2]
    total = (train + validation + test) if any(has_own) else 1.0
    return (train / total, validation / total, test / total)


def _stacked(inputs: list[Any]) -> pd.DataFrame | np.ndarray:
    if len(inputs) == 1:
        return inputs[0]
    return (
        pd.concat(inputs, ignore_index=True)
        if isinstance(inputs[0], pd.DataFrame)
        else np.concatenate(inputs)
    )


def _column_notes(preparation: Preparation) -> tuple[str, ...]:
    """One sentence for all columns of which the same is to be said: images have many dead corners."""
    names: dict[str, list[str]] = {}
    for column in preparation.columns:
        if column.note:
            names.setdefault(column.note, []).append(column.name)
    return tuple(f"{_listed(same)}: {note}" for note, same in names.items())


def _listed(names: list[str]) -> str:
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
