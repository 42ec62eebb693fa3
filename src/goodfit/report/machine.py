"""A run as the one object that ``--json`` prints."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from goodfit.evidence.verdict import Verdict
from goodfit.procedure.run import Run
from goodfit.report.wording import not_kept


def to_object(run: Run, *, folder: str | Path) -> dict[str, Any]:
    """Select what another program wants to know.

    Args:
        run: The record.
        folder: Where the run lies.

    Returns:
        Plain values; every number is finite or ``None``.
    """
    test = run.test
    return _finite(
        {
            "good_on_training": run.good_on_training,
            "good_on_testing": run.good_on_testing,
            "test": test
            and {
                "metric": test.metric,
                "value": test.score.value,
                "low": test.score.low,
                "high": test.score.high,
                "num_rows": test.num_rows,
                "plan_as_it_was": test.plan_as_it_was,
                **dict(test.others),
            },
            "findings": [dataclasses.asdict(finding) for finding in run.findings],
            "prescription": [_flat(verdict) for verdict in run.prescription],
            "helped": [_flat(verdict) for verdict in not_kept(run, "helped")],
            "not_shown": [_flat(verdict) for verdict in not_kept(run, "not shown")],
            "harmed": [_flat(verdict) for verdict in not_kept(run, "harmed")],
            "untried": [{"remedy": name, "reason": reason} for name, reason in run.untried],
            "stopped_because": run.stopped_because,
            "run": str(folder),
            "seconds": run.seconds,
        }
    )


def to_json(run: Run, *, folder: str | Path) -> str:
    """Write :func:`to_object` as one line of strict JSON."""
    return json.dumps(to_object(run, folder=folder), allow_nan=False)


def _flat(verdict: Verdict) -> dict[str, Any]:
    values = dataclasses.asdict(verdict)
    effect = values.pop("effect")
    return {"remedy": values.pop("remedy"), "effect": effect.pop("value"), **effect, **values}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
