"""Numbers are filled and scaled by training rows, and stay within bounds whatever comes later."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from goodfit.data.numbers import LIMIT, MAX_WIDTH, NumberScaling


def fit(x_ND: np.ndarray) -> NumberScaling:
    return NumberScaling.fit(x_ND.astype(np.float32), tuple(f"x{place}" for place in range(x_ND.shape[1])))


def view(scaling: NumberScaling, x_ND: np.ndarray, inputs: str = "scaled") -> np.ndarray:
    return scaling.view(x_ND.astype(np.float32), inputs, origins_D=np.zeros(x_ND.shape[1]))


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(np.float32, (30, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    arrays.arrays(
        np.float32, (5, 3), elements=st.one_of(st.just(np.nan), st.floats(width=32, allow_infinity=False))
    ),
)
def test_inputs_are_finite_and_bounded_whatever_comes(train_ND: np.ndarray, new_ND: np.ndarray):
    scaling = fit(train_ND)
    for inputs in ("scaled", "expanded"):
        x_ND = view(scaling, new_ND, inputs)
        assert x_ND.shape == (5, len(scaling.input_names(inputs)))
        assert np.isfinite(x_ND).all()
        assert np.abs(x_ND).max(initial=0) <= LIMIT


def test_tame_columns_are_standardised():
    x_ND = np.random.default_rng(0).normal(5, 3, (500, 2))
    scaled_ND = view(fit(x_ND), x_ND)
    np.testing.assert_allclose(scaled_ND, (x_ND - x_ND.mean(0)) / x_ND.std(0), rtol=1e-4, atol=1e-5)


def test_wild_columns_lose_their_tails_and_keep_their_order():
    random = np.random.default_rng(0)
    x_ND = np.column_stack((random.normal(size=2000), np.exp(4 * random.normal(size=2000))))
    scaling = fit(x_ND)
    wild_N = view(scaling, x_ND)[:, 1]
    assert scaling.wild.tolist() == [1]
    assert np.abs(wild_N).max() < 6
    assert (np.diff(wild_N[np.argsort(x_ND[:, 1])]) >= 0).all()


def test_the_order_of_columns_survives_wild_ones_between():
    random = np.random.default_rng(0)
    x_ND = random.normal(size=(500, 4))
    x_ND[:, [0, 2]] = np.exp(5 * x_ND[:, [0, 2]])
    scaled_ND = view(fit(x_ND), x_ND)
    for place in range(4):
        ranks = (
            np.argsort(np.argsort(column))
            for column in (scaled_ND[:, place], x_ND.astype(np.float32)[:, place])
        )
        np.testing.assert_allclose(*ranks, atol=5)


def test_missing_numbers_become_the_median_and_are_marked():
    x_ND = np.array([[1.0, 1.0], [2.0, np.nan], [9.0, 3.0], [3.0, 4.0]] * 5)
    scaling = fit(x_ND)
    raw_ND = view(scaling, np.array([[np.nan, np.nan]]), "raw")
    assert scaling.input_names("raw") == ("x0", "x1", "x1: missing")
    assert raw_ND.tolist() == [[2.5, 3.0, 1.0]]


def test_constant_and_empty_columns_are_left_out():
    x_ND = np.column_stack((np.arange(20), np.full(20, 7), np.full(20, np.nan)))
    assert fit(x_ND).input_names("raw") == ("x0", "x2: missing")


def test_grey_values_share_one_scale():
    x_ND = np.random.default_rng(0).integers(0, 256, (200, 64))
    x_ND[:, 0] = 0
    x_ND[:, 1] = x_ND[:, 1] // 200
    scaling = fit(x_ND)
    assert scaling.is_shared
    np.testing.assert_allclose(view(scaling, x_ND), x_ND[:, scaling.kept] / 255, rtol=1e-6)


def test_the_basis_adds_up_to_the_place_among_the_quantiles():
    x_ND = np.random.default_rng(0).normal(size=(400, 1))
    scaling = fit(x_ND)
    basis_NB = view(scaling, x_ND, "expanded")[:, 1:]
    assert basis_NB.shape[1] == 16
    order = np.argsort(x_ND[:, 0])
    assert (np.diff(basis_NB.sum(1)[order]) >= -1e-5).all()
    np.testing.assert_allclose(basis_NB.sum(1)[order], np.linspace(0, 16, 400), atol=0.8)


def test_a_column_of_few_values_gets_few_bins_and_a_switch_none():
    random = np.random.default_rng(0)
    x_ND = np.column_stack((random.integers(0, 2, 400), random.integers(0, 4, 400)))
    assert np.bincount(fit(x_ND).bin_columns).tolist() == [0, 3]


@pytest.mark.parametrize("width", [100, 400, 1600])
def test_the_expanded_view_is_never_wider_than_allowed(width: int):
    scaling = fit(np.random.default_rng(0).normal(size=(200, width)))
    assert len(scaling.input_names("expanded")) <= max(MAX_WIDTH, width)


def test_no_numbers_at_all_is_fine():
    scaling = NumberScaling.fit(np.empty((20, 0), np.float32), ())
    assert view(scaling, np.empty((3, 0))).shape == (3, 0)


def test_it_survives_json():
    x_ND = np.random.default_rng(0).normal(size=(100, 3))
    x_ND[0, 1] = np.nan
    scaling = fit(x_ND)
    record = json.loads(json.dumps(scaling.to_dict()))
    again = NumberScaling.from_dict(record, imputer=scaling.imputer, scaler=scaling.scaler)
    for inputs in ("raw", "scaled", "expanded"):
        np.testing.assert_array_equal(view(again, x_ND, inputs), view(scaling, x_ND, inputs))
