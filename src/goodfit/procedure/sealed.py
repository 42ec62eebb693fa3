"""The one look at the sealed test rows.

Letters: N rows, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn import metrics

from goodfit.data.split import Rows, Split
from goodfit.engine.goodness.losses import Loss
from goodfit.evidence.bootstrap import bootstrap_interval
from goodfit.evidence.references import FittedReference
from goodfit.procedure.fitted import Predictor
from goodfit.procedure.run import TestResult


def open_sealed_test(
    split: Split,
    final: Predictor,
    *,
    untreated: Predictor,
    references: Sequence[FittedReference],
    loss: Loss,
) -> TestResult:
    """Open the sealed test rows once, and score everything on them.

    Args:
        split: The data.
        final: What is handed back.
        untreated: The plan as it came, trained.
        references: Reference models; they saw the scaled view.
        loss: That of the plan; it knows the metric.
    """
    opened = split.open_test(*{final.inputs, untreated.inputs, "scaled"})
    rows, plain = opened[final.inputs], opened["scaled"]
    final_NO = final.outputs(rows.x, rows.codes_NC)
    scores_N = _scores(final_NO, final, rows, split, loss)
    weight_N = None if rows.weight_N is None else rows.weight_N.numpy()
    return TestResult(
        metric=loss.metric,
        score=bootstrap_interval(
            scores_N, targets_N=_targets(rows, loss), weight_N=weight_N, seed=split.seed
        ),
        others=_in_users_units(final_NO, final, rows, split),
        num_rows=len(scores_N),
        openings=split.openings,
        references=tuple((r.record.name, r.score(plain)) for r in references),
        plan_as_it_was=_untreated_score(untreated, opened[untreated.inputs], split, loss),
    )


def _untreated_score(untreated: Predictor, rows: Rows, split: Split, loss: Loss) -> float:
    outputs_NO = untreated.outputs(rows.x, rows.codes_NC)
    return float(_scores(outputs_NO, untreated, rows, split, loss).mean())


def _scores(outputs_NO: np.ndarray, predictor: Predictor, rows: Rows, split: Split, loss: Loss) -> np.ndarray:
    if split.task.kind == "numbers" and not split.task.shape:
        # what a network that diverged says of a row is worth as much as the mean
        outputs_NO = np.nan_to_num(outputs_NO, nan=0.0)
        outputs_NO = split.task.encode(predictor.decoded(outputs_NO))[:, None]
    scores_N = loss.score(torch.from_numpy(outputs_NO), rows.y_N, by_row=True, weight=rows.weight_N)
    return scores_N.numpy().astype(float)


def _targets(rows: Rows, loss: Loss) -> np.ndarray | None:
    """Numbers to be predicted: with them R squared is resampled as the ratio it is.

    Weighted scores are linearised already.
    """
    is_ratio = loss.metric == "r2" and rows.y_N.dim() == 1 and rows.weight_N is None
    return rows.y_N.numpy().astype(float) if is_ratio else None


def _in_users_units(
    outputs_NO: np.ndarray, predictor: Predictor, rows: Rows, split: Split
) -> tuple[tuple[str, float], ...]:
    """Further metrics that people of the field ask for, by scikit-learn."""
    if split.task.shape or not np.isfinite(outputs_NO).all():
        return ()
    counted: dict[str, Any] = {"sample_weight": None if rows.weight_N is None else rows.weight_N.numpy()}
    if split.task.kind == "numbers":
        truth_N = split.task.decode(rows.y_N.numpy())
        value_N = predictor.decoded(outputs_NO)
        return (
            ("root mean squared error", float(metrics.root_mean_squared_error(truth_N, value_N, **counted))),
            ("mean absolute error", float(metrics.mean_absolute_error(truth_N, value_N, **counted))),
        )
    truth_N, chosen_N = rows.y_N.numpy(), outputs_NO.argmax(1)
    labels = list(range(outputs_NO.shape[1]))
    return (
        ("balanced accuracy", float(metrics.balanced_accuracy_score(truth_N, chosen_N, **counted))),
        ("log loss", float(metrics.log_loss(truth_N, outputs_NO, labels=labels, **counted))),
    )
