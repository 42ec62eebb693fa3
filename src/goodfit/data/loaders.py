"""A torch ``Dataset``, a ``DataLoader`` or any iterable of batches, read once into memory.

Inputs stay as the user made them. A batch is a tuple, a mapping or an object; see :func:`take_apart`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from goodfit.data.arrays import Given, as_array
from goodfit.data.batches import Pieces, take_apart
from goodfit.errors import DataError

MOST_ROWS = 5_000_000
MOST_BYTES = 16 << 30
"""Rows and bytes after which a loader is taken for one that never ends."""
IGNORED = -100
"""The place of a target that no loss counts; torch's own number for it."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """Everything that a loader gave, by input.

    Attributes:
        inputs: Every input by name, its rows one behind the other.
        targets: The targets, ``(N, ...)``.
        by_name: Whether batches named their inputs.
        target_shape: Shape that a row's target had; ``(1,)`` is ``()`` in :attr:`targets`.
        notes: What a person should know about it.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    by_name: bool
    target_shape: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)


def is_loader(source: Any) -> bool:
    """Tell whether something yields batches or samples, and is no array, frame, list or path."""
    if isinstance(source, (DataLoader, Dataset)):
        return True
    is_known = isinstance(source, (str, list, tuple, dict, np.ndarray, Tensor, pd.DataFrame, pd.Series))
    is_array = hasattr(source, "__array__") or hasattr(source, "shape") or hasattr(source, "columns")
    return isinstance(source, Iterable) and not is_known and not is_array and not hasattr(source, "joinpath")


def read_loader(source: Any) -> Given:
    """Read rows of one input and one target each.

    Args:
        source: Yields ``(inputs, target)``, or mappings with such keys as ``x`` and ``y``,
            ``image`` and ``label``.

    Returns:
        All rows, inputs as float32 (bytes stay bytes).

    Raises:
        DataError: It yields something else, nothing, or inputs of different shapes.
    """
    columns = read_columns(source)
    if len(columns.inputs) > 1:
        raise DataError(
            f"a batch has {len(columns.inputs)} inputs: {', '.join(columns.inputs)}",
            fix="give model=, a function that makes a network which takes them, or yield one input",
        )
    if columns.targets.ndim > 1:
        raise DataError(
            f"targets have shape {columns.targets.shape[1:]} in a row",
            fix="yield one class or number a row, or give model= with a network of your own",
        )
    (inputs,) = columns.inputs.values()
    inputs = inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32, copy=False)
    return Given(inputs=inputs, targets=pd.Series(columns.targets, name="target"))


def read_columns(source: Any, *, target: str | None = None) -> Columns:
    """Read every batch (or sample) once.

    Args:
        source: A ``Dataset``, a ``DataLoader``, or any iterable of batches, a generator too.
        target: Key or attribute of a batch that holds the targets; by default a usual one, or the last of a
            tuple.

    Raises:
        DataError: It yields nothing, something that has no targets, rows that do not fit each other, never
            ends, or raises.
    """
    pieces: list[Pieces] = []
    num_rows = num_bytes = 0
    for item in _items(source):
        taken = take_apart(item, target=target)
        taken = taken if _is_batch(source, taken) else taken.as_batch()
        taken.refuse_lengths(place=len(pieces))
        pieces.append(taken)
        num_rows, num_bytes = num_rows + len(taken), num_bytes + taken.num_bytes
        if num_rows > MOST_ROWS or num_bytes > MOST_BYTES:
            raise DataError(
                f"the {_name(source)} has given {num_rows} rows and goes on",
                fix="give one that ends, such as itertools.islice(loader, 1000), or fewer rows",
            )
    if not pieces:
        spent = " any more: a generator can be read once" if isinstance(source, Iterator) else ""
        raise DataError(
            f"the {_name(source)} yields nothing{spent}",
            fix="make a fresh one for each argument" if spent else "give one with rows",
        )
    return _joined(pieces)


def draws_anew(source: Any) -> bool:
    """Tell whether a data set gives another row when the same one is asked for twice, as random crops do."""
    dataset = source.dataset if isinstance(source, DataLoader) else source
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        return False
    try:
        with torch.random.fork_rng(devices=[]):
            once, again = (list(take_apart(dataset[0]).inputs.values()) for _ in range(2))
    except Exception:  # a data set that answers to keys, or whose items need the loader's own collation
        return False
    return not all(np.array_equal(as_array(a), as_array(b)) for a, b in zip(once, again, strict=True))


def rows_of_batch(source: Any) -> int | None:
    """Tell how many rows a loader puts into a batch, where it says so."""
    size = getattr(source, "batch_size", None)
    return size if isinstance(size, int) and size > 0 else None


def _items(source: Any) -> Iterator[Any]:
    if isinstance(source, Dataset) and not isinstance(source, IterableDataset):
        if not hasattr(source, "__len__"):
            raise DataError(f"the {_name(source)} has no length", fix="wrap it in a DataLoader")
        stream: Iterator[Any] = (source[place] for place in range(len(source)))
    else:
        stream = iter(source)
    for place in itertools.count():
        try:
            with torch.no_grad():
                item = next(stream)
        except StopIteration:
            return
        except Exception as error:  # whatever the user's own code raises
            raise DataError(
                f"the {_name(source)} raises {type(error).__name__} at item {place}, counted from 0: {error}",
                fix="mend or leave out what that item is made of",
            ) from error
        yield item


def _is_batch(source: Any, taken: Pieces) -> bool:
    if isinstance(source, DataLoader) and source.batch_sampler is not None:
        return True
    if isinstance(source, Dataset):
        return False
    if not isinstance(source, DataLoader):
        return taken.targets.ndim > 0
    # without collation a loader may hand on batches that its data set made, or single rows
    return taken.targets.ndim > 0 and len({len(part) for part in taken.arrays if part.ndim}) == 1


def _joined(pieces: list[Pieces]) -> Columns:
    first = pieces[0]
    for piece in pieces:
        if list(piece.inputs) != list(first.inputs):
            raise DataError(
                f"a batch holds {', '.join(piece.inputs)}, another {', '.join(first.inputs)}",
                fix="yield the same inputs in every batch",
            )
    lengths = _padded_lengths(pieces)
    if len(first.inputs) == 1:
        pieces = [dataclasses.replace(p, inputs={"inputs": next(iter(p.inputs.values()))}) for p in pieces]
        first = pieces[0]
    inputs = {name: _concatenated([p.inputs[name] for p in pieces], name, lengths) for name in first.inputs}
    targets = _concatenated([piece.targets for piece in pieces], "targets", lengths, fill=IGNORED)
    target_shape = targets.shape[1:]
    if target_shape == (1,):
        targets = targets[:, 0]
    notes = () if lengths is None else (f"sequences were padded with 0 to {lengths[1]} steps, as their mask",)
    return Columns(
        inputs=inputs, targets=targets, by_name=first.by_name, target_shape=target_shape, notes=notes
    )


def _padded_lengths(pieces: list[Pieces]) -> tuple[tuple[int, ...], int] | None:
    """Lengths of sequences that were padded batch by batch, and the longest: only where a mask says so."""
    masks = [name for name in pieces[0].inputs if "mask" in name.lower()]
    if not masks:
        return None
    lengths = tuple(piece.inputs[masks[0]].shape[1] for piece in pieces if piece.inputs[masks[0]].ndim > 1)
    return (lengths, max(lengths)) if len(set(lengths)) > 1 else None


def _concatenated(
    arrays: list[np.ndarray], name: str, lengths: tuple[tuple[int, ...], int] | None, fill: int = 0
) -> np.ndarray:
    if lengths is not None:
        arrays = [_padded(array, *pair, fill=fill) for array, *pair in _beside(arrays, lengths)]
    shapes = list(dict.fromkeys(array.shape[1:] for array in arrays))
    what = "targets" if name == "targets" else "inputs"
    if len(shapes) > 1:
        raise DataError(
            f"{what} have shapes {shapes[0]} and {shapes[1]}",
            fix="pad or crop them to one shape, or yield a mask of the padding beside them",
        )
    if name == "inputs" and not shapes[0]:
        raise DataError("inputs are single numbers", fix="yield inputs with an axis of features")
    dtype = arrays[0].dtype
    if what == "inputs" and not np.issubdtype(dtype, np.number) and dtype.kind != "b":
        raise DataError(
            f"inputs are {dtype}", fix="yield tensors of numbers; add ToTensor() to the transforms"
        )
    return np.concatenate(arrays)


def _beside(
    arrays: list[np.ndarray], lengths: tuple[tuple[int, ...], int]
) -> Iterator[tuple[np.ndarray, int, int]]:
    return ((array, own, lengths[1]) for array, own in zip(arrays, lengths[0], strict=True))


def _padded(array: np.ndarray, own: int, longest: int, *, fill: int) -> np.ndarray:
    if array.ndim < 2 or array.shape[1] != own:
        return array
    width = [(0, 0), (0, longest - own), *((0, 0),) * (array.ndim - 2)]
    return np.pad(array, width, constant_values=fill)


def _name(source: Any) -> str:
    return type(source).__name__
