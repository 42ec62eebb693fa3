"""Metrics by name, from scikit-learn, for each kind of target; it is imported when one is measured."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

from goodfit.errors import PlanError


def _by_class(name: str, **options: Any) -> Callable[..., Any]:
    def measure(truth: np.ndarray, shares: np.ndarray) -> float:
        from sklearn import metrics

        chosen = (shares > 0.5).astype(int) if truth.ndim > 1 else shares.argmax(-1)
        return float(getattr(metrics, name)(truth.astype(int), chosen, **options))

    return measure


def _by_share(name: str) -> Callable[..., Any]:
    def measure(truth: np.ndarray, shares: np.ndarray) -> float:
        from sklearn import metrics

        if truth.ndim > 1:
            return float(metrics.roc_auc_score(truth, shares, average="macro"))
        if name == "log_loss":
            return float(metrics.log_loss(truth, shares, labels=range(shares.shape[1])))
        asked = shares[:, 1] if shares.shape[1] == 2 else shares
        return float(metrics.roc_auc_score(truth, asked, multi_class="ovr", average="macro"))

    return measure


def _by_number(name: str) -> Callable[..., Any]:
    def measure(truth: np.ndarray, values: np.ndarray) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(truth, values.reshape(truth.shape)))

    return measure


_USUAL = {"classes": "accuracy", "numbers": "r2", "labels": "label accuracy", "places": "place accuracy"}
_MACRO = {"average": "macro", "zero_division": 0}
_BY_KIND: dict[str, dict[str, tuple[Callable[..., Any], bool]]] = {
    "classes": {
        "balanced accuracy": (_by_class("balanced_accuracy_score"), False),
        "f1": (_by_class("f1_score", **_MACRO), False),
        "precision": (_by_class("precision_score", **_MACRO), False),
        "recall": (_by_class("recall_score", **_MACRO), False),
        "matthews": (_by_class("matthews_corrcoef"), False),
        "roc auc": (_by_share("roc_auc_score"), False),
        "log loss": (_by_share("log_loss"), True),
    },
    "labels": {
        "exact match": (_by_class("accuracy_score"), False),
        "f1": (_by_class("f1_score", **_MACRO), False),
        "roc auc": (_by_share("roc_auc_score"), False),
    },
    "places": {
        "iou": (_by_class("jaccard_score", **_MACRO), False),
        "f1": (_by_class("f1_score", **_MACRO), False),
        "balanced accuracy": (_by_class("balanced_accuracy_score"), False),
    },
    "numbers": {
        "mae": (_by_number("mean_absolute_error"), True),
        "mse": (_by_number("mean_squared_error"), True),
        "rmse": (_by_number("root_mean_squared_error"), True),
    },
}


def names_of(kind: str) -> tuple[str, ...]:
    """Name the metrics of a kind of target, the usual one first."""
    return (_USUAL[kind], *_BY_KIND[kind])


def metric_named(name: str, kind: str) -> tuple[Callable[..., Any], bool] | None:
    """Find a metric and whether less of it is better; ``None`` for the usual one.

    Raises:
        PlanError: There is none of that name for this kind of target.
    """
    word = name.lower().replace("_", " ").replace("-", " ").strip()
    if (word in (_USUAL[kind], "accuracy") and kind != "numbers") or word == _USUAL[kind]:
        return None
    if word in _BY_KIND[kind]:
        return _BY_KIND[kind][word]
    close = difflib.get_close_matches(word, names_of(kind), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise PlanError(
        f"there is no metric {name!r} for a target of {kind}",
        fix=f"{hint}use one of {', '.join(names_of(kind))}, or a metric of torchmetrics",
    )
