"""Scores of reference models, row by row: the usual ones, or those of the plan's own loss and metric.

Letters: N rows, F inputs of one row in a line, O outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from goodfit.evidence.shaped_references import Places
from goodfit.seeds import derive

if TYPE_CHECKING:
    from goodfit.data.split import Split
    from goodfit.engine.goodness.losses import Loss


def places_of(split: Split, loss: Loss | None) -> Places | None:
    """Make the model that sees one place at a time, where one input lies along the targets."""
    if split.task.kind != "places" or split.form is None or loss is None or loss.contract is None:
        return None
    shape = split.form.entries[0].shape
    if len(split.form.entries) > 1 or not Places.can_see(shape, split.task.shape):
        return None
    classes = loss.contract.num_classes
    return Places(
        shape=shape, places=split.task.shape, num_classes=classes, seed=derive(split.seed, "places") % 2**32
    )


def scores_of(
    model: Any,
    x_NF: np.ndarray,
    y_N: np.ndarray,
    *,
    kind: str,
    loss: Loss | None,
    weight_N: np.ndarray | None = None,
) -> np.ndarray:
    """Score each row; by the plan's own way where it has one, which knows no weights."""
    if weight_N is not None:
        return _weighted_scores(model.predict(x_NF), y_N, kind=kind, weight_N=weight_N)
    if loss is None:
        return _row_scores(model.predict(x_NF), y_N, kind=kind)
    import torch

    if kind == "classes":
        outputs_NO = np.zeros((len(x_NF), max(2, loss.num_outputs)), dtype=np.float32)
        outputs_NO[:, model.classes_.astype(int)] = model.predict_proba(x_NF)
    else:
        outputs_NO = model.predict(x_NF).astype(np.float32).reshape(len(x_NF), -1)
    scores_N = loss.score(torch.from_numpy(outputs_NO), torch.from_numpy(y_N), by_row=True)
    return scores_N.numpy().astype(float)


def _row_scores(predicted_N: np.ndarray, y_N: np.ndarray, *, kind: str) -> np.ndarray:
    if kind == "classes":
        return (predicted_N == y_N).astype(float)
    spread = max(float(np.var(y_N, dtype=float)), 1e-12)
    scores_N: np.ndarray = 1 - (predicted_N.astype(float) - y_N) ** 2 / spread
    return scores_N


def _weighted_scores(
    predicted_N: np.ndarray, y_N: np.ndarray, *, kind: str, weight_N: np.ndarray
) -> np.ndarray:
    import torch

    from goodfit.engine.goodness.predicted import row_scores

    truth_N, found_N = torch.from_numpy(y_N), torch.from_numpy(np.asarray(predicted_N, dtype=y_N.dtype))
    outputs_NO = found_N.unsqueeze(1)
    if kind == "classes":
        outputs_NO = torch.nn.functional.one_hot(found_N)
    scores_N = row_scores(outputs_NO, truth_N, kind=kind, weight=torch.from_numpy(weight_N))
    return scores_N.numpy().astype(float)
