"""What a run hands back: the trained network that predicts from raw rows, and the record of the run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from goodfit.data.preparation import Preparation
from goodfit.data.split import Split
from goodfit.data.task import Task
from goodfit.engine.candidate import Trained
from goodfit.engine.goodness.predicted import Link, apply_link
from goodfit.engine.plan import Plan
from goodfit.engine.ways.construction import sizes_of
from goodfit.nets.given import Given
from goodfit.nets.network import Network, Sizes
from goodfit.procedure.loss_source import LossSource, loss_source
from goodfit.procedure.run import Run

ROWS_AT_ONCE = 8192
RANGE_MARGIN = 0.1
"""Share of the training targets' range by which a predicted number may leave it."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """Trained members and everything between a raw row and its prediction.

    Attributes:
        network: The structure of every member.
        sizes: Sizes of its inputs and outputs.
        inputs: The view of the data that it was trained on.
        link: What turns raw scores into probabilities or values.
        weights: Parameters and buffers of each member; the prediction is the mean of the members'.
        preparation: Turns raw rows into inputs, as fitted on the training rows.
        task: Turns outputs into labels or the user's units.
        loss: What it was trained by, as text; ``None`` in folders of before it was kept.
    """

    network: Network
    sizes: Sizes
    inputs: str
    link: Link
    weights: tuple[Mapping[str, Tensor], ...]
    preparation: Preparation
    task: Task
    loss: LossSource | None = None

    @functools.cached_property
    def modules(self) -> tuple[nn.Module, ...]:
        """The members as plain PyTorch modules in evaluation mode."""
        return tuple(self._load(weights) for weights in self.weights)

    def predict(self, raw: Any) -> pd.DataFrame:
        """Predict raw rows.

        Args:
            raw: Rows as the source held them: a frame with the same columns (the target may be absent), or
                an array; for a network of several inputs a tuple of them or a mapping.

        Returns:
            One row per input row: ``prediction``, and for classes ``probability_<label>``.

        Raises:
            DataError: A column is missing, or holds what it did not hold in training.
        """
        if isinstance(raw, Tensor | Mapping | tuple):
            raw = self._packed(raw)
        x, codes_NC = self.preparation.transform(raw, inputs=self.inputs)
        codes = None if codes_NC is None else torch.from_numpy(codes_NC)
        return self.frame(self.outputs(torch.from_numpy(x), codes))

    @torch.no_grad()
    def outputs(self, x: Tensor, codes_NC: Tensor | None = None) -> np.ndarray:
        """Probabilities or standardised values of prepared rows, shape ``(N, O)``: the mean over members."""
        parts = []
        for start in range(0, len(x), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            codes = () if codes_NC is None else (codes_NC[rows],)
            members = [self._linked(module(x[rows], *codes)) for module in self.modules]
            parts.append(torch.stack(members).mean(0))
        return torch.cat(parts).numpy() if parts else np.zeros((0, self.sizes.outputs), np.float32)

    def _packed(self, raw: Any) -> np.ndarray:
        form = self.network.form if isinstance(self.network, Given) else None
        if form is None:
            form_less = next(iter(raw.values())) if isinstance(raw, Mapping) and len(raw) == 1 else raw
            return np.asarray(form_less)
        return form.rows(raw)

    def _linked(self, scores_NO: Tensor) -> Tensor:
        if self.task.kind != "places":
            return apply_link(scores_NO, self.link)
        return apply_link(scores_NO.unflatten(-1, (-1, self.task.num_outputs)), self.link).flatten(-2)

    def frame(self, outputs_NO: np.ndarray) -> pd.DataFrame:
        """Turn outputs into the columns a person reads."""
        return pd.DataFrame({"prediction": self.decoded(outputs_NO), **self._probabilities(outputs_NO)})

    def decoded(self, outputs_NO: np.ndarray) -> np.ndarray:
        """Turn outputs into labels, or numbers in the user's units, near those of the training rows.

        Where a row has several targets, its prediction is an array of their shape.
        """
        task = self.task
        if task.kind == "classes":
            return task.decode(outputs_NO.argmax(1))
        if task.shape:
            return _arrays(self._shaped(outputs_NO).reshape(len(outputs_NO), *task.shape))
        margin = RANGE_MARGIN * (task.high - task.low)
        return task.decode(outputs_NO[:, 0]).clip(task.low - margin, task.high + margin)

    def _shaped(self, outputs_NO: np.ndarray) -> np.ndarray:
        if self.task.kind == "numbers":
            return outputs_NO
        if self.task.kind == "labels":
            return (outputs_NO > 0.5).astype(np.int64)
        return outputs_NO.reshape(len(outputs_NO), -1, self.task.num_outputs).argmax(-1)

    def _probabilities(self, outputs_NO: np.ndarray) -> dict[str, np.ndarray]:
        if self.task.kind == "labels":
            return {f"probability_{i}": p for i, p in enumerate(outputs_NO.T)}
        if self.task.kind != "classes":
            return {}
        return {f"probability_{label}": p for label, p in zip(self.task.labels, outputs_NO.T, strict=True)}

    def _load(self, weights: Mapping[str, Tensor]) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            module = self.network.build(self.sizes)
        module.load_state_dict(dict(weights))
        return module.eval()


def _arrays(predicted: np.ndarray) -> np.ndarray:
    """Put one array into each row of a column."""
    column = np.empty(len(predicted), dtype=object)
    for place, row in enumerate(predicted):
        column[place] = row
    return column


def predictor_of(plan: Plan, members: Sequence[Trained], split: Split) -> Predictor:
    """Make a predictor of trained members."""
    return Predictor(
        network=plan.network,
        sizes=sizes_of(plan, split),
        inputs=plan.inputs,
        link=plan.loss.link,
        weights=tuple(member.weights for member in members),
        preparation=split.preparation,
        task=split.task,
        loss=loss_source(plan.loss),
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A finished run: the record and the predictor.

    Attributes:
        run: What was asked, tried and found.
        predictor: The trained network.
    """

    run: Run
    predictor: Predictor

    @property
    def edits(self) -> str:
        """What the prescription changed in a network of the user's own: differences of the printed module.

        Empty where nothing in it was changed, and for networks of this package.
        """
        if not isinstance(self.predictor.network, Given):
            return ""
        dropout = float(dict(self.run.treated_plan).get("dropout", 0.0))
        return self.predictor.network.edits(self.predictor.sizes, dropout=dropout)

    def predict(self, raw: Any) -> pd.DataFrame:
        """Predict raw rows, as :meth:`Predictor.predict` does."""
        return self.predictor.predict(raw)

    def _repr_html_(self) -> str:
        """Show the run in a notebook."""
        return self.run._repr_html_()
