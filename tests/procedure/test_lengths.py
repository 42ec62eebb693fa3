"""A learning curve is projected by the power law of its last half; trials are lengthened where it reaches."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from goodfit.procedure.lengths import STEEPEST, projected_score


def curve_of(errors, epochs=None):
    return SimpleNamespace(
        epochs=tuple(range(len(errors)) if epochs is None else epochs),
        train_score=tuple(None if error is None else 1 - error for error in errors),
    )


@pytest.mark.parametrize("power", [0.3, 1.0, 1.7])
def test_a_power_law_is_continued(power):
    epochs = np.arange(1, 9)
    history = curve_of(0.4 * epochs**-power, epochs)
    assert projected_score([history], epochs=40) == pytest.approx(1 - 0.4 * 40**-power)


def test_seeds_are_averaged():
    slow, fast = curve_of([0.9, 0.8, 0.8, 0.4, 0.4]), curve_of([0.9, 0.8, 0.4, 0.2, 0.1])
    both = projected_score([slow, fast], epochs=8)
    assert both == pytest.approx((1 - 0.2 + 1 - 0.025) / 2)


def test_no_error_is_expected_to_fall_faster_than_it_may():
    assert projected_score([curve_of([0.9, 0.9, 0.8, 0.4, 0.01])], epochs=8) == pytest.approx(
        1 - 0.01 / 2**STEEPEST
    )


@pytest.mark.parametrize(
    ("errors", "score"),
    [
        pytest.param([0.9, 0.9, 0.9], 0.1, id="stuck"),
        pytest.param([0.9, 0.2, 0.5], 0.5, id="falling back"),
        pytest.param([0.9, 0.5, 0.0], 1.0, id="perfect"),
        pytest.param([0.9, 0.5], 0.5, id="one epoch"),
        pytest.param([0.9, None, 0.5], 0.5, id="a middle that is no number"),
        pytest.param([0.9, 0.5, None], -np.inf, id="diverged"),
    ],
)
def test_what_tells_of_no_fall_is_projected_to_stay(errors, score):
    assert projected_score([curve_of(errors)], epochs=10) == pytest.approx(score)
