"""How well a network answers, beside references that cost next to nothing.

The references are a ridge regression and the nearest neighbours, both in closed form and both judged on rows
left out of their own fit. Letters: N rows, D features, T targets, C classes, R directions, K neighbours,
M rows at a time.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from goodfit.watch.observation import Comparison

FEWEST_ROWS = 30
RIDGES = (0.01, 1.0, 100.0)
NEIGHBOURS = (1, 5, 15)
ROWS_AT_ONCE = 64
MOST_TARGETS = 16
LARGEST_Z = 10.0
"""Standardised inputs are cut here, so that one far value does not rule a straight line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """Targets as something to be scored against.

    Attributes:
        task: ``"classes"`` or ``"numbers"``.
        values_NT: One column for each class or number.
        is_single: Whether two classes are told by one output.
    """

    task: str
    values_NT: np.ndarray
    is_single: bool


def truth_of(targets: np.ndarray, *, num_outputs: int, is_class_index: bool) -> Truth | None:
    """Read targets as classes or numbers; ``None`` for what is neither, such as images.

    Args:
        targets: Targets, rows first.
        num_outputs: How many outputs a row has.
        is_class_index: Whether they are class numbers.
    """
    flat_NT = targets.reshape(len(targets), -1)
    if is_class_index:
        if flat_NT.shape[1] != 1 or num_outputs < 2 or flat_NT.min() < 0 or flat_NT.max() >= num_outputs:
            return None
        return Truth(
            task="classes", values_NT=np.eye(num_outputs)[flat_NT[:, 0].astype(int)], is_single=False
        )
    is_binary = bool(np.isin(flat_NT, (0.0, 1.0)).all())
    if flat_NT.shape[1] != num_outputs or num_outputs > MOST_TARGETS:
        return None
    if is_binary and num_outputs == 1:
        return Truth(task="classes", values_NT=np.hstack([1 - flat_NT, flat_NT]), is_single=True)
    if is_binary and num_outputs > 1 and (flat_NT.sum(1) == 1).all():
        return Truth(task="classes", values_NT=flat_NT, is_single=False)
    return Truth(task="numbers", values_NT=flat_NT.astype(float), is_single=False)


def compare(
    x_ND: np.ndarray,
    truth: Truth,
    *,
    network: tuple[float, int],
    validation: tuple[float, int] | None,
) -> Comparison | None:
    """Set a network's scores beside those of references on the same kind of rows.

    Args:
        x_ND: Inputs of distinct training rows.
        truth: Their targets.
        network: The network's score and the number of rows behind it.
        validation: The same without gradients.

    Returns:
        The comparison; ``None`` with too few rows or with targets that are all the same.
    """
    y_NT = truth.values_NT
    is_known = np.isfinite(x_ND).all(1) & np.isfinite(y_NT).all(1)
    x_ND, y_NT = x_ND[is_known], y_NT[is_known]
    if 1 < x_ND.shape[1] == y_NT.shape[1] and truth.task == "numbers":
        return None  # an autoencoder: copying is no feat
    if len(x_ND) < FEWEST_ROWS or network[1] < FEWEST_ROWS or not (y_NT.std(0) > 0).any():
        return None
    z_ND = _standardised(x_ND)
    return Comparison(
        task=truth.task,
        num_rows=len(x_ND),
        num_answers=network[1],
        network=network[0],
        validation=validation[0] if validation else None,
        num_validation=validation[1] if validation else 0,
        guess=float(y_NT.mean(0).max()) if truth.task == "classes" else 0.0,
        linear=linear_score(z_ND, y_NT, task=truth.task),
        neighbours=neighbours_score(z_ND, y_NT, task=truth.task),
    )


def score(answers_NT: np.ndarray, y_NT: np.ndarray, *, task: str) -> float:
    r"""Accuracy for classes, R squared for numbers, with sums over all rows and columns.

    .. math:: R^2 = 1 - \frac{\sum (y - \hat y)^2}{\sum (y - \bar y)^2}

    Example:
        >>> score(np.array([[0.9, 0.1], [0.4, 0.6]]), np.eye(2), task="classes")
        1.0
    """
    if task == "classes":
        return float((answers_NT.argmax(1) == y_NT.argmax(1)).mean())
    spread = ((y_NT - y_NT.mean(0)) ** 2).sum()
    return float(1 - ((y_NT - answers_NT) ** 2).sum() / spread) if spread > 0 else 0.0


def network_score(outputs: np.ndarray, truth: Truth, *, is_logit: bool) -> tuple[float, int] | None:
    """Score what a network answered; ``None`` if its answers do not fit the targets."""
    flat_NT = outputs.reshape(len(outputs), -1)
    if truth.is_single:
        if flat_NT.shape[1] != 1:
            return None
        flat_NT = flat_NT - (0.0 if is_logit else 0.5)
        flat_NT = np.hstack([-flat_NT, flat_NT])
    if flat_NT.shape != truth.values_NT.shape:
        return None
    finite_NT = np.nan_to_num(flat_NT, nan=0.0, posinf=1e30, neginf=-1e30)
    return score(finite_NT, truth.values_NT, task=truth.task), len(flat_NT)


def linear_score(z_ND: np.ndarray, y_NT: np.ndarray, *, task: str) -> float:
    r"""Score of a ridge regression on rows left out one at a time, the best of three strengths.

    .. math:: y_i - \hat y_{-i} = \frac{y_i - \hat y_i}{1 - h_{ii}}, \qquad
        H = U \, \mathrm{diag}\!\left(\frac{s^2}{s^2 + \lambda}\right) U^\top, \qquad [Z, 1] = U S V^\top
    """
    u_NR, square_R = _directions(np.hstack([z_ND, np.ones((len(z_ND), 1))]))
    centred_NT = y_NT - y_NT.mean(0)
    scores = []
    for ridge in RIDGES:
        kept_R = square_R / (square_R + ridge)
        rest_NT = centred_NT - u_NR @ (kept_R[:, None] * (u_NR.T @ centred_NT))
        leverage_N = (u_NR**2) @ kept_R
        left_out_NT = rest_NT / np.maximum(1 - leverage_N, 1e-6)[:, None]
        scores.append(score(y_NT - left_out_NT, y_NT, task=task))
    return max(scores)


def _directions(x_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors and squared singular values, by the smaller way."""
    if x_ND.shape[1] < len(x_ND):
        u_NR, s_R, _ = np.linalg.svd(x_ND, full_matrices=False)
        return u_NR, s_R**2
    square_N, u_NN = np.linalg.eigh(x_ND @ x_ND.T)
    return u_NN, np.maximum(square_N, 0.0)


def neighbours_score(z_ND: np.ndarray, y_NT: np.ndarray, *, task: str) -> float:
    """Score of the mean of the nearest other rows, the best of three numbers of neighbours."""
    parts = np.array_split(np.arange(len(z_ND)), -(-len(z_ND) // ROWS_AT_ONCE))
    nearest_NK = np.vstack([_nearest(z_ND, rows) for rows in parts])
    return max(
        score(y_NT[nearest_NK[:, :count]].mean(1), y_NT, task=task)
        for count in NEIGHBOURS
        if count < len(z_ND) // 2
    )


def _nearest(z_ND: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The nearest other rows of some rows, nearest first."""
    square_N = (z_ND**2).sum(1)
    distance_MN = square_N[rows][:, None] + square_N[None] - 2 * z_ND[rows] @ z_ND.T
    distance_MN[np.arange(len(rows)), rows] = np.inf
    return np.argsort(distance_MN, axis=1)[:, : max(NEIGHBOURS)]


def _standardised(x_ND: np.ndarray) -> np.ndarray:
    x_ND = x_ND.astype(float)
    std_D = x_ND.std(0)
    kept_D = std_D > 1e-12 * np.maximum(1.0, np.abs(x_ND).max(0))
    z_ND = (x_ND[:, kept_D] - x_ND[:, kept_D].mean(0)) / std_D[kept_D]
    return np.clip(z_ND, -LARGEST_Z, LARGEST_Z)
