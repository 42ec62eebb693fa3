"""goodfit runs the Recipe of Deep Learning: train, ask, treat, prove, report.

The public names are loaded when they are first used, so that reading a saved run never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goodfit.errors import GoodfitError
    from goodfit.interop.export import export
    from goodfit.interop.sklearn import GoodfitClassifier, GoodfitRegressor
    from goodfit.procedure.fit import fit
    from goodfit.procedure.fitted import Fitted
    from goodfit.report.notebook import card
    from goodfit.watch import watch

__all__ = [
    "Fitted",
    "GoodfitClassifier",
    "GoodfitError",
    "GoodfitRegressor",
    "card",
    "export",
    "fit",
    "watch",
]

_HOMES = {
    "Fitted": "goodfit.procedure.fitted",
    "GoodfitClassifier": "goodfit.interop.sklearn",
    "GoodfitError": "goodfit.errors",
    "GoodfitRegressor": "goodfit.interop.sklearn",
    "card": "goodfit.report.notebook",
    "export": "goodfit.interop.export",
    "fit": "goodfit.procedure.fit",
    "watch": "goodfit.watch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'goodfit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
