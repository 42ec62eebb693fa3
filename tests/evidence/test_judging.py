"""What an effect shows: corrected for how many were asked for, and beside what is a difference at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodfit.evidence.judging import holm, judge, smallest_effect
from goodfit.evidence.verdict import Interval


@given(st.lists(st.floats(0, 1), min_size=0, max_size=12))
def test_holm_is_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for i, p in enumerate(p_values):
        # a hypothesis falls at alpha when it and all smaller ones fall, each at alpha over those left
        below = sorted(range(len(p_values)), key=lambda j: (p_values[j], j))
        place = below.index(i)
        steps = [min(1.0, (len(p_values) - k) * p_values[below[k]]) for k in range(place + 1)]
        assert adjusted[i] == pytest.approx(max(steps))
        assert adjusted[i] >= p


def test_a_verdict_needs_a_small_p_value_and_takes_its_side_from_the_effect() -> None:
    def effect(value: float) -> Interval:
        return Interval(value=value, low=value - 0.1, high=value + 0.1, level=0.95)

    assert judge(effect(0.2), 0.01) == "helped"
    assert judge(effect(-0.2), 0.01) == "harmed"
    assert judge(effect(0.2), 0.06) == "not shown"
    assert judge(effect(0.2), 0.06, alpha=0.1) == "helped"
    assert judge(effect(0.2), float("nan")) == "not shown"
    assert judge(effect(0.2), 0.01, smallest=0.1) == "helped"
    for value in (0.1, -0.1, 0.0):
        assert judge(effect(value), 1e-9, smallest=0.1) == "not shown"


@pytest.mark.parametrize(
    ("control", "smallest"),
    [
        pytest.param(0.5, 5e-4, id="half of the rows are wrong"),
        pytest.param(0.998, 2e-6, id="few are"),
        pytest.param(-1.65, 1.65e-3, id="worse than the mean"),
        pytest.param(-2e-4, 2e-7, id="a metric in small units"),
        pytest.param(1.0, 0.0, id="nothing is wrong"),
    ],
)
def test_a_thousandth_of_an_error_is_nothing(control: float, smallest: float) -> None:
    assert smallest_effect(control) == pytest.approx(smallest)
