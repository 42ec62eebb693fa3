import re

import pytest

from goodfit.report.flow import BOX_LETTERS, flow_of


def test_a_cured_patient_passes_both_remedies_and_ends_at_the_test(patient):
    flow = flow_of(patient)
    assert flow.training.outcome == flow.testing.outcome == "yes"
    assert flow.training_remedies.visited
    assert flow.testing_remedies.visited
    assert flow.gave_up == ""
    assert flow.training.lines[0] == "0.112 → 0.957 → 0.990"
    assert flow.training_remedies.lines == ("5 tried in 2 rounds", "✓ relu +0.850", "✓ adam +0.031")


def test_a_healthy_network_never_comes_by_a_remedy(report):
    flow = flow_of(report.numbers_run())
    assert not flow.training_remedies.visited
    assert not flow.testing_remedies.visited
    assert flow.test.visited


def test_a_network_that_stays_bad_on_training_is_never_asked_about_testing(report):
    flow = flow_of(report.endless_run())
    assert flow.training.outcome == "no"
    assert not flow.testing.visited
    assert flow.gave_up == "training"


def test_an_answer_that_turns_bad_again_is_where_the_run_gave_up(report):
    answers = (
        report.make_answer(good=True),
        report.make_answer("testing"),
        report.make_answer(round=2),
    )
    assert flow_of(report.make_run(answers=answers)).gave_up == "training"


def test_a_run_without_answers_has_an_empty_chart(report):
    flow = flow_of(report.bare_run())
    assert not flow.training.visited
    assert not flow.test_follows


def test_the_path_is_said_in_words_too(patient):
    assert "round 1: good on training data? no, 0.112" in flow_of(patient).says
    assert flow_of(patient).says.endswith("Ended because both answers are yes.")


def test_every_line_fits_its_box(any_run):
    flow = flow_of(any_run)
    boxes = (flow.plan, flow.training, flow.testing, flow.training_remedies, flow.testing_remedies, flow.test)
    assert max(len(line) for box in boxes for line in box.lines) <= BOX_LETTERS


@pytest.mark.parametrize("rounds", [3, 9])
def test_many_answers_are_shortened_to_the_first_and_the_last(report, rounds):
    answers = tuple(report.make_answer(round=r, score=r / 10) for r in range(1, rounds + 1))
    line = flow_of(report.make_run(answers=answers)).training.lines[0]
    assert re.match(r"0\.100 → ", line)
    assert line.endswith(f"{rounds / 10:.3f}")
    assert ("…" in line) == (rounds > 4)
