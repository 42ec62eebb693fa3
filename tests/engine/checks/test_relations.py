"""Relations between inputs, targets and parts: planted, and absent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from goodfit.data.split import Rows
from goodfit.engine.checks.relations import FEWEST_ROWS, _area, input_signal, parts_apart


def rows(x_ND, y_N, codes_NC=None):
    codes = None if codes_NC is None else torch.tensor(codes_NC)
    return Rows(x=torch.tensor(x_ND, dtype=torch.float32), codes_NC=codes, y_N=torch.tensor(y_N))


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(400, 5))


def lowest(found):
    return found.value - 3 * found.error


def highest(found):
    return found.value + 3 * found.error


class TestInputSignal:
    def test_classes_that_follow_the_inputs_are_told(self, noise):
        y_N = (noise[:, 0] + 0.3 * noise[:, 1] > 0).astype(int) + (noise[:, 2] > 0.5)
        assert lowest(input_signal(rows(noise, y_N), kind="classes", seed=0)) > 0.8

    def test_numbers_that_follow_the_inputs_are_told(self, noise):
        y_N = (noise[:, 0] + noise[:, 1] ** 2).astype(np.float32)
        assert lowest(input_signal(rows(noise, y_N), kind="numbers", seed=0)) > 0.7

    def test_categories_count_as_inputs(self, noise):
        codes_NC = np.random.default_rng(1).integers(4, size=(400, 1))
        found = input_signal(rows(noise, codes_NC[:, 0] // 2, codes_NC), kind="classes", seed=0)
        assert lowest(found) > 0.8

    @pytest.mark.parametrize("seed", range(3))
    def test_targets_of_their_own_are_not_told(self, noise, seed):
        stream = np.random.default_rng(seed)
        for kind, y_N in (
            ("classes", stream.integers(3, size=400)),
            ("numbers", stream.normal(size=400).astype(np.float32)),
        ):
            found = input_signal(rows(noise, y_N), kind=kind, seed=seed)
            assert lowest(found) < 0.5 < highest(found)

    def test_a_frequent_class_hides_nothing(self, noise):
        """Accuracy cannot beat a majority of nine in ten here; ranks can."""
        y_N = (noise[:, 0] + noise[:, 1] > 1.8).astype(int)
        assert 0.05 < y_N.mean() < 0.15
        assert lowest(input_signal(rows(noise, y_N), kind="classes", seed=0)) > 0.8

    def test_too_few_rows_and_one_class_say_nothing(self, noise):
        few = slice(FEWEST_ROWS - 1)
        assert input_signal(rows(noise[few], np.arange(400)[few] % 2), kind="classes", seed=0) is None
        assert input_signal(rows(noise, np.zeros(400, int)), kind="classes", seed=0) is None
        constant_N = np.zeros(400, np.float32)
        assert input_signal(rows(noise, constant_N), kind="numbers", seed=0) is None


class TestPartsApart:
    @pytest.mark.parametrize("seed", range(3))
    def test_two_parts_of_one_source_are_alike(self, noise, seed):
        y_N = np.zeros(200)
        found = parts_apart(rows(noise[:200], y_N), rows(noise[200:], y_N), seed=seed)
        assert lowest(found) < 0.5 < highest(found)

    def test_a_shift_is_told(self, noise):
        y_N = np.zeros(200)
        found = parts_apart(rows(noise[:200], y_N), rows(noise[200:] + 0.8, y_N), seed=0)
        assert lowest(found) > 0.75

    def test_copies_inside_a_part_do_not_give_it_away(self, noise):
        twice = np.repeat(noise[:200], 2, axis=0)
        found = parts_apart(rows(twice, np.zeros(400)), rows(noise[200:], np.zeros(200)), seed=0)
        assert lowest(found) < 0.5 < highest(found)

    def test_few_different_rows_say_nothing(self):
        same = rows(np.ones((300, 5)), np.zeros(300))
        assert parts_apart(same, same, seed=0) is None


def test_the_area_is_the_share_of_pairs_in_order():
    stream = np.random.default_rng(0)
    score_N, is_one_N = stream.integers(5, size=60).astype(float), stream.random(60) < 0.4
    pairs = score_N[is_one_N][:, None] - score_N[~is_one_N][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert _area(score_N, is_one_N).value == pytest.approx(expected, rel=1e-12)


def test_the_error_of_an_area_is_that_of_repetition():
    stream = np.random.default_rng(0)
    is_one_N = np.arange(200) < 80
    found = [_area(stream.normal(size=200) + is_one_N, is_one_N) for _ in range(400)]
    assert np.mean([one.value for one in found]) == pytest.approx(stats.norm.cdf(1 / 2**0.5), abs=0.01)
    spread = np.std([one.value for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.15)
