"""The one form that every source of data takes: three parts, the test part sealed.

Letters of shapes: N rows, D inputs, C embedded categories (or the channels of an image), H and W pixels.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from goodfit.errors import DataError

if TYPE_CHECKING:  # processes that train stacks know rows alone, and need neither pandas nor scikit-learn
    from goodfit.data.columns import Column
    from goodfit.data.preparation import Preparation
    from goodfit.data.reading import Cells
    from goodfit.data.task import Task
    from goodfit.forms import Form

Part = Literal["train", "validation"]
SourceKind = Literal["table", "arrays", "images", "loader"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows ready for a network.

    Attributes:
        x: float32 inputs, ``(N, D)``, ``(N, C, H, W)``, or the shape that the user's loader gave.
        codes_NC: int64 codes of categories to embed, 0 for what training did not hold; ``None``
            if there are none.
        y_N: int64 classes, or float32 standardised numbers; ``(N, ...)`` where a row has several.
        weight_N: float64 weights, with mean 1 over all rows of the source; ``None`` where all are equal.
    """

    x: Tensor
    codes_NC: Tensor | None
    y_N: Tensor
    weight_N: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y_N)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Training, validation and sealed test rows of one source.

    Test rows are handed out by :meth:`open_test` alone, which counts.

    Attributes:
        name: File or object the rows came from.
        kind: ``"table"``, ``"arrays"``, ``"images"`` or ``"loader"``.
        task: What is to be learnt.
        preparation: How raw rows become inputs.
        train_index: Places of the training rows among the rows that have a target.
        validation_index: Places of the validation rows.
        test_index: Places of the test rows.
        notes: What was done to the data, in sentences.
        seed: The root seed.
        form: What a row of a loader is made of, for a network of the user's own; ``None`` otherwise.
    """

    name: str
    kind: SourceKind
    task: Task
    preparation: Preparation
    train_index: np.ndarray
    validation_index: np.ndarray
    test_index: np.ndarray
    notes: tuple[str, ...]
    seed: int
    form: Form | None = None
    _cells: Cells = dataclasses.field(repr=False)
    _targets_N: np.ndarray = dataclasses.field(repr=False)
    _weights_N: np.ndarray | None = dataclasses.field(default=None, repr=False)
    _cache: dict[tuple[str, str], Rows] = dataclasses.field(default_factory=dict, init=False, repr=False)
    _openings: list[str] = dataclasses.field(default_factory=list, init=False, repr=False)

    def rows(self, part: Part, inputs: str = "scaled") -> Rows:
        """Return the rows of one part; made at the first asking and kept.

        Args:
            part: ``"train"`` or ``"validation"``.
            inputs: The view: ``"raw"`` (numbers as they are, missing ones filled), ``"scaled"``,
                or ``"expanded"`` (scaled, and a piecewise-linear basis of each number).

        Raises:
            DataError: There is no such part or view; the test part is opened by :meth:`open_test`.
        """
        indexes = {"train": self.train_index, "validation": self.validation_index}
        if part not in indexes:
            raise DataError(
                f"part is {part!r}", fix='give "train" or "validation"; the test part has open_test()'
            )
        if (part, inputs) not in self._cache:
            self._cache[part, inputs] = self._make(indexes[part], inputs)
        return self._cache[part, inputs]

    def move_rows(self, inputs: str, *, train: Rows, validation: Rows) -> None:
        """Let the rows of a view lie elsewhere, such as in a file that several processes map.

        Args:
            inputs: The view.
            train: The same training rows, number for number.
            validation: The same validation rows.
        """
        self._cache["train", inputs], self._cache["validation", inputs] = train, validation

    def open_test(self, *views: str) -> dict[str, Rows]:
        """Open the sealed test part; every call is counted in :attr:`openings`.

        Args:
            views: Each view that is needed (``"scaled"`` if none is named); asking for several
                at once is one opening.
        """
        views = views or ("scaled",)
        opened = {inputs: self._make(self.test_index, inputs) for inputs in views}
        self._openings.append(", ".join(views))
        return opened

    @property
    def openings(self) -> int:
        """How often the test part was opened."""
        return len(self._openings)

    @property
    def is_weighted(self) -> bool:
        """Whether some rows count more than others."""
        return self._weights_N is not None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column of a table, used or dropped; empty otherwise."""
        return self.preparation.columns

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column of ``codes_NC``, code 0 among them."""
        return self.preparation.cardinalities

    def input_shape(self, inputs: str = "scaled") -> tuple[int, ...]:
        """Shape of one row of a view."""
        return self.preparation.input_shape(inputs)

    def input_names(self, inputs: str = "scaled") -> tuple[str, ...]:
        """Name every input of a view; empty for images and loaders."""
        return self.preparation.input_names(inputs)

    @property
    def can_expand(self) -> bool:
        """Whether the expanded view shows more than the scaled one, which takes numeric columns."""
        return len(self.input_names("expanded")) > len(self.input_names("scaled"))

    def class_counts(self) -> tuple[tuple[str, int], ...]:
        """Each class as text, with how many training rows (or places) carry it; empty for numbers."""
        if self.task.kind == "numbers":
            return ()
        targets_N = self._targets_N[self.train_index]
        if self.task.kind == "labels":
            counts = targets_N.sum(0).astype(int).ravel()
            return tuple((f"label {place}", count) for place, count in enumerate(counts.tolist()))
        counts = np.bincount(targets_N[targets_N >= 0], minlength=self.task.num_outputs)
        return tuple(zip(map(str, self.task.labels), counts.tolist(), strict=True))

    def _make(self, index: np.ndarray, inputs: str) -> Rows:
        x, codes_NC = self.preparation.view(self._cells.take(index), inputs=inputs)
        return Rows(
            x=torch.from_numpy(x),
            codes_NC=None if codes_NC is None else torch.from_numpy(codes_NC),
            y_N=torch.from_numpy(self._targets_N[index]),
            weight_N=None if self._weights_N is None else torch.from_numpy(self._weights_N[index]),
        )
