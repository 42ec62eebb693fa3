"""Whether inputs tell targets, and whether they tell the parts apart: by trees, on rows left out of the bag.

Accuracy is blind where one class is frequent; ranks are not, so everything here is an area under the ROC
curve. scikit-learn is imported when it is needed.

Letters: N rows, F inputs of one row in a line, C classes.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from goodfit.data.split import Rows
from goodfit.engine.history import Association
from goodfit.seeds import derive, numpy_stream

MOST_ROWS = 1000
FEWEST_ROWS = 50
"""Of a part; fewer rows cannot tell chance from anything."""
FEWEST_OF_CLASS = 10
NUM_TREES = 60
NUM_SHUFFLES = 100
LEAF = 5


def input_signal(train: Rows, *, kind: str, seed: int) -> Association | None:
    """Measure how well trees tell the targets of training rows that they have not seen.

    Args:
        train: The training rows; a thousand of them are looked at.
        kind: ``"classes"`` or ``"numbers"``.
        seed: The root seed.

    Returns:
        For classes the mean over those with ten rows or more, each against the rest; ``None`` where there
        are too few rows to tell.
    """
    rows_N = _sample(len(train), seed)
    x_NF, y_N = matrix(train)[rows_N], train.y_N.numpy()[rows_N]
    if y_N.ndim > 1 or len(y_N) < FEWEST_ROWS or not np.isfinite(x_NF).all():
        return None
    if kind == "numbers":
        return _rank_correlation(_out_of_bag(x_NF, y_N, kind=kind, seed=seed)[:, 0], y_N)
    classes_C, count_C = np.unique(y_N, return_counts=True)
    chosen = [c for c, count in enumerate(count_C) if FEWEST_OF_CLASS <= count <= len(y_N) - FEWEST_OF_CLASS]
    if not chosen:
        return None
    rank_NC = stats.rankdata(_out_of_bag(x_NF, y_N, kind=kind, seed=seed)[:, chosen], axis=0)
    is_one_NC = y_N[:, None] == classes_C[chosen]
    # classes share their rows, so the error of their mean is that of targets that are shuffled
    stream = numpy_stream(seed, "shuffled targets")
    by_chance = [_mean_area(rank_NC, is_one_NC[stream.permutation(len(y_N))]) for _ in range(NUM_SHUFFLES)]
    return Association(
        value=_mean_area(rank_NC, is_one_NC), error=float(np.std(by_chance)), num_rows=len(y_N)
    )


def parts_apart(train: Rows, validation: Rows, *, seed: int) -> Association | None:
    """Measure how well trees tell validation rows from training rows by their inputs.

    As many rows of each part are looked at, a thousand at most. Rows that repeat others are left out: they
    would be known by their copies.

    Returns:
        0.5 where both come from one source; ``None`` where there are too few rows to tell.
    """
    size = min(len(train), len(validation), MOST_ROWS)
    x_NF = np.concatenate([matrix(part)[_sample(len(part), seed, most=size)] for part in (train, validation)])
    is_later_N = np.repeat([False, True], size)
    _, first_N = np.unique(x_NF, axis=0, return_index=True)
    x_NF, is_later_N = x_NF[np.sort(first_N)], is_later_N[np.sort(first_N)]
    fewest = min(int(is_later_N.sum()), int((~is_later_N).sum()))
    if fewest < FEWEST_ROWS or not np.isfinite(x_NF).all():
        return None
    return _area(_out_of_bag(x_NF, is_later_N, kind="classes", seed=seed)[:, 1], is_later_N)


def matrix(rows: Rows) -> np.ndarray:
    """Put numbers and codes of each row into one line."""
    x_NF: np.ndarray = rows.x.flatten(1).numpy()
    return x_NF if rows.codes_NC is None else np.hstack([x_NF, rows.codes_NC.numpy()])


def _sample(num_rows: int, seed: int, *, most: int = MOST_ROWS) -> np.ndarray:
    return np.sort(numpy_stream(seed, "relations").permutation(num_rows)[:most])


def _out_of_bag(x_NF: np.ndarray, y_N: np.ndarray, *, kind: str, seed: int) -> np.ndarray:
    """Predict each row by the trees that have not seen it; a row that all trees have seen is a mean row."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    settings = {
        "n_estimators": NUM_TREES,
        "min_samples_leaf": LEAF,
        "bootstrap": True,
        "oob_score": True,
        "random_state": derive(seed, "relations") % 2**32,
    }
    with threadpool_limits(1):
        if kind == "numbers":
            found_NC = ExtraTreesRegressor(**settings).fit(x_NF, y_N).oob_prediction_[:, None]
        else:
            found_NC = ExtraTreesClassifier(**settings).fit(x_NF, y_N).oob_decision_function_
    mean_C = np.nanmean(found_NC, axis=0)
    return np.where(np.isnan(found_NC), mean_C, found_NC)


def _area(score_N: np.ndarray, is_one_N: np.ndarray) -> Association:
    """Area under the ROC curve, its error after Hanley & McNeil (Radiology 143, 1982)."""
    num_ones, num_zeros = int(is_one_N.sum()), int((~is_one_N).sum())
    rank_N = stats.rankdata(score_N)
    area = (rank_N[is_one_N].sum() - num_ones * (num_ones + 1) / 2) / (num_ones * num_zeros)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (num_ones - 1) * (q1 - area**2) + (num_zeros - 1) * (q2 - area**2)
    error = math.sqrt(max(variance, 0.0) / (num_ones * num_zeros))
    return Association(value=float(area), error=error, num_rows=len(score_N))


def _mean_area(rank_NC: np.ndarray, is_one_NC: np.ndarray) -> float:
    """Mean over classes of the area under the curve of each against the rest."""
    num_C = is_one_NC.sum(0)
    sum_C = (rank_NC * is_one_NC).sum(0) - num_C * (num_C + 1) / 2
    return float((sum_C / (num_C * (len(rank_NC) - num_C))).mean())


def _rank_correlation(predicted_N: np.ndarray, y_N: np.ndarray) -> Association | None:
    if np.ptp(predicted_N) == 0 or np.ptp(y_N) == 0:
        return None
    rho = float(stats.spearmanr(predicted_N, y_N).statistic)
    # half of the error of a correlation of ranks, Bonett & Wright (Psychometrika 65, 2000)
    error = 0.5 * math.sqrt((1 + rho**2 / 2) / (len(y_N) - 3)) * (1 - rho**2)
    return Association(value=(1 + rho) / 2, error=error, num_rows=len(y_N))
