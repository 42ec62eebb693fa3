"""Shifted parts and unrelated targets, judged from records made by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from tests.diagnosis.test_before import HEALTHY

from goodfit.diagnosis.rows import shifted_validation, unrelated_targets
from goodfit.engine.history import Association, Harness, History

Trained = Callable[..., tuple[History, ...]]


def with_parts(value: float, error: float = 0.02) -> Harness:
    found = Association(value=value, error=error, num_rows=600)
    return dataclasses.replace(HEALTHY, parts_apart=found)


@pytest.mark.parametrize(("value", "severity"), [(0.7, "info"), (0.9, "warning")])
def test_parts_that_can_be_told_apart_are_shifted(value: float, severity: str) -> None:
    found = shifted_validation(with_parts(value))
    assert found is not None
    assert (found.code, found.severity, found.question) == ("GF206", severity, "testing")


@pytest.mark.parametrize(("value", "error"), [(0.5, 0.02), (0.44, 0.02), (0.64, 0.02), (0.75, 0.06)])
def test_parts_alike_within_the_interval_are_not(value: float, error: float) -> None:
    assert shifted_validation(with_parts(value, error)) is None
    assert shifted_validation(dataclasses.replace(HEALTHY, parts_apart=None)) is None


@pytest.fixture
def blind(trained: Trained) -> list[History]:
    """A network that is no better than a guess on validation rows, though it learnt its training rows."""
    template = trained()[0]
    guess = (0.1,) * len(template.epochs)
    return [dataclasses.replace(template, seed=seed, validation_score=guess) for seed in range(3)]


def shuffled(value: float = 0.51, error: float = 0.015) -> Harness:
    return dataclasses.replace(
        HEALTHY, majority_share=0.11, input_signal=Association(value=value, error=error, num_rows=1000)
    )


def test_targets_that_nothing_tells_are_unrelated(blind: list[History]) -> None:
    found = unrelated_targets(shuffled(), blind)
    assert found is not None
    assert (found.code, found.name) == ("GF029", "unrelated-targets")


def test_a_network_that_tells_them_is_believed(trained: Trained) -> None:
    """Trees are blind to some relations, such as the place of a pattern in a sequence."""
    assert unrelated_targets(shuffled(), trained()) is None


@pytest.mark.parametrize("harness", [shuffled(0.7), shuffled(0.5, 0.05), HEALTHY])
def test_trees_that_tell_them_or_may_are_believed(harness: Harness, blind: list[History]) -> None:
    assert unrelated_targets(harness, blind) is None


def test_what_was_not_measured_is_not_judged(blind: list[History]) -> None:
    assert unrelated_targets(dataclasses.replace(HEALTHY, input_signal=None), blind) is None
    assert unrelated_targets(shuffled(), []) is None
