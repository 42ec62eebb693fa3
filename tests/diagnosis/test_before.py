"""Findings before training, on hand-made harness records."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from goodfit.diagnosis.before import findings
from goodfit.engine.history import Harness

HEALTHY = Harness(
    initial_loss=2.4,
    expected_loss=2.303,
    one_batch_rows=16,
    one_batch_score=1.0,
    one_batch_steps=200,
    input_std_min=0.03,
    input_std_max=1.0,
    input_abs_max=8.0,
    num_constant_inputs=0,
    num_nonfinite_inputs=0,
    num_repeated_rows=0,
    num_validation_rows=500,
    majority_share=0.2,
    sample_leak=0.0,
    unused_parameters=(),
)

ILL: dict[str, tuple[str, dict[str, Any]]] = {
    "confidently wrong": ("odd-initial-loss", {"initial_loss": 57.0}),
    "not a number": ("odd-initial-loss", {"initial_loss": None}),
    "one batch not learnt": ("one-batch-not-learnt", {"one_batch_score": 0.3}),
    "a constant input": ("constant-inputs", {"num_constant_inputs": 1}),
    "inputs in the hundreds": ("unscaled-inputs", {"input_std_max": 300.0}),
    "a column in millionths beside one in units": (
        "unscaled-inputs",
        {"input_std_max": 2.0, "input_std_min": 1e-6},
    ),
    "one far input": ("unscaled-inputs", {"input_abs_max": 1e5}),
    "a NaN": ("non-finite-inputs", {"num_nonfinite_inputs": 3}),
    "rows by heart": ("repeated-rows", {"num_repeated_rows": 40}),
    "one class": ("imbalanced-classes", {"majority_share": 0.97}),
    "a leak": ("sample-leak", {"sample_leak": 0.2}),
    "a layer never called": ("unused-parameters", {"unused_parameters": ("a.weight",) * 5}),
}


@pytest.mark.parametrize("illness", ILL)
def test_a_planted_illness_alone_is_found(illness: str) -> None:
    name, changes = ILL[illness]
    found = findings(dataclasses.replace(HEALTHY, **changes))
    assert [finding.name for finding in found] == [name]
    assert found[0].question == "harness"
    assert found[0].evidence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"initial_loss": 5.0},  # a He start on correlated inputs
        {"input_std_min": 1e-4},  # a rare indicator
        {"num_repeated_rows": 4},
        {"one_batch_score": None, "expected_loss": None, "majority_share": None, "sample_leak": None},
        {"input_std_min": None, "input_std_max": None, "input_abs_max": None},
    ],
)
def test_a_healthy_harness_raises_nothing(changes: dict[str, Any]) -> None:
    assert findings(dataclasses.replace(HEALTHY, **changes)) == ()


def test_many_repeated_rows_are_worse_than_some() -> None:
    (some,) = findings(dataclasses.replace(HEALTHY, num_repeated_rows=20))
    (many,) = findings(dataclasses.replace(HEALTHY, num_repeated_rows=200))
    assert (some.severity, many.severity) == ("info", "warning")


def test_findings_survive_strict_json() -> None:
    (found,) = findings(dataclasses.replace(HEALTHY, initial_loss=None))
    assert json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))["code"] == "GF001"


def test_a_message_names_three_parameters_at_most() -> None:
    names = tuple(f"layer{i}.weight" for i in range(9))
    (found,) = findings(dataclasses.replace(HEALTHY, unused_parameters=names))
    assert "layer0.weight, layer1.weight, layer2.weight and 6 more" in found.message
