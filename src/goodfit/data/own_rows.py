"""Rows for a network of the user's own: its inputs as they are, its targets in any shape.

Letters: N rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from goodfit.data.assembly import FEWEST_ROWS, Wishes
from goodfit.data.grids import GridScaling
from goodfit.data.loaders import IGNORED, Columns, draws_anew, read_columns
from goodfit.data.numbers import NumberScaling
from goodfit.data.own_targets import define_own, in_deviations
from goodfit.data.preparation import Preparation
from goodfit.data.split import Split
from goodfit.data.splits import Division, divide
from goodfit.errors import DataError
from goodfit.forms import Entry, Form

FLOATS = (np.float16, np.float32, np.float64, np.uint8)
"""Types that a network is given as float32; bytes are pixels."""


def load_own(
    source: Any,
    wishes: Wishes,
    *,
    target: str | None = None,
    validation: Any = None,
    test: Any = None,
    ignored: int = IGNORED,
    standardised: bool = True,
) -> Split:
    """Read loaders for a network of the user's own.

    Args:
        source: Anything that :func:`goodfit.data.loaders.read_columns` reads.
        wishes: What the user said; ``group`` and ``time`` are values, one a row.
        target: Key of a batch that holds the targets.
        validation: The user's own validation rows, another such loader.
        test: Their own test rows.
        ignored: Class of places that do not count, such as padding.
        standardised: Whether a number is to be standardised; a loss of the user's own takes it as it is.

    Raises:
        DataError: The rows cannot be read or learnt from, or validation rows are the training rows.
    """
    refuse_same(source, validation)
    main = read_columns(source, target=target)
    if len(main) < FEWEST_ROWS:
        raise DataError(
            f"the {type(source).__name__} has {len(main)} rows", fix=f"give at least {FEWEST_ROWS} rows"
        )
    others = [
        (role, _like(read_columns(part, target=target), main, role))
        for role, part in (("validation", validation), ("test", test))
        if part is not None
    ]
    parts = [main, *(columns for _, columns in others)]
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in main.inputs}
    targets = np.concatenate([part.targets for part in parts])
    division = _division(main, wishes, own={role: len(columns) for role, columns in others})
    refuse_same_rows(inputs, targets, division)
    task, coded = define_own(targets, division.train, kind=wishes.task, inputs=inputs, ignored=ignored)
    if standardised and task.kind == "numbers" and not task.shape:
        task, coded = in_deviations(task, coded, division.train)
    form = form_of(inputs, main, told=task.num_outputs, ignored=ignored)
    packed = form.pack(list(inputs.values()))
    preparation = _preparation(packed, division.train, form)
    notes = ("rows differ each time they are read, and are read once",) if draws_anew(source) else ()
    return Split(
        name=type(source).__name__,
        kind="loader",
        task=task,
        preparation=preparation,
        train_index=division.train,
        validation_index=division.validation,
        test_index=division.test,
        notes=(*main.notes, *notes, *division.notes),
        seed=wishes.seed,
        form=form,
        _cells=preparation.cells(packed),
        _targets_N=coded,
    )


def paired(inputs: Any, targets: Any) -> Any:
    """Make arrays or tensors in memory a data set, for a loss of the user's own.

    Raises:
        DataError: They are a table, or targets are missing.
    """
    if targets is None or hasattr(inputs, "columns") or isinstance(inputs, str):
        raise DataError(
            "a loss of your own takes tensors, and the source is a table",
            fix="give arrays and targets, fit(X, y, ...), a loader, or the name of a loss",
        )
    x, y = (torch.as_tensor(np.asarray(values)) for values in (inputs, targets))
    return TensorDataset(x, y)


def refuse_same(source: Any, validation: Any) -> None:
    """Raise a :class:`DataError` if the validation rows are the very object that the training rows are."""
    if validation is not None and validation is source:
        raise _same_rows("one object")


def refuse_same_parts(split: Split) -> None:
    """Raise a :class:`DataError` if the validation rows of a split are its training rows."""
    parts = [split.rows(part) for part in ("train", "validation")]
    if len(parts[0]) != len(parts[1]):
        return
    arrays = [[part.x.numpy(), part.y_N.numpy()] for part in parts]
    every = np.arange(len(parts[0]))
    if _keys(arrays[0], every) == _keys(arrays[1], every):
        raise _same_rows("the same rows")


def form_of(inputs: dict[str, np.ndarray], columns: Columns, *, told: int, ignored: int = IGNORED) -> Form:
    """Say what a row is made of."""
    entries = tuple(
        Entry(name=name, shape=array.shape[1:], dtype=_type_of(array)) for name, array in inputs.items()
    )
    target = Entry(name="target", shape=columns.target_shape, dtype=_type_of(columns.targets))
    return Form(entries=entries, by_name=columns.by_name, told=told, target=target, ignored=ignored)


def _type_of(array: np.ndarray) -> str:
    is_float = array.dtype in FLOATS
    return "float32" if is_float else "bool" if array.dtype == bool else "int64"


def _like(columns: Columns, main: Columns, role: str) -> Columns:
    mine, theirs = (
        {name: array.shape[1:] for name, array in (*part.inputs.items(), ("targets", part.targets))}
        for part in (columns, main)
    )
    if mine != theirs:
        raise DataError(f"{role} rows are {mine}, training rows {theirs}", fix="give both the same shapes")
    return columns


def _division(main: Columns, wishes: Wishes, *, own: dict[str, int]) -> Division:
    train, validation, test = (
        wishes.shares[0],
        0.0 if "validation" in own else wishes.shares[1],
        0.0 if "test" in own else wishes.shares[2],
    )
    total = train + validation + test
    targets = main.targets
    classes = (
        np.unique(targets, return_inverse=True)[1] if targets.ndim == 1 and _is_coarse(targets) else None
    )
    cut = divide(
        len(main),
        classes=classes,
        group=_beside(wishes.group, main, "group"),
        time=_beside(wishes.time, main, "time"),
        shares=(train / total, validation / total, test / total),
        seed=wishes.seed,
    )
    start, found = len(main), {"validation": cut.validation, "test": cut.test}
    for role, size in own.items():
        found[role] = np.arange(start, start + size)
        start += size
    return Division(train=cut.train, validation=found["validation"], test=found["test"], notes=cut.notes)


def _beside(said: Any, main: Columns, word: str) -> np.ndarray | None:
    if said is None:
        return None
    values = np.asarray(said)
    if isinstance(said, str) or values.shape != (len(main),):
        raise DataError(f"{word} is {said!r}", fix=f"give values, one for each of the {len(main)} rows")
    return np.unique(values, return_inverse=True)[1]


def _is_coarse(targets: np.ndarray) -> bool:
    return not np.issubdtype(targets.dtype, np.floating)


def _preparation(packed: np.ndarray, train: np.ndarray, form: Form) -> Preparation:
    nothing = NumberScaling.fit(np.empty((0, 0), dtype=np.float32), ())
    if form.is_continuous:
        return Preparation(columns=(), numbers=nothing, grid=GridScaling.fit(packed, train))
    # codes and masks are no amounts: nothing is taken off them
    grid = GridScaling(shape=packed.shape[1:], shift=(0.0,), scale=(1.0,))
    return Preparation(columns=(), numbers=nothing, grid=grid)


def refuse_same_rows(inputs: dict[str, np.ndarray], targets: np.ndarray, division: Division) -> None:
    """Raise a :class:`DataError` if the validation rows are the training rows, in whatever order."""
    if len(division.train) != len(division.validation):
        return
    arrays = [*inputs.values(), targets]
    if _keys(arrays, division.train) == _keys(arrays, division.validation):
        raise _same_rows("the same rows")


def _keys(arrays: list[np.ndarray], rows: np.ndarray) -> list[bytes]:
    return sorted(b"".join(array[row].tobytes() for array in arrays) for row in rows)


def _same_rows(what: str) -> DataError:
    return DataError(
        f"training and validation are {what}, so that nothing would be asked about new data",
        fix="leave validation out, and a share of the rows is put aside, or give rows not trained on",
    )
