"""What the best answer that ignores the inputs would cost, for each loss. Letters: N rows, T targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

TINY = 1e-12


def guess(function: str, targets: np.ndarray, *, is_class_index: bool) -> float | None:
    r"""Loss of the best constant answer.

    For classes it is the entropy of their shares, :math:`-\sum_k p_k \log p_k`; for squared error the
    variance; for absolute error the mean distance from the median.

    Args:
        function: Name of the loss in ``torch.nn.functional``.
        targets: Targets, rows first.
        is_class_index: Whether they are class numbers.

    Returns:
        The loss in the units of a mean over rows; ``None`` for losses without a known best constant.

    Example:
        >>> guess("mse_loss", np.array([0.0, 2.0]), is_class_index=False)
        1.0
    """
    if is_class_index:
        return _of_classes(targets) if function in ("cross_entropy", "nll_loss") else None
    compute = GUESSES.get(function)
    if compute is None or targets.size == 0:
        return None
    flat_NT = targets.reshape(len(targets), -1).astype(float)
    return float(compute(flat_NT)) if np.isfinite(flat_NT).all() else None


def _of_classes(targets: np.ndarray) -> float | None:
    known = targets[targets >= 0].ravel()
    if not known.size:
        return None
    share_C = np.bincount(known.astype(int)) / known.size
    return float(-(share_C * np.log(np.maximum(share_C, TINY))).sum())


def _of_distributions(y_NT: np.ndarray) -> float:
    share_T = np.maximum(y_NT.mean(0), TINY)
    return float(-(share_T * np.log(share_T)).sum())


def _of_probabilities(y_NT: np.ndarray) -> float:
    share_T = np.clip(y_NT.mean(0), TINY, 1 - TINY)
    return float(-(share_T * np.log(share_T) + (1 - share_T) * np.log(1 - share_T)).mean())


def _of_squares(y_NT: np.ndarray) -> float:
    return float(y_NT.var(0).mean())


def _of_distances(y_NT: np.ndarray) -> float:
    return float(np.abs(y_NT - np.median(y_NT, axis=0)).mean())


def _of_bent_squares(y_NT: np.ndarray) -> float:
    costs = []
    for centre_T in (y_NT.mean(0), np.median(y_NT, axis=0)):
        far_NT = np.abs(y_NT - centre_T)
        costs.append(np.where(far_NT < 1, far_NT**2 / 2, far_NT - 0.5).mean())
    return float(min(costs))


GUESSES: dict[str, Callable[[np.ndarray], float]] = {
    "cross_entropy": _of_distributions,
    "binary_cross_entropy": _of_probabilities,
    "binary_cross_entropy_with_logits": _of_probabilities,
    "mse_loss": _of_squares,
    "l1_loss": _of_distances,
    "smooth_l1_loss": _of_bent_squares,
    "huber_loss": _of_bent_squares,
}
