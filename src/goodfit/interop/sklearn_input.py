"""What scikit-learn asks of input and of errors, kept apart from the estimators.

Shapes: N rows, D columns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, check_X_y, validate_data

from goodfit.data.preparation import unnamed
from goodfit.errors import GoodfitError

FEWEST_ROWS = 2


class EstimatorError(GoodfitError, ValueError):
    """What goodfit refuses, as the ``ValueError`` that scikit-learn's tools expect of an estimator."""


@contextlib.contextmanager
def value_errors() -> Iterator[None]:
    """Raise every error of goodfit as an :class:`EstimatorError`, with the same words.

    Example:
        >>> with value_errors():
        ...     raise GoodfitError("lr is -1", fix="give a rate above 0")
        Traceback (most recent call last):
        ...
        goodfit.interop.sklearn_input.EstimatorError: lr is -1
        fix: give a rate above 0
    """
    try:
        yield
    except GoodfitError as error:
        raise EstimatorError(error.message, fix=error.fix) from error


def checked_pair(estimator: Any, X: Any, y: Any, *, is_number: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Check training rows and their targets as scikit-learn does, and note names and number of the columns.

    Args:
        estimator: Gets ``n_features_in_``, and ``feature_names_in_`` where columns have names.
        X: Rows; a frame stays as it is, for its columns may hold words.
        y: Targets.
        is_number: Whether targets are numbers.

    Returns:
        The rows as a frame, and the targets, shape ``(N,)``.

    Raises:
        ValueError: There are fewer than 2 rows, no columns, or as many targets as there are not rows.
        TypeError: The rows are sparse.
    """
    rules: dict[str, Any] = {
        "dtype": None,
        "ensure_all_finite": False,
        "ensure_min_samples": FEWEST_ROWS,
        "y_numeric": is_number,
    }
    X = _pandas(X)
    if not isinstance(X, pd.DataFrame) or y is None:
        checked, y_N = validate_data(estimator, X, y, **rules)
        return unnamed(checked), y_N
    validate_data(estimator, X, skip_check_array=True)
    # a frame of words and numbers would become an array of objects: only its shape is checked
    _, y_N = check_X_y(np.broadcast_to(0.0, X.shape), y, **rules)
    return X, y_N


def checked_rows(estimator: Any, X: Any) -> pd.DataFrame:
    """Check rows to predict against those of training.

    Raises:
        ValueError: They have other columns, or are no table.
        TypeError: They are sparse.
    """
    X = _pandas(X)
    if not isinstance(X, pd.DataFrame):
        return unnamed(validate_data(estimator, X, reset=False, dtype=None, ensure_all_finite=False))
    validate_data(estimator, X, reset=False, skip_check_array=True)
    check_array(np.broadcast_to(0.0, X.shape))
    return X


def _pandas(X: Any) -> Any:
    is_foreign = hasattr(X, "to_pandas") and hasattr(X, "columns")
    return X.to_pandas() if is_foreign else X
