"""Products by NumPy and by torch, against sums written out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info
from torch import Tensor

from goodfit.engine.machine import products
from goodfit.engine.machine.products import (
    Product,
    WeightedSums,
    fewest_parts,
    is_numpys,
    on_threads,
    unwarned,
)

SHAPES = [(3, 4, 5), (1, 7, 1), (64, 32, 10), (150, 100, 100)]
"""Rows, terms and columns; the last product is cut where small ones have kernels."""


@pytest.fixture(autouse=True, params=[1, 2], ids=["NumPy", "torch"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    with on_threads(request.param), unwarned():
        yield


@pytest.fixture(params=[True, False], ids=["small kernels", "none"])
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "has_small_kernels", lambda: request.param)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def apart(*shape: int) -> Tensor:
    """Matrices that lie apart, as gradients of one layer in the rows of a stack."""
    num_products, size = shape[0], math.prod(shape[1:])
    return torch.full((num_products, size + 3), torch.nan, dtype=torch.float64)[:, 2 : size + 2].view(shape)


@pytest.mark.usefixtures("_kernels")
class TestProduct:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("turned", [None, "left", "right"])
    def test_it_sums_what_is_multiplied(self, shape: tuple[int, int, int], turned: str | None):
        num_rows, num_terms, num_columns = shape
        product, out = Product(drawn(1), turned=turned), apart(3, num_rows, num_columns)
        for seed in (0, 1):  # the second time other tensors, into the same memory
            left, right = drawn(3, num_rows, num_terms, seed=seed), drawn(3, num_terms, num_columns, seed=9)
            given_left = left.mT.contiguous() if turned == "left" else left
            given_right = right.mT.contiguous() if turned == "right" else right
            expected = (left.unsqueeze(3) * right.unsqueeze(1)).sum(2)
            found = product(given_left, given_right, out=out)
            assert found is out
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    def test_it_adds_what_is_given(self):
        left, right, plus = drawn(2, 3, 4), drawn(2, 4, 5), drawn(2, 1, 5, seed=1)
        found = Product(left)(left, right, out=apart(2, 3, 5), plus=plus)
        torch.testing.assert_close(found, left @ right + plus)

    def test_one_matrix_may_serve_all(self):
        left = drawn(150, 100).expand(3, 150, 100)
        right = drawn(3, 100, 100, seed=1)
        found = Product(left)(left, right, out=apart(3, 150, 100))
        torch.testing.assert_close(found, left @ right)

    def test_it_sees_what_was_changed_in_place(self):
        left, right, out = drawn(2, 3, 4), drawn(2, 4, 5), apart(2, 3, 5)
        product = Product(left)
        product(left, right, out=out)
        left.mul_(2)
        torch.testing.assert_close(product(left, right, out=out), left @ right)

    def test_what_is_not_finite_stays_in_its_own_pair_and_is_not_warned_of(self):
        left, right = drawn(3, 4, 4), drawn(3, 4, 4, seed=1)
        left[1], right[1] = math.inf, 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = Product(left)(left, right, out=apart(3, 4, 4))
        assert found[1].isnan().all()
        torch.testing.assert_close(found[::2], (left @ right)[::2])


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("sizes", [(8, 5, 3), (32, 64, 64), (128, 100, 90), (16, 200, 100)])
def test_weighted_sums_follow_the_weights(sizes: tuple[int, int, int]):
    num_rows, num_inputs, num_units = sizes
    weight, bias = apart(3, num_units, num_inputs), drawn(3, num_units, seed=1)
    h = drawn(3, num_rows, num_inputs)
    sums = WeightedSums(weight, bias)
    for seed in (2, 3):
        weight.copy_(drawn(3, num_units, num_inputs, seed=seed))
        sums.turn()
        expected = torch.einsum("knd,kud->knu", h, weight) + bias.unsqueeze(1)
        torch.testing.assert_close(sums(h, out=torch.empty_like(expected)), expected)


def test_both_libraries_are_given_their_threads_and_get_them_back():
    before = _threads_by_library()
    with on_threads(2):
        assert torch.get_num_threads() == 2
        assert not is_numpys(drawn(1))
        with on_threads(1):
            assert is_numpys(drawn(1))
            assert not is_numpys(drawn(1).to(torch.bfloat16))
            assert set(_threads_by_library().values()) == {1}
        assert torch.get_num_threads() == 2
    assert _threads_by_library() == before


def test_a_product_is_cut_into_parts_for_which_there_are_kernels(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "has_small_kernels", lambda: True)
    assert [fewest_parts(128, 128**3), fewest_parts(64, 64**3), fewest_parts(127, 127**3)] == [4, 1, 1]
    monkeypatch.setattr(products, "has_small_kernels", lambda: False)
    assert fewest_parts(128, 128**3) == 1


def _threads_by_library() -> dict[str, int]:
    return {
        library["filepath"]: library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
