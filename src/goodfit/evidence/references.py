"""Reference models of scikit-learn on the same split: what "good" can mean on this data.

Letters: N rows, F inputs of one row in a line (numbers first, then codes of categories).
scikit-learn is imported when a model is built, so that a saved run opens without it, and without torch.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from goodfit.evidence.bench import SCORED_TRAIN_ROWS, Bench, Fit
from goodfit.evidence.lines import matrix_of, weights_of
from goodfit.evidence.scored import scores_of

if TYPE_CHECKING:
    from goodfit.data.split import Rows, Split
    from goodfit.engine.goodness.losses import Loss

USUAL_SECONDS = 15.0
"""What all references may cost, by nominal prices, where no time was set."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference model trained on the same split.

    Attributes:
        name: Such as ``"majority"``, ``"linear"``, ``"k nearest neighbours"``, ``"gradient boosting"``.
        train_score: Score on training rows it saw.
        validation_score: Score on the validation rows.
        num_rows: Training rows it saw (large data is sampled, and the report says so).
        seconds: What it cost.
    """

    name: str
    train_score: float
    validation_score: float
    num_rows: int
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FittedReference:
    """A reference model ready to predict further rows.

    Attributes:
        record: Its scores.
        validation_scores_N: Score of each validation row: 1 or 0 for classes, and for numbers the row's
            share of R squared, :math:`1 - (y - \\hat y)^2 / \\mathrm{Var}(y)`.
        model: The fitted estimator of scikit-learn.
        kind: What is to be learnt, as in :class:`goodfit.data.task.Task`.
        loss: Scores in place of the usual way, where there is a metric of the user's own or where a row
            has several targets.
    """

    record: Reference
    validation_scores_N: np.ndarray
    model: Any
    kind: str
    loss: Loss | None = None

    def predict(self, rows: Rows) -> np.ndarray:
        """Predict classes, or standardised numbers, for prepared rows."""
        predicted_N: np.ndarray = self.model.predict(matrix_of(rows))
        return predicted_N

    def score(self, rows: Rows) -> float:
        """Score prepared rows, such as the sealed test part."""
        scores_N = scores_of(
            self.model,
            matrix_of(rows),
            rows.y_N.numpy(),
            kind=self.kind,
            loss=self.loss,
            weight_N=weights_of(rows),
        )
        return float(scores_N.mean())


def references(
    split: Split,
    *,
    seconds: float | None = None,
    measured: bool = True,
    loss: Loss | None = None,
    skipped: Callable[[str], object] | None = None,
) -> tuple[FittedReference, ...]:
    """Train what others would use: the majority (or mean), a linear model, nearest neighbours, boosted trees.

    Args:
        split: The data; only training and validation rows are looked at.
        seconds: What all of them may cost together. Large data is sampled to keep to it. Without it rows are
            sampled by nominal prices, so that the same data gives the same numbers on every machine.
        measured: Whether to measure prices where ``seconds`` are given. Where these are few the measuring
            costs more than what it measures; then prices are nominal.
        loss: The plan's, which knows the metric; without it scores are accuracy or R squared.
        skipped: Told, in a sentence, of each reference that could not be trained.

    Returns:
        The fitted references, the simplest first; the first one is always there.

    Example:
        >>> from goodfit.data.sources import load
        >>> from sklearn.datasets import load_iris
        >>> split = load(*load_iris(return_X_y=True))
        >>> [reference.record.name for reference in references(split)]
        ['majority', 'linear', 'k nearest neighbours', 'gradient boosting']
    """
    from goodfit.engine.training.memory import give_back  # which needs torch, as a saved run does not

    is_hurried = seconds is not None and not measured
    bench = Bench.of(split, loss, is_hurried=is_hurried)
    deadline = None if seconds is None else time.monotonic() + seconds
    fitted = []
    shares = 1.0
    for name, fit, share in bench.makers():
        left = USUAL_SECONDS * shares if deadline is None else deadline - time.monotonic()
        allowed, shares = left * share / shares, shares - share
        try:
            # several threads of boosting wait for one another, and on a busy machine nearly for ever
            with threadpool_limits(1):
                is_measured = deadline is not None and not is_hurried
                fitted.append(_examine(bench, name, fit, allowed=allowed, measured=is_measured))
        except Exception as error:  # whatever scikit-learn cannot do here, the network may still do
            if skipped is not None:
                skipped(f"no reference {name!r}: {str(error).strip().splitlines()[0]}")
    give_back()
    return tuple(fitted)


def _examine(bench: Bench, name: str, fit: Fit, *, allowed: float, measured: bool) -> FittedReference:
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model that has not converged is still a reference
        model, num_rows = fit(allowed, measured)
        seen = bench.train.first(min(num_rows, SCORED_TRAIN_ROWS))
        train_N = scores_of(model, *seen, kind=bench.kind, loss=bench.loss)
        scores_N = scores_of(
            model,
            bench.validation_x_NF,
            bench.validation_y_N,
            kind=bench.kind,
            loss=bench.loss,
            weight_N=bench.validation_weight_N,
        )
    record = Reference(
        name=name,
        train_score=float(train_N.mean()),
        validation_score=float(scores_N.mean()),
        num_rows=num_rows,
        seconds=time.monotonic() - start,
    )
    return FittedReference(
        record=record, validation_scores_N=scores_N, model=model, kind=bench.kind, loss=bench.loss
    )
