"""Findings on testing data: planted illnesses, healthy twins, and the interval behind a gap."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from goodfit.diagnosis.testing import findings
from goodfit.engine.history import History, curve

Trained = Callable[..., tuple[History, ...]]


def names(histories: tuple[History, ...] | list[History]) -> list[str]:
    return [finding.name for finding in findings(histories)]


@pytest.fixture
def flat(trained: Trained) -> Callable[..., list[History]]:
    """Histories with given final scores, and validation losses that follow them."""
    template = trained()[0]

    def make(train: list[float], validation: list[float], **changes: object) -> list[History]:
        size = len(template.epochs)
        return [
            dataclasses.replace(
                template,
                seed=seed,
                train_score=curve([t] * size),
                validation_score=curve([v] * size),
                validation_loss=curve(np.linspace(1, 0.5, size)),
                **changes,  # type: ignore[arg-type]  # fields of History by name
            )
            for seed, (t, v) in enumerate(zip(train, validation, strict=True))
        ]

    return make


def test_noise_learnt_by_heart_is_overfitting_and_overtraining(trained: Trained) -> None:
    found = findings(trained(widths=(128, 128), rule="adam", lr=3e-3, data="noisy digits", epochs=40))
    assert [finding.name for finding in found] == ["overfitting", "overtraining"]
    assert found[0].evidence[0].value > 0.3
    assert found[1].evidence[0].epoch is not None
    assert found[1].evidence[0].epoch < 15
    assert {finding.question for finding in found} == {"testing"}
    assert found[0].remedies[:2] == ("ensemble", "dropout")  # a vote costs no training
    assert found[1].remedies[0] == "early-stopping"


def test_a_line_learnt_as_a_line_has_no_gap(trained: Trained) -> None:
    assert names(trained(data="line", widths=(16,), lr=0.05)) == ["no-gap"]


def test_a_short_training_of_digits_is_not_overfitted(trained: Trained) -> None:
    assert names(trained(epochs=6)) == []


def test_a_gap_within_chance_is_no_finding(flat: Callable[..., list[History]]) -> None:
    few = {"num_rows": 60, "num_validation_rows": 40}
    assert "overfitting" not in names(flat([0.97] * 3, [0.93] * 3, **few))
    many = {"num_rows": 6000, "num_validation_rows": 2000}
    assert "overfitting" in names(flat([0.97] * 3, [0.93] * 3, **many))


def test_seeds_that_disagree_widen_the_interval(flat: Callable[..., list[History]]) -> None:
    many = {"num_rows": 6000, "num_validation_rows": 2000}
    assert "overfitting" not in names(flat([0.97] * 3, [0.97, 0.85, 0.96], **many))


def test_a_small_gap_is_no_finding_however_certain(flat: Callable[..., list[History]]) -> None:
    assert "overfitting" not in names(flat([0.995] * 8, [0.98] * 8, num_rows=6000, num_validation_rows=2000))


def test_the_interval_of_a_gap_covers_it_in_simulation(flat: Callable[..., list[History]]) -> None:
    """With no gap at all, few histories show one."""
    stream = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        train = (stream.random((1, 500)) < 0.9).mean(1) + 0.005 * stream.normal(size=4)
        validation = (stream.random((1, 150)) < 0.9).mean(1) + 0.005 * stream.normal(size=4)
        histories = flat(list(train), list(validation), num_rows=500, num_validation_rows=150)
        alarms += "overfitting" in names(histories)
    # two-sided 5 %, of which half shows training above validation
    assert alarms / 200 <= 0.025 + 3 * (0.025 * 0.975 / 200) ** 0.5


def test_few_validation_rows_are_said(flat: Callable[..., list[History]]) -> None:
    assert "validation-too-small" in names(flat([0.8] * 3, [0.8] * 3, num_validation_rows=60))
    assert "validation-too-small" not in names(flat([0.8] * 3, [0.8] * 3, num_validation_rows=1000))


def test_r_squared_is_judged_by_its_own_spread(flat: Callable[..., list[History]]) -> None:
    rows = {"num_rows": 1000, "num_validation_rows": 300, "metric": "r2"}
    found = findings(flat([0.99] * 3, [0.8] * 3, **rows))
    assert "overfitting" in [finding.name for finding in found]
    assert "R squared" in found[0].message


def test_early_stopping_is_judged_by_the_weights_it_kept(trained: Trained) -> None:
    overtrained = trained(widths=(128, 128), rule="adam", lr=3e-3, data="noisy digits", epochs=40)
    stopped = [dataclasses.replace(history, ending="stopped early") for history in overtrained]
    assert names(overtrained) == ["overfitting", "overtraining"]
    assert "overtraining" not in names(stopped)
    assert "overfitting" not in names(stopped)


def test_a_history_without_scores_is_survived(trained: Trained) -> None:
    history = trained()[0]
    nothing = (None,) * len(history.epochs)
    assert findings([dataclasses.replace(history, validation_score=nothing)]) == ()
    blind = dataclasses.replace(history, validation_loss=nothing)
    assert "overtraining" not in names([blind])
