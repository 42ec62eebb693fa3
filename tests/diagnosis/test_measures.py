"""Measures on histories whose numbers are known by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from goodfit.diagnosis import measures
from goodfit.engine.history import History

Trained = Callable[..., tuple[History, ...]]


@pytest.fixture
def history(trained: Trained) -> History:
    return trained()[0]


def with_loss(history: History, *loss: float | None) -> History:
    return dataclasses.replace(history, train_loss=loss, epochs=tuple(range(len(loss))))


def test_a_median_over_seeds_leaves_out_what_is_unknown(history: History) -> None:
    seeds = [dataclasses.replace(history, seed=seed) for seed in (1, 2, 9)]
    assert measures.over_seeds(seeds, lambda h: float(h.seed)) == 2
    assert measures.over_seeds(seeds, lambda h: math.nan if h.seed == 9 else float(h.seed)) == 1.5
    assert math.isnan(measures.over_seeds(seeds, lambda h: math.nan))


def test_the_gradient_ratio_is_by_root_mean_squares(trained: Trained) -> None:
    history = trained(widths=(32, 32), rule="adam", lr=2e-3)[0]
    first, *_, last = history.layers
    made = dataclasses.replace(
        history,
        layers=(
            dataclasses.replace(first, num_weights=100, gradient_norm=(10.0, 10.0)),
            first,
            dataclasses.replace(last, num_weights=4, gradient_norm=(1.0, 2.0)),
        ),
    )
    # (10 / 10) / (1 / 2) = 2 and (10 / 10) / (2 / 2) = 1
    assert measures.gradient_ratio(made) == 1.5


def test_two_layers_have_no_gradient_ratio(history: History) -> None:
    assert math.isnan(measures.gradient_ratio(history))


def test_movement_is_updates_times_steps(history: History) -> None:
    layer = dataclasses.replace(history.layers[0], update_ratio=(None, 0.01, 0.03))
    made = dataclasses.replace(history, layers=(layer,), epochs=(0, 1, 2), steps_per_epoch=10)
    assert measures.movement(made) == pytest.approx(0.02 * 20)


def test_falls_rises_and_growth_of_a_known_curve(history: History) -> None:
    made = with_loss(history, 4.0, 2.0, 1.0, 1.5, 1.0, 0.5, 1.0, 0.5)
    assert measures.growth(made) == 0.125
    assert measures.fall(made, 0.5) == pytest.approx((1.5 - 0.5) / 1.5)
    assert measures.late_fall(made) == pytest.approx((0.5 - 0.5) / 4)
    assert measures.rising_share(made) == pytest.approx(1 / 3)
    assert measures.jumps(made) == pytest.approx((0.5 / 3) / 4)


def test_a_diverged_training_grew_without_bound(history: History) -> None:
    made = dataclasses.replace(with_loss(history, 1.0, None), ending="diverged")
    assert measures.growth(made) == math.inf


def test_steadiness_is_the_spread_as_a_share_of_the_size(history: History) -> None:
    layer = dataclasses.replace(history.layers[0], output_std=(0.1, None), output_mean=(-0.3, None))
    assert measures.steadiness(layer) == pytest.approx(0.25)
    assert math.isnan(
        measures.steadiness(dataclasses.replace(layer, output_std=(None,), output_mean=(None,)))
    )
    assert measures.steadiness(dataclasses.replace(layer, output_std=(0.0,), output_mean=(0.0,))) == 0
