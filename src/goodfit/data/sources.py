"""The one door for data: any source becomes a Split, and rows to predict become raw pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goodfit.data import arrays, images, loaders, tables
from goodfit.data.arrays import Given
from goodfit.data.assembly import Wishes, absent, assemble
from goodfit.data.sniffing import existing, refuse_repeated
from goodfit.data.split import SourceKind, Split
from goodfit.data.splits import SHARES
from goodfit.data.task import TaskKind
from goodfit.errors import DataError

USUAL_TARGETS = ("target", "label", "class", "y")


def load(
    source: Any,
    y: Any = None,
    *,
    target: str | int | None = None,
    task: TaskKind | None = None,
    test: Any = None,
    validation: Any = None,
    group: Any = None,
    time: Any = None,
    shares: tuple[float, float, float] = SHARES,
    sample_weight: Any = None,
    seed: int = 0,
) -> Split:
    """Turn any source of data into a Split.

    Args:
        source: Path of a table (CSV, TSV, also compressed, Parquet, Feather), of an ``.npz`` or
            ``.npy`` file, or of a folder of images; a pandas or polars frame, an array or tensor,
            a torch ``Dataset`` or ``DataLoader``; or a Split, which is returned as it is.
        y: Targets, for sources that do not hold their own.
        target: Name or place of the target column.
        task: ``"classes"`` or ``"numbers"``; ``None`` decides by the target's content.
        test: The user's own test rows: anything that ``source`` may be, or a pair ``(X, y)``.
        validation: The user's own validation rows, the same way.
        group: Column name or values: rows of one group stay in one part.
        time: Column name or values: the newest rows are the test.
        shares: Shares of training, validation and test rows.
        sample_weight: How often each row of ``source`` counts, at least 0; ``validation`` and ``test`` rows
            of the user's own count once each.
        seed: The root seed; the same seed gives the same split.

    Returns:
        The split, its test part sealed.

    Raises:
        DataError: The data cannot be read, or cannot be learnt from; or there are weights for rows that
            cannot have any.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> split = load(X, y)
        >>> len(split.rows("train")), split.task.num_outputs
        (90, 3)
    """
    if isinstance(source, Split):
        refuse_weights(sample_weight, "a split")
        return source
    kind, parts = _open(source, y, target=target)
    if kind == "loader":
        refuse_weights(sample_weight, "a loader")
    for role, own in (("test", test), ("validation", validation)):
        if own is not None:
            parts[role] = _open_part(own, target=target, main=parts["main"])
    wishes = Wishes(task=task, group=group, time=time, shares=shares, seed=seed, sample_weight=sample_weight)
    split = assemble(
        parts["main"],
        wishes,
        name=_name(source),
        kind=kind,
        validation=parts.get("validation"),
        test=parts.get("test"),
    )
    del parts  # the frames hold what Arrow read
    tables.give_back_memory()
    return split


def refuse_weights(sample_weight: Any, source: str) -> None:
    """Raise a :class:`DataError` if rows of a source that cannot have weights are given some."""
    if sample_weight is not None:
        raise DataError(
            f"sample_weight is given with {source}",
            fix="give rows and targets as arrays or a frame, as in fit(X, y, sample_weight=w)",
        )


def read_new(source: Any, *, rows: int = 100_000) -> Iterator[pd.DataFrame | np.ndarray]:
    """Read rows to predict, piece by piece, as :meth:`Preparation.cells` takes them.

    Args:
        source: Path of a table, of an ``.npz`` or ``.npy`` file, of an image or a folder of images;
            a frame or an array.
        rows: The most rows of a piece of a table on disk.
    """
    if not isinstance(source, (str, Path)):
        yield _plain_frame(source) if _is_frame(source) else arrays.as_rows(source)
        return
    path = existing(Path(source))
    if path.is_dir() or images.is_image(path):
        yield images.read_images(path)
    elif path.suffix in (".npz", ".npy"):
        yield arrays.read_inputs(path)
    else:
        yield from tables.read_chunks(_table_path(path), rows=rows)


def _open(source: Any, y: Any, *, target: str | int | None) -> tuple[SourceKind, dict[str, Given]]:
    if isinstance(source, (str, Path)):
        return _open_path(existing(Path(source)), target=target)
    if loaders.is_loader(source) and not _is_frame(source):
        return "loader", {"main": loaders.read_loader(source)}
    if isinstance(source, tuple) and len(source) == 2 and y is None:
        source, y = source
    if _is_frame(source):
        frame = _plain_frame(source)
        return "table", {"main": _take_target(frame, target) if y is None else arrays.pair(frame, _plain(y))}
    if y is not None:
        return "arrays", {"main": arrays.pair(source, _plain(y))}
    array = arrays.as_array(source)
    if array.ndim != 2:
        raise DataError(
            f"there are inputs of shape {array.shape} and no targets", fix="give targets, as in fit(X, y)"
        )
    return "arrays", {"main": arrays.part_off(array, target)}


def _open_path(path: Path, *, target: str | int | None) -> tuple[SourceKind, dict[str, Given]]:
    if path.is_dir():
        return "images", images.read_folder(path)
    if path.suffix == ".npz":
        return "arrays", arrays.read_npz(path)
    if path.suffix == ".npy":
        return "arrays", {"main": arrays.read_npy(path, target=target)}
    return "table", {"main": _take_target(tables.read_table(_table_path(path)), target)}


def _open_part(own: Any, *, target: str | int | None, main: Given) -> Given:
    """Open a part that the user brought; its target has the main part's name."""
    name = str(main.targets.name)
    is_named = isinstance(main.inputs, pd.DataFrame) and (_is_frame(own) or isinstance(own, (str, Path)))
    return _open(own, None, target=name if is_named else target)[1]["main"]


def _table_path(path: Path) -> Path:
    if not tables.is_table(path):
        raise DataError(
            f"{path} ends in {path.suffix or 'nothing'!r}, which is not known",
            fix="give CSV, TSV (also .gz, .zst), Parquet, Feather, .npz, .npy, or a folder of images",
        )
    return path


def _take_target(frame: pd.DataFrame, target: str | int | None) -> Given:
    name = _target_name(list(frame.columns), target)
    return Given(inputs=frame.drop(columns=name), targets=frame[name])


def _target_name(names: list[str], target: str | int | None) -> str:
    if target is None:
        usual = [name for name in names if name.lower() in USUAL_TARGETS]
        if len(usual) != 1:
            raise DataError(
                f"no target is given; the columns are {', '.join(names[:12])}",
                fix="say which column is the target",
            )
        return usual[0]
    if str(target) in names:
        return str(target)
    if isinstance(target, int) and -len(names) <= target < len(names):
        return names[target]
    raise absent(str(target), names, what="target column")


def _is_frame(source: Any) -> bool:
    return (
        isinstance(source, pd.DataFrame)
        or (hasattr(source, "to_pandas") and hasattr(source, "columns"))
        or (type(source).__name__ == "LazyFrame" and hasattr(source, "collect"))
    )


def _plain_frame(source: Any) -> pd.DataFrame:
    """A pandas frame with columns named in text and rows numbered from 0."""
    if not isinstance(source, pd.DataFrame):
        source = (source.collect() if hasattr(source, "collect") else source).to_pandas()
    frame = source.reset_index(drop=True)
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    refuse_repeated(tuple(frame.columns), "the frame")
    return frame


def _plain(y: Any) -> Any:
    return y.to_pandas() if hasattr(y, "to_pandas") else y


def _name(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else type(source).__name__
