"""Every finding has a planted illness and a healthy twin, and everything that is asked for has a finding."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from goodfit.diagnosis.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
# behind everything else: what is called profile there is not Python's
sys.path.append(str(ROOT / "benchmarks"))

import phrases  # noqa: E402 - found by the line above
from illnesses import PATIENTS, TWINS_OF_COMPARISON  # noqa: E402
from mistakes import MISTAKES  # noqa: E402
from twins import TWINS  # noqa: E402

CODES = [code for codes in phrases.PHRASES.values() for code in codes.split()]


def record(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_finding_has_a_phrase_a_planted_illness_and_a_twin(code):
    assert code in CODES
    assert phrases.planted_for(code)
    assert all(planted and twin for _, planted, twin in phrases.planted_for(code))


def test_no_phrase_is_without_a_finding_and_nothing_is_planted_for_nothing():
    assert set(CODES) <= set(CATALOGUE)
    planted = [*PATIENTS, *TWINS_OF_COMPARISON, *MISTAKES]
    assert {one.code for one in planted} <= set(CATALOGUE)


def test_comparisons_have_twins_of_their_own():
    compared = {patient.code for patient in PATIENTS if patient.by in ("trial", "experiment", "rows")}
    assert compared == {twin.code for twin in TWINS_OF_COMPARISON}


def test_the_docs_show_the_table_as_it_is():
    assert "\n".join(phrases.table()) in (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")


def test_every_planted_illness_was_measured_and_is_found():
    found, runs = Counter(), Counter()
    rows = {(row["code"], row["illness"]): row for row in record("diagnosis")["planted"]}
    assert set(rows) == {(patient.code, patient.illness) for patient in PATIENTS}
    for row in rows.values():
        found[row["code"]] += row["found"]
        runs[row["code"]] += row["of"]
    assert all(found[code] >= 0.95 * runs[code] for code in runs)


def test_every_planted_mistake_was_measured_and_is_found():
    found, runs, alarms = Counter(), Counter(), 0
    rows = {(row["code"], row["mistake"]): row for row in record("scripts")["rows"]}
    assert set(rows) == {(mistake.code, mistake.words) for mistake in MISTAKES}
    for row in rows.values():
        found[row["code"]] += row["found"]
        runs[row["code"]] += row["of"]
        alarms += sum(row["alarms"].values())
    assert all(found[code] >= 0.95 * runs[code] for code in runs)
    assert 150 * alarms <= sum(runs.values())


def test_healthy_networks_raise_one_alarm_in_150_runs_at_most():
    rows = record("diagnosis")["healthy"]
    assert {row["twin"] for row in rows} == {twin.name for twin in TWINS}
    assert 150 * sum(len(row["alarms"]) for row in rows) <= sum(row["runs"] for row in rows)
    assert not any(row["found"] for row in record("diagnosis")["comparisons"])
