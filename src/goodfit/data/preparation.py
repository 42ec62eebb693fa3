"""From raw rows to network inputs, by rules learnt from training rows only; it travels with the model.

It works in two steps, so that a view not asked for costs nothing: raw rows are read once into compact
:class:`~goodfit.data.reading.Cells`, and the cells are turned into the inputs of a view when somebody asks.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import skops.io

from goodfit.data.columns import Column, describe
from goodfit.data.grids import GridScaling
from goodfit.data.numbers import NumberScaling
from goodfit.data.reading import Cells, read_cells
from goodfit.errors import DataError, RunFolderError

Inputs = Literal["raw", "scaled", "expanded"]
VIEWS: tuple[Inputs, ...] = ("raw", "scaled", "expanded")
BLOCK_ROWS = 1 << 15
RECORD = "preparation.json"
TRANSFORMERS = "preparation.skops"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Preparation:
    """What training rows taught about the inputs, and how raw rows become them.

    Attributes:
        columns: Every column of the table, used or dropped; empty for arrays that go in whole.
        numbers: How numbers are filled and scaled.
        grid: How arrays that go in whole are scaled; ``None`` for tables.
    """

    columns: tuple[Column, ...]
    numbers: NumberScaling
    grid: GridScaling | None = None

    @classmethod
    def fit(cls, raw: pd.DataFrame | np.ndarray, rows: np.ndarray, *, seed: int = 0) -> Preparation:
        """Learn from training rows.

        Args:
            raw: All rows: a frame without its target, or an array ``(N, ...)`` that goes in whole.
            rows: Places of the training rows, the only ones looked at, in rising order.
            seed: Seed for what is drawn at random.

        Raises:
            DataError: Every column had to be dropped.
        """
        if isinstance(raw, np.ndarray):
            numbers = NumberScaling.fit(np.empty((0, 0), dtype=np.float32), ())
            return cls(columns=(), numbers=numbers, grid=GridScaling.fit(raw, rows))
        columns = tuple(describe(raw.iloc[:, place].iloc[rows]) for place in range(raw.shape[1]))
        if all(column.is_dropped for column in columns):
            raise DataError(
                f"all {len(columns)} columns had to be dropped: "
                + "; ".join(
                    f"{column.name} ({column.note.removeprefix('dropped: ')})" for column in columns[:3]
                ),
                fix="give columns with numbers or with categories that repeat",
            )
        return cls._scaled(columns, raw, rows=rows, seed=seed)

    @classmethod
    def _scaled(
        cls, columns: tuple[Column, ...], raw: pd.DataFrame, *, rows: np.ndarray, seed: int
    ) -> Preparation:
        names = tuple(name for column in columns for name in column.number_names)
        no_rows = NumberScaling.fit(np.empty((0, 0), dtype=np.float32), ())
        train = cls(columns=columns, numbers=no_rows).cells(raw.iloc[rows], odd="missing")
        num_levels = sum(len(column.categories) for column in columns if not column.is_embedded)
        scaling = NumberScaling.fit(train.numbers_ND, names, num_others=num_levels, seed=seed)
        return cls(columns=columns, numbers=scaling)

    def cells(self, raw: pd.DataFrame | np.ndarray, *, odd: Literal["refuse", "missing"] = "refuse") -> Cells:
        """Read raw rows.

        Args:
            raw: A frame with the columns of training, in any order, further ones ignored;
                or an array with rows of the same shape.
            odd: What becomes of a cell that is no number in a column of numbers.

        Raises:
            DataError: A column is missing, or holds something else than in training.
        """
        if self.grid is not None:
            grid_N = self.grid.check(np.asarray(raw))
            nothing = np.empty((len(grid_N), 0))
            return Cells(numbers_ND=nothing, levels_NC=nothing.astype(np.int32), grid_N=grid_N)
        return read_cells(self._check(raw), self.columns, odd=odd)

    def view(self, rows: Cells, *, inputs: str = "scaled") -> tuple[np.ndarray, np.ndarray | None]:
        """Turn cells into network inputs.

        Args:
            rows: From :meth:`cells`.
            inputs: ``"raw"``, ``"scaled"`` or ``"expanded"``.

        Returns:
            float32 inputs, and int64 codes of embedded categories or ``None`` if there are none.
        """
        refuse_view(inputs)
        if self.grid is not None and rows.grid_N is not None:
            return self.grid.view(rows.grid_N, inputs), None
        x_ND = np.empty((len(rows), len(self.input_names(inputs))), dtype=np.float32)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows.take(slice(start, start + BLOCK_ROWS))
            numbers_ND = block.numbers_ND.astype(np.float32, copy=False)
            viewed_ND = self.numbers.view(numbers_ND, inputs, origins_D=self._origins)
            x_ND[start : start + BLOCK_ROWS] = np.hstack((viewed_ND, *self._one_hot(block.levels_NC)))
        embedded = [place for place, column in enumerate(self._categories) if column.is_embedded]
        return x_ND, rows.levels_NC[:, embedded].astype(np.int64) if embedded else None

    def transform(self, raw: Any, *, inputs: str = "scaled") -> tuple[np.ndarray, np.ndarray | None]:
        """Turn raw rows into network inputs: :meth:`cells`, then :meth:`view`."""
        return self.view(self.cells(raw), inputs=inputs)

    def input_names(self, inputs: str = "scaled") -> tuple[str, ...]:
        """Name every input of a view; arrays that go in whole have no names."""
        if self.grid is not None:
            return ()
        flat = [column for column in self._categories if not column.is_embedded]
        levels = tuple(f"{column.name}: {level}" for column in flat for level in column.categories)
        return self.numbers.input_names(inputs) + levels

    def input_shape(self, inputs: str = "scaled") -> tuple[int, ...]:
        """Shape of one row of a view."""
        refuse_view(inputs)
        return (len(self.input_names(inputs)),) if self.grid is None else self.grid.shape

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each embedded category, with code 0 for what training did not hold."""
        return tuple(len(column.categories) + 1 for column in self._categories if column.is_embedded)

    def save(self, folder: str | Path) -> None:
        """Write ``preparation.json`` and ``preparation.skops`` into a folder; no pickle."""
        folder = Path(folder)
        record = {
            "columns": [column.to_dict() for column in self.columns],
            "numbers": self.numbers.to_dict(),
            "grid": self.grid.to_dict() if self.grid else None,
        }
        (folder / RECORD).write_text(json.dumps(record, allow_nan=False), encoding="utf-8")
        skops.io.dump({"imputer": self.numbers.imputer, "scaler": self.numbers.scaler}, folder / TRANSFORMERS)

    @classmethod
    def load(cls, folder: str | Path) -> Preparation:
        """Read what :meth:`save` wrote.

        Raises:
            RunFolderError: A file is missing or damaged.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            fitted = skops.io.load(folder / TRANSFORMERS, trusted=["numpy.dtype"])
            return cls(
                columns=tuple(Column.from_dict(values) for values in record["columns"]),
                numbers=NumberScaling.from_dict(record["numbers"], **fitted),
                grid=GridScaling.from_dict(record["grid"]) if record["grid"] else None,
            )
        except Exception as error:
            raise RunFolderError(
                f"{folder} holds no readable preparation: {error}",
                fix="give a folder that goodfit wrote, whole",
            ) from error

    @property
    def _categories(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind == "category")

    @property
    def _origins(self) -> np.ndarray:
        return np.array(
            [c.origin if c.kind == "number" else 0.0 for c in self.columns for _ in c.number_names]
        )

    def _one_hot(self, levels_NC: np.ndarray) -> list[np.ndarray]:
        return [
            levels_NC[:, place, None] == np.arange(1, len(column.categories) + 1)
            for place, column in enumerate(self._categories)
            if not column.is_embedded
        ]

    def _check(self, raw: Any) -> pd.DataFrame:
        frame = raw if isinstance(raw, pd.DataFrame) else unnamed(np.asarray(raw))
        names = [column.name for column in self.columns]
        known = set(map(str, frame.columns))
        if not known & set(names) and frame.shape[1] == len(names):
            return frame.set_axis(names, axis=1)
        for column in self.columns:
            if column.name not in known and not column.is_dropped:
                raise _missing(column.name, sorted(known))
        return frame.set_axis(list(map(str, frame.columns)), axis=1)


def unnamed(array_ND: np.ndarray) -> pd.DataFrame:
    """Name the columns of an array ``x0, x1, ...``."""
    return pd.DataFrame(array_ND, columns=[f"x{place}" for place in range(array_ND.shape[1])]).infer_objects()


def refuse_view(inputs: str) -> None:
    """Raise a :class:`DataError` if there is no such view."""
    if inputs not in VIEWS:
        raise DataError(f"inputs is {inputs!r}", fix=f"give one of {', '.join(VIEWS)}")


def _missing(name: str, known: list[str]) -> DataError:
    close = difflib.get_close_matches(name, known, n=1)
    said = f"; the closest here is {close[0]!r}" if close else f"; there are {', '.join(known[:8])}"
    return DataError(
        f"column {name!r} is missing{said}",
        fix=f"rename {close[0]!r} to {name!r}" if close else f"add a column {name!r}, empty where unknown",
    )
