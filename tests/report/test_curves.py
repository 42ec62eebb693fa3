import dataclasses

import numpy as np
import pytest

from goodfit.report.curves import MOST_POINTS, band, layer_grid, thinned


def with_scores(history, epochs, scores):
    return dataclasses.replace(history, epochs=tuple(epochs), train_score=tuple(scores))


@pytest.fixture
def history(report):
    return report.make_history("as it is")


def test_a_band_is_the_mean_and_the_range_over_seeds(history):
    seeds = [with_scores(history, (0, 1), (0.1, 0.4)), with_scores(history, (0, 1), (0.3, 0.8))]
    line = band(seeds, "train_score")
    np.testing.assert_allclose(line.mean_E, [0.2, 0.6])
    np.testing.assert_allclose(line.low_E, [0.1, 0.4])
    np.testing.assert_allclose(line.high_E, [0.3, 0.8])


def test_a_seed_that_stopped_early_counts_as_far_as_it_went(history):
    seeds = [with_scores(history, (0, 1, 2), (0.1, 0.2, 0.3)), with_scores(history, (0,), (0.5,))]
    line = band(seeds, "train_score")
    np.testing.assert_allclose(line.mean_E, [0.3, 0.2, 0.3])
    assert list(line.epochs_E) == [0, 1, 2]


def test_epochs_without_any_number_are_nan_and_raise_no_warning(history, recwarn):
    seeds = [with_scores(history, (0, 1), (0.1, None)), with_scores(history, (0, 1), (0.3, None))]
    line = band(seeds, "train_score")
    assert np.isnan(line.mean_E[1])
    assert np.isnan(line.high_E[1])
    assert not recwarn.list


@pytest.mark.parametrize("num_points", [1, 2, MOST_POINTS, MOST_POINTS + 1, 5000])
def test_thinning_keeps_the_first_and_the_last_point(num_points):
    chosen = thinned(num_points)
    assert chosen[0] == 0
    assert chosen[-1] == num_points - 1
    assert len(chosen) == min(num_points, MOST_POINTS)
    assert (np.diff(chosen) > 0).all()


def test_layers_are_averaged_over_seeds_one_row_each(report):
    seeds = [report.make_history("as it is", seed=seed) for seed in range(3)]
    epochs_E, values_LE = layer_grid(seeds, "gradient_norm")
    assert values_LE.shape == (11, len(epochs_E))
    expected = np.mean([seed.layers[4].gradient_norm[7] for seed in seeds])
    assert values_LE[4, 7] == pytest.approx(expected)
