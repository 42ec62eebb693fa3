"""Reference models are real ones of scikit-learn, on generated and bundled data."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from tests.evidence.conftest import by_name

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.evidence.references import FittedReference, references


@pytest.fixture(scope="module")
def cancer() -> Split:
    return load(*load_breast_cancer(return_X_y=True))


@pytest.fixture(scope="module")
def compared(cancer: Split) -> tuple[FittedReference, ...]:
    return references(cancer)


def test_classes_are_compared_with_four_references(compared: tuple[FittedReference, ...]) -> None:
    scores = {name: reference.record.validation_score for name, reference in by_name(compared).items()}
    assert list(scores) == ["majority", "linear", "k nearest neighbours", "gradient boosting"]
    assert scores["majority"] < 0.7
    assert min(scores["linear"], scores["gradient boosting"]) > 0.92


def test_neighbours_know_their_training_rows_by_heart(compared: tuple[FittedReference, ...]) -> None:
    assert by_name(compared)["k nearest neighbours"].record.train_score == 1.0


def test_a_score_is_the_mean_of_its_rows(cancer: Split, compared: tuple[FittedReference, ...]) -> None:
    validation = cancer.rows("validation")
    for reference in compared:
        assert len(reference.validation_scores_N) == len(validation)
        assert reference.validation_scores_N.mean() == pytest.approx(reference.record.validation_score)
        assert reference.score(validation) == pytest.approx(reference.record.validation_score)


def test_numbers_are_compared_by_r_squared() -> None:
    split = load(*load_diabetes(return_X_y=True))
    fitted = by_name(references(split))
    truth_N = split.rows("validation").y_N.numpy()
    linear = fitted["linear"]
    error_N = linear.predict(split.rows("validation")) - truth_N
    assert linear.record.validation_score == pytest.approx(1 - (error_N**2).mean() / truth_N.var(), rel=1e-5)
    assert -0.2 < fitted["mean"].record.validation_score <= 0 < linear.record.validation_score


def test_the_sealed_test_stays_sealed(cancer: Split, compared: tuple[FittedReference, ...]) -> None:
    assert cancer.openings == 0


def test_without_a_time_the_same_data_gives_the_same_numbers(
    cancer: Split, compared: tuple[FittedReference, ...]
) -> None:
    for first, second in zip(compared, references(cancer), strict=True):
        assert first.record.num_rows == second.record.num_rows
        np.testing.assert_array_equal(first.validation_scores_N, second.validation_scores_N)


def test_a_reference_that_fails_is_skipped_with_a_reason() -> None:
    frame = pd.DataFrame({"day": np.arange(200), "x": np.random.default_rng(2).normal(size=200)})
    split = load(frame, np.where(frame["day"] < 150, "early", "late"), time="day")
    reasons: list[str] = []
    fitted = by_name(references(split, skipped=reasons.append))
    assert "linear" not in fitted
    assert "majority" in fitted
    assert any(reason.startswith("no reference 'linear'") and "class" in reason for reason in reasons)


def test_the_record_opens_without_torch_and_scikit_learn() -> None:
    code = (
        "import sys; from goodfit.evidence.references import Reference; "
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
