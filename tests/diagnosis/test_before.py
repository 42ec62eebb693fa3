"""Findings before training, on hand-made harness records."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from goodfit.diagnosis.before import findings
from goodfit.engine.history import Association, Harness

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
    num_train_rows=1500,
    target_order=0.02,
    input_signal=Association(value=0.9, error=0.01, num_rows=1000),
    parts_apart=Association(value=0.51, error=0.02, num_rows=1000),
    batch_size=32,
    initial_scales=(("layers.0", 0.58), ("layers.1", 1.41)),
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
    "softmax before cross-entropy": ("probabilities-into-loss", {"output_operation": "softmax"}),
    "softmax over one unit": (
        "lone-class",
        {"output_operation": "softmax", "num_outputs": 1, "expected_loss": None},
    ),
    "ReLU before targets of both signs": (
        "targets-out-of-reach",
        {"output_operation": "relu", "share_out_of_reach": 0.5, "majority_share": None},
    ),
    "one row a step": ("lone-rows", {"batch_size": 1, "has_batch_norm": True}),
    "rows twice": ("repeated-inputs", {"num_train_repeats": 600}),
    "rows in the order of their targets": ("sorted-targets", {"target_order": 0.97}),
    "units at zero": ("twin-units", {"twin_layers": ("layers.0",)}),
    "weights of deviation 1": ("odd-weights", {"initial_scales": (("layers.0", 8.0),)}),
    "weights at next to nothing": ("odd-weights", {"initial_scales": (("layers.0", 1e-3),)}),
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
        {"batch_size": 1},
        {"has_batch_norm": True, "is_normalised": True},
        {"num_train_repeats": 200},
        {"target_order": 0.3},
        {"target_order": 0.9, "num_train_rows": 40},  # too few to be in an order
        {"initial_scales": (("layers.0", 8.0),), "is_normalised": True},
        {"one_batch_score": None, "expected_loss": None, "majority_share": None, "sample_leak": None},
        {"input_std_min": None, "input_std_max": None, "input_abs_max": None},
    ],
)
def test_a_healthy_harness_raises_nothing(changes: dict[str, Any]) -> None:
    assert findings(dataclasses.replace(HEALTHY, **changes)) == ()


def severity_of_repetition(**changes: Any) -> str:
    (found,) = findings(dataclasses.replace(HEALTHY, **changes))
    assert found.code == "GF006"
    return found.severity


def test_more_repetition_than_training_rows_have_is_a_leak() -> None:
    assert severity_of_repetition(num_repeated_rows=20, num_train_repeats=0) == "warning"
    assert severity_of_repetition(num_repeated_rows=20, num_train_repeats=60) == "info"


def test_coarse_columns_repeat_by_chance() -> None:
    """Titanic as it is split: rows repeat in training as in validation, and some contradict each other."""
    titanic = {
        "num_repeated_rows": 34,
        "num_validation_rows": 178,
        "num_repeats_alike": 32,
        "num_train_rows": 535,
        "num_train_repeats": 83,
        "num_contradictions": 14,
    }
    assert severity_of_repetition(**titanic) == "info"


def test_many_copies_with_their_targets_are_a_leak_even_where_training_repeats() -> None:
    found = findings(
        dataclasses.replace(HEALTHY, num_repeated_rows=160, num_repeats_alike=160, num_train_repeats=480)
    )
    assert found[0].severity == "warning"


def test_a_record_that_knows_no_repetition_of_training_is_judged_by_the_share() -> None:
    old = {"num_train_rows": 0}
    assert severity_of_repetition(num_repeated_rows=20, **old) == "info"
    assert severity_of_repetition(num_repeated_rows=200, **old) == "warning"


def test_findings_survive_strict_json() -> None:
    (found,) = findings(dataclasses.replace(HEALTHY, initial_loss=None))
    assert json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))["code"] == "GF001"


def test_a_message_names_three_parameters_at_most() -> None:
    names = tuple(f"layer{i}.weight" for i in range(9))
    (found,) = findings(dataclasses.replace(HEALTHY, unused_parameters=names))
    assert "layer0.weight, layer1.weight, layer2.weight and 6 more" in found.message
