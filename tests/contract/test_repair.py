"""What the record of repaired networks says of itself (``benchmarks/repair.py``)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORDS = sorted((BENCHMARKS / "results").glob("repair-*.json"))


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("repair_table", BENCHMARKS / "repair_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(*, sick=True, repaired=True, harmed=False, score=0.9, unchanged=0.1):
    told = {"score": score, "repaired": repaired, "harmed": harmed, "time ratio": 2.0}
    return {"sick": sick, "unchanged": unchanged, "methods": {"goodfit": told}}


def test_repairs_are_counted_over_the_sick_and_harm_over_all(table):
    rows = [row(), row(repaired=False, score=0.1), row(sick=False, repaired=True, harmed=True)]
    summary = table.summarise(rows, ["goodfit"])
    assert (summary["patients"], summary["not_sick"]) == (2, 1)
    assert (summary["repaired"], summary["harmed"]) == (1, 1)
    assert summary["mean_gain"] == pytest.approx(0.4)


def test_a_score_below_a_blind_guess_counts_as_one(table):
    summary = table.summarise([row(score=0.5, unchanged=-1000.0)], ["goodfit"])
    assert summary["mean_gain"] == pytest.approx(0.5)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_summary_on_record_is_that_of_its_rows(path, table):
    record = json.loads(path.read_text(encoding="utf-8"))
    names = list(record["rows"][0]["methods"])
    assert table.summarise(record["rows"], names) == record["summary"]
