"""A prescription is applied remedy by remedy, travels as JSON, and refuses what it does not know."""

from __future__ import annotations

import json

import pytest
from tests.recipe.conftest import BARE

from goodfit.errors import PlanError
from goodfit.recipe.order import RECIPE
from goodfit.recipe.prescription import Prescription, prescription_of, read_prescription
from goodfit.recipe.remedy import Treatment

KNOWN = {remedy.code: remedy for remedy in RECIPE}
STEPS = (("relu", 0.0), ("adam", 5e-3), ("dropout", 0.25), ("ensemble", 0.0))


def test_it_does_what_its_remedies_do_one_after_the_other():
    (training,) = Prescription(steps=STEPS).remedies("training")
    treated = training.treat(BARE, 0.0)
    assert treated == KNOWN["adam"].treat(KNOWN["relu"].treat(BARE, 0.0), 5e-3)


def test_each_question_is_given_only_its_own_remedies():
    (testing,) = Prescription(steps=STEPS).remedies("testing")
    treated = testing.treat(BARE, 0.0)
    assert treated.dropout == 0.25
    assert treated.ensemble
    assert treated.network == BARE.network
    assert testing.question == "testing"
    assert Prescription(steps=STEPS[:2]).remedies("testing") == ()


def test_what_needs_no_training_alone_needs_none_together():
    (voting,) = Prescription(steps=(("ensemble", 0.0),)).remedies("testing")
    (both,) = Prescription(steps=STEPS).remedies("testing")
    assert not voting.trains
    assert both.trains


def test_a_prescription_that_was_prescribed_is_taken_along_in_its_parts():
    (training,) = Prescription(steps=STEPS).remedies("training")
    treatment = Treatment(remedy=training, dose=0.0, plan=BARE)
    again = prescription_of([treatment.steps, (("dropout", 0.5),)])
    assert again.steps == (*STEPS[:2], ("dropout", 0.5))


def test_it_is_read_back_as_it_was_written(tmp_path):
    (tmp_path / "prescription.json").write_text(Prescription(steps=STEPS).to_json())
    assert read_prescription(tmp_path).steps == STEPS
    assert read_prescription(tmp_path / "prescription.json").steps == STEPS
    written = json.loads(Prescription(steps=STEPS).to_json())["prescription"]
    assert written[1] == {"remedy": "adam", "dose": 5e-3, "sentence": "update by Adam at lr 0.005"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{}", "prescription"),
        ("not json", "no prescription"),
        ('{"prescription": [{"dose": 1}]}', "remedy"),
        ('{"prescription": [{"remedy": "relu", "dose": "much"}]}', "much"),
        ('{"prescription": [{"remedy": "relo"}]}', "relo"),
    ],
)
def test_what_is_no_prescription_is_refused_by_name(tmp_path, text, named):
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(PlanError, match=named):
        read_prescription(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"absent\.json"):
        read_prescription(tmp_path / "absent.json")


def test_a_near_miss_is_told():
    with pytest.raises(PlanError) as refused:
        Prescription(steps=(("drop-out", 0.1),))
    assert "did you mean 'dropout'?" in refused.value.fix


def test_what_cannot_be_applied_to_the_data_is_left_out():
    prescription = Prescription(steps=(("shift", 0.1), ("mixup", 0.2)))
    (whole,) = prescription.remedies("testing", without={"shift"})
    assert whole.parts == (("mixup", 0.2),)
    assert prescription.remedies("testing", without={"shift", "mixup"}) == ()
