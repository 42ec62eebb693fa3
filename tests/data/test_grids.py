"""Arrays that go in whole are shifted and scaled, nothing else."""

import json

import numpy as np
import pytest

from goodfit.data.grids import GridScaling
from goodfit.errors import DataError

RANDOM = np.random.default_rng(0)
ROWS = np.arange(30)


def test_bytes_are_divided_by_255_and_raw_is_untouched():
    grid_N = RANDOM.integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    scaling = GridScaling.fit(grid_N, ROWS)
    np.testing.assert_allclose(scaling.view(grid_N, "scaled"), grid_N / 255, rtol=1e-6)
    np.testing.assert_array_equal(scaling.view(grid_N, "raw"), grid_N)
    assert scaling.view(grid_N, "raw").dtype == np.float32


def test_numbers_from_zero_to_one_are_left_alone():
    grid_N = RANDOM.random((50, 3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(GridScaling.fit(grid_N, ROWS).view(grid_N, "scaled"), grid_N)


def test_a_feature_that_keeps_to_a_small_part_of_zero_to_one_is_standardised_with_all_others():
    features_ND = RANDOM.random((50, 3)) * [1.0, 1.0, 3e-4]
    scaled_ND = GridScaling.fit(features_ND, ROWS).view(features_ND, "scaled")[ROWS]
    np.testing.assert_allclose(scaled_ND.std(0), 1, rtol=1e-4)


def test_pixels_that_are_lit_now_and_then_are_left_alone():
    pixels_ND = RANDOM.random((300, 3))
    pixels_ND[:, 2] = 0.0
    pixels_ND[7, 2] = 1 / 255
    np.testing.assert_array_equal(
        GridScaling.fit(pixels_ND, np.arange(300)).view(pixels_ND, "scaled"), pixels_ND.astype(np.float32)
    )


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_what_varies_is_told_from_rounding_by_its_size(size):
    varied_ND = size * np.column_stack([RANDOM.normal(size=50), 1 + 1e-9 * RANDOM.normal(size=50)])
    scaled_ND = GridScaling.fit(varied_ND, ROWS).view(varied_ND, "scaled")[ROWS]
    np.testing.assert_allclose(scaled_ND[:, 0].std(), 1, rtol=1e-3)
    assert abs(scaled_ND[:, 1]).max() < max(1e-3, 1e-6 * size)


def test_channels_are_standardised_by_training_rows():
    grid_N = RANDOM.normal([[[[5.0]], [[-3.0]]]], [[[[2.0]], [[9.0]]]], (50, 2, 6, 6)).astype(np.float32)
    scaled_N = GridScaling.fit(grid_N, ROWS).view(grid_N, "scaled")[ROWS]
    np.testing.assert_allclose(scaled_N.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled_N.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_features_of_flat_rows_are_standardised_one_by_one():
    grid_N = (RANDOM.normal(size=(50, 3)) * [1, 10, 100]).astype(np.float32)
    np.testing.assert_allclose(
        GridScaling.fit(grid_N, ROWS).view(grid_N, "scaled")[ROWS].std(0), 1, rtol=1e-4
    )


def test_rows_of_another_shape_are_refused():
    scaling = GridScaling.fit(np.zeros((30, 1, 4, 4), np.uint8), ROWS)
    with pytest.raises(DataError, match=r"shape \(1, 5, 5\), training had \(1, 4, 4\)"):
        scaling.check(np.zeros((2, 1, 5, 5)))


def test_it_survives_json():
    scaling = GridScaling.fit(RANDOM.normal(size=(50, 3, 2, 2)), ROWS)
    assert GridScaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling
