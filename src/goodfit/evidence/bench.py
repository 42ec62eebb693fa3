"""The rows that references learn from, and how each is fitted into the time it has.

Letters: N rows, F inputs of one row in a line (numbers first, then codes of categories), O outputs.
scikit-learn is imported when a model is built.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from goodfit.errors import BudgetError
from goodfit.evidence.lines import Lines, matrix_of, weights_of
from goodfit.evidence.scored import places_of
from goodfit.evidence.shaped_references import Places, shaped_models, wanted_outputs
from goodfit.seeds import derive, numpy_stream

if TYPE_CHECKING:
    from goodfit.data.split import Split
    from goodfit.engine.goodness.losses import Loss

SCORED_TRAIN_ROWS = 2000
"""Training rows on which a training score is measured; more would cost time and show nothing new."""
PROBE_ROWS = 500
MOST_ENTRIES = 4_000_000
"""Entries of the training matrix that boosting sees at most."""
MOST_LEVELS = 50
BOOSTING_ROUNDS = 100
FEWEST_ROUNDS = 10
"""Of boosting, where there is no time to measure: what fewer rounds reach is no reference."""

Fit = Callable[..., tuple[Any, int]]
"""Fits a model in the seconds allowed, by prices measured or nominal: the model, and the rows it saw."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What references learn from and are judged on, and how each is fitted.

    Attributes:
        train: The training rows.
        validation_x_NF: Inputs of the validation rows, with their targets and weights, if they have any.
        num_codes: How many of the inputs, the last ones, are codes of categories.
        kind: What is to be learnt, as in :class:`goodfit.data.task.Task`.
        seed: Of what models draw.
        loss: Scores in place of the usual way, where that does not do.
        places: The model that sees one place at a time, where inputs lie along the targets.
        is_hurried: Whether there is no time to measure prices.
    """

    train: Lines
    validation_x_NF: np.ndarray
    validation_y_N: np.ndarray
    validation_weight_N: np.ndarray | None
    num_codes: int
    kind: str
    seed: int
    loss: Loss | None
    places: Places | None
    is_hurried: bool

    @classmethod
    def of(cls, split: Split, loss: Loss | None, *, is_hurried: bool) -> Bench:
        """Take training and validation rows of a split; its sealed test part is not looked at."""
        train, validation = split.rows("train"), split.rows("validation")
        return cls(
            train=Lines.of(train, stream=numpy_stream(split.seed, "references")),
            validation_x_NF=matrix_of(validation),
            validation_y_N=validation.y_N.numpy(),
            validation_weight_N=weights_of(validation),
            num_codes=0 if train.codes_NC is None else train.codes_NC.shape[1],
            kind=split.task.kind,
            seed=derive(split.seed, "references") % 2**32,
            loss=loss if split.task.shape or (loss is not None and loss.scoring is not None) else None,
            places=places_of(split, loss),
            is_hurried=is_hurried,
        )

    def makers(self) -> tuple[tuple[str, Fit, float], ...]:
        """Tell each reference's name, how it is fitted, and its share of the time; the simplest first."""
        if self.train.y_N.ndim > 1:
            return self._shaped_makers()
        simplest = "majority" if self.kind == "classes" else "mean"
        return (
            (simplest, self._fit_constant, 0.05),
            ("linear", self._fit_linear, 0.20),
            ("k nearest neighbours", self._fit_neighbours, 0.35),
            ("gradient boosting", self._fit_boosting, 0.40),
        )

    def _shaped_makers(self) -> tuple[tuple[str, Fit, float], ...]:
        wanted = functools.partial(wanted_outputs, kind=self.kind, num_classes=self._classes_of_place)

        def fit(model: Any, rows: int) -> Fit:
            def fitted(allowed: float, measured: bool) -> tuple[Any, int]:
                x_NF, y_N = self.train.first(rows)
                return model.fit(x_NF, wanted(y_N)), rows

            return fitted

        models = shaped_models(
            kind=self.kind,
            num_rows=len(self.train),
            num_outputs=wanted(self.train.y_N[:1]).shape[1],
            places=self.places,
            seed=self.seed,
        )
        return tuple((name, fit(model, rows), 1 / len(models)) for name, model, rows in models)

    @property
    def _classes_of_place(self) -> int:
        """Classes of a place; 1 where there are no places."""
        has_places = self.loss is not None and self.loss.contract is not None and self.kind == "places"
        return self.loss.contract.num_classes if has_places else 1  # type: ignore[union-attr]  # told above

    def _fit_constant(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.dummy import DummyClassifier, DummyRegressor

        model = DummyClassifier() if self.kind == "classes" else DummyRegressor()
        return model.fit(self.train.x_NF, self.train.y_N[self.train.order_N]), len(self.train)

    def _fit_linear(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.linear_model import LogisticRegression, Ridge

        model = self._encoded(LogisticRegression(max_iter=100) if self.kind == "classes" else Ridge())
        nominal = 5e-8 * self.train.x_NF.shape[1] * self._num_classes
        row_price = self._time_rows(model) if measured else nominal
        return self._fit_within(model, rows=allowed / row_price)

    def _fit_neighbours(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        kind = KNeighborsClassifier if self.kind == "classes" else KNeighborsRegressor
        model = self._encoded(kind(n_neighbors=min(5, len(self.train)), weights="distance"))
        num_asked = len(self.validation_y_N) + min(len(self.train), SCORED_TRAIN_ROWS)
        nominal = 5e-9 + 5e-11 * self.train.x_NF.shape[1]
        pair_price = self._time_asking(model) if measured else nominal
        return self._fit_within(model, rows=allowed / (pair_price * num_asked))

    def _fit_boosting(self, allowed: float, measured: bool) -> tuple[Any, int]:
        start = time.monotonic()
        num_rows = int(min(len(self.train), max(PROBE_ROWS, MOST_ENTRIES // self.train.x_NF.shape[1])))
        price = self._time_rounds(num_rows) if measured else self._nominal_round(num_rows)
        spent = time.monotonic() - start if measured else 0.0
        affordable = (allowed - spent) / price
        if self.is_hurried and affordable < FEWEST_ROUNDS:
            raise BudgetError(
                f"there is time for {max(0, int(affordable))} rounds of it",
                fix=f"allow {FEWEST_ROUNDS * price:.2g} s for it",
            )
        rounds = int(np.clip(affordable, 2, BOOSTING_ROUNDS))
        return self._boosted(rounds).fit(*self.train.first(num_rows)), num_rows

    @property
    def _num_classes(self) -> int:
        return int(self.train.y_N.max()) + 1 if self.kind == "classes" else 1

    def _fit_within(self, model: Any, *, rows: float) -> tuple[Any, int]:
        num_rows = int(min(len(self.train), max(PROBE_ROWS, rows)))
        return model.fit(*self.train.first(num_rows)), num_rows

    def _time_rows(self, model: Any) -> float:
        start = time.monotonic()
        _, num_rows = self._fit_within(model, rows=PROBE_ROWS)
        return (time.monotonic() - start) / num_rows

    def _time_asking(self, model: Any) -> float:
        """Seconds to compare one row with one training row."""
        fitted, num_rows = self._fit_within(model, rows=4 * PROBE_ROWS)
        asked_NF = self.validation_x_NF[:PROBE_ROWS]
        start = time.monotonic()
        fitted.predict(asked_NF)
        return (time.monotonic() - start) / (num_rows * len(asked_NF))

    def _time_rounds(self, num_rows: int) -> float:
        """Seconds of one round of boosting, predictions for validation rows included."""
        few = self.validation_x_NF[: 4 * PROBE_ROWS]
        start = time.monotonic()
        model = self._boosted(2).fit(*self.train.first(num_rows))
        middle = time.monotonic()
        model.predict(few)
        asking = (time.monotonic() - middle) * len(self.validation_x_NF) / len(few)
        return (middle - start + asking) / 2

    def _nominal_round(self, num_rows: int) -> float:
        width = self.train.x_NF.shape[1]
        trees = self._num_classes if self._num_classes > 2 else 1
        return trees * (6e-5 * width + 1e-8 * num_rows * width + 1e-7 * len(self.validation_y_N))

    def _boosted(self, rounds: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if self.kind == "classes" else HistGradientBoostingRegressor
        model = kind(
            max_iter=rounds,
            learning_rate=min(0.3, 10 / rounds),  # fewer rounds take longer strides
            l2_regularization=1.0,  # without it rare classes make it fall apart
            early_stopping=False,
            categorical_features=list(range(self.num_codes)) or None,
            random_state=self.seed,
        )
        return self._encoded(model, ordinal=True)

    def _encoded(self, model: Any, *, ordinal: bool = False) -> Any:
        """Put a reading of the codes before a model: indicators, or numbered levels that come first."""
        if not self.num_codes:
            return model
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

        encoder = (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250)
            if ordinal
            else OneHotEncoder(
                handle_unknown="infrequent_if_exist", max_categories=MOST_LEVELS, sparse_output=False
            )
        )
        codes = slice(self.train.x_NF.shape[1] - self.num_codes, None)
        return make_pipeline(ColumnTransformer([("codes", encoder, codes)], remainder="passthrough"), model)
