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

from goodfit.errors import BudgetError
from goodfit.evidence.scored import places_of, scores_of
from goodfit.evidence.shaped_references import Places, shaped_models, wanted_outputs
from goodfit.seeds import derive, numpy_stream

if TYPE_CHECKING:
    from goodfit.data.split import Rows, Split
    from goodfit.engine.losses import Loss

SCORED_TRAIN_ROWS = 2000
"""Training rows on which a training score is measured; more would cost time and show nothing new."""
USUAL_SECONDS = 15.0
"""What all references may cost, by nominal prices, where no time was set."""
PROBE_ROWS = 500
MOST_ENTRIES = 4_000_000
"""Entries of the training matrix that boosting sees at most."""
MOST_LEVELS = 50
BOOSTING_ROUNDS = 100
FEWEST_ROUNDS = 10
"""Of boosting, where there is no time to measure: what fewer rounds reach is no reference."""


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
        predicted_N: np.ndarray = self.model.predict(_matrix(rows))
        return predicted_N

    def score(self, rows: Rows) -> float:
        """Score prepared rows, such as the sealed test part."""
        scores_N = scores_of(
            self.model,
            _matrix(rows),
            rows.y_N.numpy(),
            kind=self.kind,
            loss=self.loss,
            weight_N=_weights(rows),
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
    is_hurried = seconds is not None and not measured
    bench = _Bench.of(split, loss, is_hurried=is_hurried)
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
                fitted.append(bench.examine(name, fit, allowed=allowed, measured=is_measured))
        except Exception as error:  # whatever scikit-learn cannot do here, the network may still do
            if skipped is not None:
                skipped(f"no reference {name!r}: {str(error).strip().splitlines()[0]}")
    return tuple(fitted)


Fit = Callable[..., tuple[Any, int]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Bench:
    """The rows, shuffled once, so that the first rows are a sample; drawn by weight, where they have any.

    Nearest neighbours know no weights, but rows drawn by them are weighed for every model, and their plain
    training score is the weighted one.
    """

    x_NF: np.ndarray
    y_N: np.ndarray
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
    def of(cls, split: Split, loss: Loss | None, *, is_hurried: bool) -> _Bench:
        train, validation = split.rows("train"), split.rows("validation")
        stream = numpy_stream(split.seed, "references")
        order_N = stream.permutation(len(train))
        if train.weight_N is not None:
            order_N = _drawn_by_weight(train, start=stream.random())[order_N]
        return cls(
            x_NF=_matrix(train)[order_N],
            y_N=train.y_N.numpy()[order_N],
            validation_x_NF=_matrix(validation),
            validation_y_N=validation.y_N.numpy(),
            validation_weight_N=_weights(validation),
            num_codes=0 if train.codes_NC is None else train.codes_NC.shape[1],
            kind=split.task.kind,
            seed=derive(split.seed, "references") % 2**32,
            loss=loss if split.task.shape or (loss is not None and loss.scoring is not None) else None,
            places=places_of(split, loss),
            is_hurried=is_hurried,
        )

    def makers(self) -> tuple[tuple[str, Fit, float], ...]:
        """Name, fit, and share of the time."""
        if self.y_N.ndim > 1:
            return self._shaped_makers()
        simplest = "majority" if self.kind == "classes" else "mean"
        return (
            (simplest, self.fit_constant, 0.05),
            ("linear", self.fit_linear, 0.20),
            ("k nearest neighbours", self.fit_neighbours, 0.35),
            ("gradient boosting", self.fit_boosting, 0.40),
        )

    def examine(self, name: str, fit: Fit, *, allowed: float, measured: bool) -> FittedReference:
        start = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model that has not converged is still a reference
            model, num_rows = fit(allowed, measured)
            seen = slice(min(num_rows, SCORED_TRAIN_ROWS))
            train_N = self._scored(model, self.x_NF[seen], self.y_N[seen])
            scores_N = self._scored(
                model, self.validation_x_NF, self.validation_y_N, self.validation_weight_N
            )
        record = Reference(
            name=name,
            train_score=float(train_N.mean()),
            validation_score=float(scores_N.mean()),
            num_rows=num_rows,
            seconds=time.monotonic() - start,
        )
        return FittedReference(
            record=record, validation_scores_N=scores_N, model=model, kind=self.kind, loss=self.loss
        )

    def _scored(
        self, model: Any, x_NF: np.ndarray, y_N: np.ndarray, weight_N: np.ndarray | None = None
    ) -> np.ndarray:
        return scores_of(model, x_NF, y_N, kind=self.kind, loss=self.loss, weight_N=weight_N)

    def _shaped_makers(self) -> tuple[tuple[str, Fit, float], ...]:
        num_classes = self.places_classes
        outputs_NO = wanted_outputs(self.y_N, kind=self.kind, num_classes=num_classes)

        def fit(model: Any, rows: int) -> Fit:
            return lambda allowed, measured: (model.fit(self.x_NF[:rows], outputs_NO[:rows]), rows)

        models = shaped_models(
            kind=self.kind,
            num_rows=len(self.x_NF),
            num_outputs=outputs_NO.shape[1],
            places=self.places,
            seed=self.seed,
        )
        return tuple((name, fit(model, rows), 1 / len(models)) for name, model, rows in models)

    @property
    def places_classes(self) -> int:
        """Classes of a place; 1 where there are no places."""
        has_places = self.loss is not None and self.loss.contract is not None and self.kind == "places"
        return self.loss.contract.num_classes if has_places else 1  # type: ignore[union-attr]  # told above

    def fit_constant(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.dummy import DummyClassifier, DummyRegressor

        model = DummyClassifier() if self.kind == "classes" else DummyRegressor()
        return model.fit(self.x_NF, self.y_N), len(self.y_N)

    def fit_linear(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.linear_model import LogisticRegression, Ridge

        model = self._encoded(LogisticRegression(max_iter=100) if self.kind == "classes" else Ridge())
        nominal = 5e-8 * self.x_NF.shape[1] * self._num_classes
        row_price = self._time_rows(model) if measured else nominal
        return self._fit_within(model, rows=allowed / row_price)

    def fit_neighbours(self, allowed: float, measured: bool) -> tuple[Any, int]:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        kind = KNeighborsClassifier if self.kind == "classes" else KNeighborsRegressor
        model = self._encoded(kind(n_neighbors=min(5, len(self.y_N)), weights="distance"))
        num_asked = len(self.validation_y_N) + min(len(self.y_N), SCORED_TRAIN_ROWS)
        nominal = 5e-9 + 5e-11 * self.x_NF.shape[1]
        pair_price = self._time_asking(model) if measured else nominal
        return self._fit_within(model, rows=allowed / (pair_price * num_asked))

    def fit_boosting(self, allowed: float, measured: bool) -> tuple[Any, int]:
        start = time.monotonic()
        num_rows = int(min(len(self.y_N), max(PROBE_ROWS, MOST_ENTRIES // self.x_NF.shape[1])))
        price = self._time_rounds(num_rows) if measured else self._nominal_round(num_rows)
        spent = time.monotonic() - start if measured else 0.0
        affordable = (allowed - spent) / price
        if self.is_hurried and affordable < FEWEST_ROUNDS:
            raise BudgetError(
                f"there is time for {max(0, int(affordable))} rounds of it",
                fix=f"allow {FEWEST_ROUNDS * price:.2g} s for it",
            )
        rounds = int(np.clip(affordable, 2, BOOSTING_ROUNDS))
        return self._boosted(rounds).fit(self.x_NF[:num_rows], self.y_N[:num_rows]), num_rows

    @property
    def _num_classes(self) -> int:
        return int(self.y_N.max()) + 1 if self.kind == "classes" else 1

    def _fit_within(self, model: Any, *, rows: float) -> tuple[Any, int]:
        num_rows = int(min(len(self.y_N), max(PROBE_ROWS, rows)))
        return model.fit(self.x_NF[:num_rows], self.y_N[:num_rows]), num_rows

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
        model = self._boosted(2).fit(self.x_NF[:num_rows], self.y_N[:num_rows])
        middle = time.monotonic()
        model.predict(few)
        asking = (time.monotonic() - middle) * len(self.validation_x_NF) / len(few)
        return (middle - start + asking) / 2

    def _nominal_round(self, num_rows: int) -> float:
        width = self.x_NF.shape[1]
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
        codes = slice(self.x_NF.shape[1] - self.num_codes, None)
        return make_pipeline(ColumnTransformer([("codes", encoder, codes)], remainder="passthrough"), model)


def _matrix(rows: Rows) -> np.ndarray:
    x_NF: np.ndarray = rows.x.flatten(1).numpy()
    return x_NF if rows.codes_NC is None else np.hstack([x_NF, rows.codes_NC.numpy()])


def _weights(rows: Rows) -> np.ndarray | None:
    return None if rows.weight_N is None else rows.weight_N.numpy()


def _drawn_by_weight(rows: Rows, *, start: float) -> np.ndarray:
    """Places of as many rows as there are, each as often as it weighs."""
    import torch

    from goodfit.engine.weighting import drawn_by_weight

    assert rows.weight_N is not None
    places_N: np.ndarray = drawn_by_weight(rows.weight_N[None], torch.tensor([start]))[0].numpy()
    return places_N
