"""No remedy beyond the lecture is offered that has not passed its bar (``benchmarks/bar.py``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goodfit.recipe.order import RECIPE

RECORD = Path(__file__).parents[2] / "benchmarks" / "results" / "bar.json"
BEYOND = [remedy for remedy in RECIPE if remedy.source == "beyond"]


@pytest.fixture(scope="module")
def measured():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return {row["remedy"]: row for row in record["remedies"]}


@pytest.mark.parametrize("remedy", BEYOND, ids=lambda remedy: remedy.code)
def test_it_won_on_a_planted_illness_and_harmed_no_healthy_twin(remedy, measured):
    row = measured[remedy.code]
    assert row["question"] == remedy.question
    assert row["dose"] in remedy.doses
    assert 2 * row["wins"] > row["splits"]
    # a run asks about training first, and a twin's training is good: nothing for training is tried there
    assert row["harmed_twins"] == 0 or remedy.question == "training"
    assert row["passed"]


def test_nothing_is_on_record_that_is_not_offered(measured):
    assert set(measured) == {remedy.code for remedy in BEYOND}
