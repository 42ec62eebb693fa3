import pytest

from goodfit.cli import arguments
from goodfit.errors import BudgetError, PlanError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h", 3600),
        ("90", 90),
        ("2.5m", 150),
        (" 5M ", 300),
        ("5min", 300),
    ],
)
def test_time_spans_are_read(text, seconds):
    assert arguments.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "-3s", "0", "0s", "5 minutes", "1m1h", "1e3", "inf", "5ms", "m"])
def test_what_is_no_time_span_is_named(text):
    with pytest.raises(BudgetError) as caught:
        arguments.duration(text)
    assert repr(text) in caught.value.message
    assert "30s" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "layers"), [("128,64", (128, 64)), ("32x3", (32, 32, 32)), ("8x2, 4", (8, 8, 4)), ("1", (1,))]
)
def test_widths_are_read(text, layers):
    assert arguments.widths(text) == layers


@pytest.mark.parametrize("text", ["", "0", "64x0", "-4", "a", "64,", "64xx2", "6.5"])
def test_what_are_no_widths_is_named(text):
    with pytest.raises(PlanError) as caught:
        arguments.widths(text)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("accuracy=0.97", ("classes", 0.97)),
        ("r2=.9", ("numbers", 0.9)),
        ("0.5", (None, 0.5)),
        ("Accuracy=1", ("classes", 1.0)),
    ],
)
def test_targets_are_read(text, meaning):
    assert arguments.target_metric(text) == meaning


@pytest.mark.parametrize("text", ["f1=0.9", "=0.9", "accuracy=97", "accuracy=0", "accuracy=", "r2=nan"])
def test_what_is_no_target_is_refused(text):
    with pytest.raises(PlanError):
        arguments.target_metric(text)


def test_class_weights_are_read_and_refused():
    assert arguments.numbers("1, 2.5") == (1.0, 2.5)
    with pytest.raises(PlanError, match="'1,x'"):
        arguments.numbers("1,x")
