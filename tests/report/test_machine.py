import json

import pytest

from goodfit.report.machine import to_json, to_object

KEYS = [
    "good_on_training",
    "good_on_testing",
    "test",
    "findings",
    "prescription",
    "not_shown",
    "untried",
    "run",
    "seconds",
]


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def test_any_run_is_one_line_of_strict_json(any_run):
    text = to_json(any_run, folder="goodfit-run")
    values = json.loads(text, parse_constant=refuse)
    assert "\n" not in text
    assert set(KEYS) <= set(values)


def test_the_object_holds_the_answers_and_the_test(patient):
    values = to_object(patient, folder="some/run")
    assert values["good_on_training"] is True
    assert values["good_on_testing"] is True
    assert {name: values["test"][name] for name in ("metric", "value", "low", "high")} == {
        "metric": "accuracy",
        "value": 0.975,
        "low": 0.958,
        "high": 0.989,
    }
    assert values["run"] == "some/run"
    assert values["seconds"] == 71.4


def test_the_prescription_carries_flat_effects(patient):
    first = to_object(patient, folder="r")["prescription"][0]
    assert first["remedy"] == "relu"
    assert (first["effect"], first["low"], first["high"]) == (0.85, pytest.approx(0.84), pytest.approx(0.86))


def test_every_verdict_is_in_exactly_one_list(patient):
    values = to_object(patient, folder="r")
    lists = ("prescription", "helped", "not_shown", "harmed")
    assert sum(len(values[name]) for name in lists) == len(patient.verdicts)
    assert [verdict["remedy"] for verdict in values["helped"]] == ["adam"]


def test_an_unopened_test_is_null(report):
    assert to_object(report.bare_run(), folder="r")["test"] is None


def test_numbers_that_json_lacks_become_null(report):
    verdict = report.make_verdict(p_value=float("nan"), treated=float("-inf"), kept=True)
    values = to_object(report.make_run(verdicts=(verdict,)), folder="r")
    assert values["prescription"][0]["p_value"] is None
    assert values["prescription"][0]["treated"] is None
