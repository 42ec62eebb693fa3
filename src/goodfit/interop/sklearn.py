"""The door of scikit-learn: a classifier and a regressor that run the recipe inside ``fit``.

Shapes: N rows, D columns, O outputs.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from goodfit.data.task import TaskKind
from goodfit.interop.canonical import counted
from goodfit.interop.estimator import RecipeEstimator
from goodfit.interop.sklearn_input import checked_pair, value_errors


class GoodfitClassifier(ClassifierMixin, RecipeEstimator):
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
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``, as for :func:`goodfit.fit`. Weights come back to the
            processor, and predictions are computed there.
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


class GoodfitRegressor(RegressorMixin, RecipeEstimator):
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
