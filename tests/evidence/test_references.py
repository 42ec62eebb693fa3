"""Reference models are real ones of scikit-learn, on generated and bundled data."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification

from goodfit.data.sources import load
from goodfit.data.split import Split
from goodfit.evidence.references import FittedReference, references


def by_name(fitted: tuple[FittedReference, ...]) -> dict[str, FittedReference]:
    return {reference.record.name: reference for reference in fitted}


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


def test_embedded_categories_are_used() -> None:
    stream = np.random.default_rng(0)
    city_N = stream.integers(120, size=3000)
    frame = pd.DataFrame({"city": [f"city {c}" for c in city_N], "noise": stream.normal(size=3000)})
    split = load(frame, np.where(city_N % 2 == 0, "even", "odd"))
    assert split.rows("train").codes_NC is not None
    fitted = by_name(references(split))
    assert fitted["gradient boosting"].record.validation_score > 0.9
    assert fitted["linear"].record.validation_score > fitted["majority"].record.validation_score + 0.1


def test_large_data_is_sampled_to_keep_to_the_time() -> None:
    x_ND, y_N = make_classification(24_000, 40, n_informative=12, n_classes=6, random_state=0)
    split = load(x_ND, y_N)
    start = time.monotonic()
    fitted = by_name(references(split, seconds=0.3))
    assert time.monotonic() - start < 3.0
    assert fitted["k nearest neighbours"].record.num_rows < len(split.rows("train"))
    assert fitted["gradient boosting"].record.validation_score > 0.3


def test_a_short_time_is_not_spent_on_measuring(cancer: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def measuring(*_: object) -> float:
        raise AssertionError("a price was measured")

    for name in ("_time_rows", "_time_asking", "_time_rounds"):
        monkeypatch.setattr(f"goodfit.evidence.references._Bench.{name}", measuring)
    told: list[str] = []
    fitted = references(cancer, seconds=0.02, measured=False, skipped=told.append)
    assert list(by_name(fitted)) == ["majority", "linear", "k nearest neighbours"]
    (why,) = told
    assert "gradient boosting" in why
    assert "rounds" in why
    assert "gradient boosting" in by_name(references(cancer, seconds=2.0, measured=False))


def test_a_reference_that_fails_is_skipped_with_a_reason() -> None:
    frame = pd.DataFrame({"day": np.arange(200), "x": np.random.default_rng(2).normal(size=200)})
    split = load(frame, np.where(frame["day"] < 150, "early", "late"), time="day")
    reasons: list[str] = []
    fitted = by_name(references(split, skipped=reasons.append))
    assert "linear" not in fitted
    assert "majority" in fitted
    assert any(reason.startswith("no reference 'linear'") and "class" in reason for reason in reasons)


def test_rare_classes_do_not_stop_boosting() -> None:
    stream = np.random.default_rng(1)
    x_ND = stream.normal(size=(1500, 4))
    y_N = np.select([x_ND[:, 0] > 2.3, x_ND[:, 1] > 2.3, x_ND[:, 2] > 1.5], ["a", "b", "c"], "d")
    fitted = by_name(references(load(x_ND, y_N)))
    assert fitted["gradient boosting"].record.validation_score > 0.97


def test_the_record_opens_without_torch_and_scikit_learn() -> None:
    code = (
        "import sys; from goodfit.evidence.references import Reference; "
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
