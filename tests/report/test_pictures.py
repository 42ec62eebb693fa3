import pytest

from goodfit.report.pictures import layer_panels, learning_panels


def pictures(panels):
    return [picture for panel in panels for picture in panel.pictures]


def test_every_arm_has_its_learning_curve(patient):
    titles = [picture.title for picture in pictures(learning_panels(patient))]
    treated = [title for title in titles if not title.endswith(": loss")]
    assert len(treated) == len(patient.arms)
    assert "use ReLU in the hidden layers" in treated
    assert "the model handed back: loss" in titles


def test_panels_follow_the_rounds(patient):
    assert [panel.title for panel in learning_panels(patient)] == [
        "Round 1, for training data",
        "Round 2, for training data",
        "Round 3, for testing data",
        "The final model",
    ]


def test_an_arm_carries_its_verdict(patient):
    outcomes = {picture.title: picture.outcome for picture in pictures(learning_panels(patient))}
    assert outcomes["use ReLU in the hidden layers"] == "kept"
    assert outcomes["multiply the learning rate by 10"] == "harmed"
    assert outcomes["update by Momentum at lr 0.1"] == "not-shown"
    assert outcomes["the plan as it is"] == ""


def test_seeds_that_diverged_are_counted(patient):
    notes = {picture.title: picture.note for picture in pictures(learning_panels(patient))}
    assert notes["multiply the learning rate by 10"].endswith("4 seeds diverged")
    assert "diverged" not in notes["use ReLU in the hidden layers"]


def test_the_control_lies_behind_every_treated_arm(patient):
    drawn = {picture.title: "var(--context)" in picture.svg for picture in pictures(learning_panels(patient))}
    assert drawn["use ReLU in the hidden layers"]
    assert drawn["update by Adam at lr 0.001"]
    assert not drawn["the plan as it is"]


def test_vanishing_gradients_are_named_with_their_size(patient):
    compared = layer_panels(patient)[0].pictures[0]
    assert compared.title == "Gradient norm"
    assert compared.note.startswith("came: 2.0")
    assert "e-08 first" in compared.note


def test_bounded_activations_show_saturation_and_others_show_zeros(patient):
    before, after = ([picture.title for picture in panel.pictures] for panel in layer_panels(patient)[1:])
    assert before[-1] == "Share saturated"
    assert after[-1] == "Share of zeros"


def test_a_run_without_arms_has_no_pictures(report):
    assert learning_panels(report.bare_run()) == ()
    assert layer_panels(report.bare_run()) == ()


@pytest.mark.parametrize("metric", ["accuracy", "r2"])
def test_a_diverged_arm_is_still_drawn(report, metric):
    run = report.make_run(metric=metric, arms=(report.make_arm("as it is", diverged=True),))
    assert len(pictures(learning_panels(run))) == 2
