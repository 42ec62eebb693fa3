import pytest

from goodfit.evidence.verdict import Interval
from goodfit.report import wording


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.000"),
        (0.97449, "0.974"),
        (-0.5, "-0.500"),
        (9999.4, "9999.400"),
        (1e4, "1.00e+04"),
        (9.9e-4, "9.90e-04"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (None, "–"),
    ],
)
def test_numbers_keep_three_decimals_or_go_to_powers_of_ten(value, said):
    assert wording.number(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.85, "+0.850"), (-0.02, "−0.020"), (4e-4, "0.000"), (-4e-4, "0.000"), (6e-4, "+6.00e-04")],
)
def test_differences_carry_their_sign_and_never_a_signed_zero(value, said):
    assert wording.signed(value) == said


def test_an_effect_is_said_with_both_ends():
    interval = Interval(value=0.1, low=-0.05, high=0.25, level=0.95)
    assert wording.effect(interval) == "+0.100 (−0.050 to +0.250)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (3599.6, "1 h 0 min"), (None, "–")],
)
def test_time_spans_never_show_sixty_of_anything(seconds, said):
    assert wording.duration(seconds) == said


def test_counts_agree_with_their_noun():
    assert wording.count(1, "remedy", "remedies") == "1 remedy"
    assert wording.count(1_234_567, "row") == "1 234 567 rows"


def test_lists_say_how_many_they_leave_out():
    assert wording.listed("abc", most=3) == "a, b, c"
    assert wording.listed("abcde", most=2) == "a, b and 3 more"


def test_two_doses_of_a_remedy_find_their_own_verdicts(report):
    verdicts = tuple(
        report.make_verdict("lr-up", f"multiply the learning rate by {dose}", treated=treated)
        for dose, treated in (("10", 0.2), ("1", 0.3), ("100", 0.4))
    )
    run = report.make_run(verdicts=verdicts)
    found = [wording.verdict_of(report.make_arm(f"lr-up {dose}"), run).treated for dose in (1, 10, 100)]
    assert found == [0.3, 0.2, 0.4]


def test_the_same_remedy_in_two_rounds_finds_the_verdict_of_its_round(report):
    run = report.make_run()
    arm = report.make_arm("adam", round=2)
    assert wording.verdict_of(arm, run).round == 2
    assert wording.verdict_of(report.make_arm("as it is"), run) is None


@pytest.mark.parametrize(
    ("training", "testing", "said"),
    [
        (True, True, "A good fit"),
        (True, False, "Good on training data, not on testing data"),
        (False, False, "Not good on training data"),
        (False, True, "Not good on training data"),
    ],
)
def test_the_headline_never_calls_a_bad_training_a_good_fit(report, training, testing, said):
    run = report.make_run(good_on_training=training, good_on_testing=testing)
    assert wording.headline(run) == said
