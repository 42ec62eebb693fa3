"""The door of scikit-learn: a classifier and a regressor that run the recipe inside ``fit``.

Shapes: N rows, D columns, O outputs.
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from goodfit.data.task import TaskKind
from goodfit.engine.losses import apply_link
from goodfit.errors import PlanError
from goodfit.interop.canonical import Weighted, canonical, counted
from goodfit.interop.few_rows import are_too_few, fit_as_it_is
from goodfit.interop.module_settings import WithModuleSettings
from goodfit.interop.sklearn_input import checked_pair, checked_rows, value_errors
from goodfit.nets.given import Given
from goodfit.procedure.fit import fit as run_recipe
from goodfit.procedure.fitted import ROWS_AT_ONCE, Predictor
from goodfit.procedure.run import Run
from goodfit.procedure.start import Wanted

USUAL_TRAININGS = 64
"""Networks that one ``fit`` may train: work is bounded, not time, so that equal seeds give equal numbers."""


class _Estimator(WithModuleSettings):
    """What classifier and regressor share: parameters, input checks, the call of the recipe."""

    task: ClassVar[TaskKind]
    predictor_: Predictor
    run_: Run | None

    def __init__(
        self,
        *,
        model: str | Callable[..., nn.Module] | None = None,
        module: Callable[..., nn.Module] | None = None,
        hidden: Sequence[int] | None = None,
        activation: str | None = None,
        rule: str | None = None,
        lr: float | None = None,
        loss: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        target_metric: float | None = None,
        budget: float | None = None,
        max_trainings: int | None = USUAL_TRAININGS,
        num_seeds: int | None = None,
        random_state: Any = 0,
        **module_settings: Any,
    ) -> None:
        self.model = model
        self.module = module
        self.hidden = hidden
        self.activation = activation
        self.rule = rule
        self.lr = lr
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.target_metric = target_metric
        self.budget = budget
        self.max_trainings = max_trainings
        self.num_seeds = num_seeds
        self.random_state = random_state
        self._take(module_settings)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.sparse = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "predictor_")

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "predictor_" in state:  # without the modules that it built from its weights, and can build again
            state["predictor_"] = copy.copy(self.predictor_)
            vars(state["predictor_"]).pop("modules", None)
        return state

    def _learn(self, given: Weighted) -> None:
        seed = self._seed()
        learnt = canonical(given, seed=seed)
        rows, targets = learnt.inputs, pd.Series(learnt.targets_N, name="target")
        said: dict[str, Any] = {
            "model": self._model(),
            "hidden": None if self.hidden is None else tuple(self.hidden),
            "activation": self.activation,
            "rule": self.rule,
            "lr": self.lr,
            "loss": self.loss,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
        }
        if are_too_few(len(rows)):
            what = "rows" if learnt is given else "different rows"
            warnings.warn(
                f"{len(rows)} {what} are too few to prove anything: the plan is trained as it is",
                stacklevel=3,
            )
            wanted = Wanted(**said)
            self.run_ = None
            self.predictor_ = fit_as_it_is(
                rows,
                targets,
                task=self.task,
                wanted=wanted,
                weight_N=learnt.weight_N,
                num_seeds=self.num_seeds,
                seed=seed,
            )
            return
        fitted = run_recipe(
            rows,
            targets,
            task=self.task,
            sample_weight=learnt.weight_N,
            **said,
            target_metric=self.target_metric,
            budget=self.budget,
            max_trainings=self.max_trainings,
            num_seeds=self.num_seeds,
            seed=seed,
            command=f"{type(self).__name__}().fit(X, y)",
        )
        self.run_, self.predictor_ = fitted.run, fitted.predictor

    def _model(self) -> str | Callable[..., nn.Module] | None:
        made = self._factory()
        if made is not None and self.model is not None:
            raise PlanError("model and module are both given", fix="give only one of them")
        return self.model if made is None else made

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _outputs(self, X: Any) -> np.ndarray:
        """Probabilities or standardised values, shape ``(N, O)``."""
        check_is_fitted(self)
        rows = checked_rows(self, X)
        with value_errors():
            x_ND, codes_NC = self.predictor_.preparation.transform(rows, inputs=self.predictor_.inputs)
        codes = None if codes_NC is None else torch.from_numpy(codes_NC)
        return _precise_outputs(self.predictor_, torch.from_numpy(x_ND), codes)


class GoodfitClassifier(ClassifierMixin, _Estimator):
    """A classifier of tables whose ``fit`` runs the recipe of deep learning.

    A fifth of the rows given to ``fit`` is sealed for the run's own test, so ``run_.test`` is an honest score
    even without cross-validation. Numbers, words, dates and missing cells are taken as they are; sparse input
    is refused. A row of weight 3 is three copies of it, and copies are one row of their summed weight: they
    never stand in training and in validation at once. Only where most inputs carry several targets, or all
    are words, as in a table of a few categories, are they rows of their own. With fewer than 20 rows nothing
    can be proven, and the plan is trained as it is, with a warning.

    Args:
        model: The user's own network, ``"FILE.py:FUNCTION"`` or a function of (inputs, outputs).
        module: Class of the user's own network, in place of ``model``; every further parameter
            ``module__NAME`` is one of its own, also in searches. It is given the sizes of the data if it
            has parameters called ``inputs`` and ``outputs``, or open ones before all others.
        hidden: Widths of the hidden layers, in place of ``model``.
        activation: Activation of the hidden layers.
        rule: Update rule.
        lr: Learning rate.
        loss: Loss.
        epochs: Passes over the training rows of every training.
        batch_size: Rows of a step.
        target_metric: Score that counts as good on both questions, in place of the references' bar.
        budget: Seconds allowed for one ``fit``. Time is never twice the same, so neither are the numbers;
            leave it out where they must be.
        max_trainings: Networks that one ``fit`` may train.
        num_seeds: Seeds of every arm; 8 by default, fewer if trainings are few.
        random_state: Root seed of everything random; ``None`` draws one.

    Attributes:
        classes_: The labels, sorted.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if all are text.
        run_: The record: questions, trials, prescription, sealed test; ``None`` for fewer than 20 rows.
        predictor_: The trained network with its preparation.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> classifier = GoodfitClassifier(max_trainings=4, num_seeds=2, epochs=20).fit(X, y)
        >>> classifier.run_.test.metric, classifier.predict_proba(X[:2]).shape
        ('accuracy', (2, 3))
    """

    task: ClassVar[TaskKind] = "classes"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GoodfitClassifier:
        """Run the recipe.

        Args:
            X: Rows, an array ``(N, D)`` or a frame.
            y: A label for each row.
            sample_weight: How often each row counts, at least 0; ``None`` counts each once.

        Raises:
            EstimatorError: The data cannot be learnt from; it is a ``ValueError`` too.
        """
        rows, y_N = checked_pair(self, X, y, is_number=False)
        check_classification_targets(y_N)
        with value_errors():
            given = counted(rows, y_N, sample_weight)
        self.classes_, codes_N = np.unique(given.targets_N, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}: give rows of at least 2 classes")
        with value_errors():
            self._learn(dataclasses.replace(given, targets_N=codes_N))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable label of each row, shape ``(N,)``."""
        outputs_NO = self._outputs(X)
        labels_N: np.ndarray = self.classes_[outputs_NO.argmax(axis=1)]
        return labels_N

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each label, in the order of ``classes_``, shape ``(N, O)``."""
        return self._outputs(X)


class GoodfitRegressor(RegressorMixin, _Estimator):
    """A regressor of tables whose ``fit`` runs the recipe of deep learning.

    Parameters and fitted attributes are those of :class:`GoodfitClassifier`, but for ``classes_``.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> GoodfitRegressor(max_trainings=2, num_seeds=1, epochs=3).fit(X, y).predict(X[:2]).shape
        (2,)
    """

    task: ClassVar[TaskKind] = "numbers"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GoodfitRegressor:
        """Run the recipe.

        Args:
            X: Rows, an array ``(N, D)`` or a frame.
            y: A number for each row.
            sample_weight: How often each row counts, at least 0; ``None`` counts each once.

        Raises:
            EstimatorError: The data cannot be learnt from; it is a ``ValueError`` too.
        """
        rows, y_N = checked_pair(self, X, y, is_number=True)
        with value_errors():
            self._learn(counted(rows, y_N, sample_weight))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the number of each row, in the units of ``y``, shape ``(N,)``."""
        outputs_NO = self._outputs(X)
        return self.predictor_.decoded(outputs_NO)


@torch.no_grad()
def _precise_outputs(predictor: Predictor, x_ND: Tensor, codes_NC: Tensor | None) -> np.ndarray:
    """Mean over members, in float64: scikit-learn asks for equal numbers whatever rows stand beside a row.

    A network that the user brought may insist on float32, and is run as it is.
    """
    modules, rows_ND = predictor.modules, x_ND
    if not isinstance(predictor.network, Given):
        modules, rows_ND = tuple(copy.deepcopy(module).double() for module in modules), x_ND.double()
    parts = []
    for start in range(0, len(rows_ND), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        codes = () if codes_NC is None else (codes_NC[rows],)
        members = [apply_link(module(rows_ND[rows], *codes), predictor.link) for module in modules]
        parts.append(torch.stack(members).mean(0))
    outputs_NO: np.ndarray = torch.cat(parts).numpy()
    return outputs_NO
