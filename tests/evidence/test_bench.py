"""How references are fitted into their time: what they see, and what they may cost."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, make_classification
from tests.evidence.conftest import by_name

from goodfit.data.sources import load
from goodfit.evidence.references import references


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


def test_a_short_time_is_not_spent_on_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    cancer = load(*load_breast_cancer(return_X_y=True))

    def measuring(*_: object) -> float:
        raise AssertionError("a price was measured")

    for name in ("_time_rows", "_time_asking", "_time_rounds"):
        monkeypatch.setattr(f"goodfit.evidence.bench.Bench.{name}", measuring)
    told: list[str] = []
    fitted = references(cancer, seconds=0.02, measured=False, skipped=told.append)
    assert list(by_name(fitted)) == ["majority", "linear", "k nearest neighbours"]
    (why,) = told
    assert "gradient boosting" in why
    assert "rounds" in why
    assert "gradient boosting" in by_name(references(cancer, seconds=2.0, measured=False))


def test_rare_classes_do_not_stop_boosting() -> None:
    stream = np.random.default_rng(1)
    x_ND = stream.normal(size=(1500, 4))
    y_N = np.select([x_ND[:, 0] > 2.3, x_ND[:, 1] > 2.3, x_ND[:, 2] > 1.5], ["a", "b", "c"], "d")
    fitted = by_name(references(load(x_ND, y_N)))
    assert fitted["gradient boosting"].record.validation_score > 0.97
