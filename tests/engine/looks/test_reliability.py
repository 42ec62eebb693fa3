"""Groups of rows by how sure a network was."""

from __future__ import annotations

import numpy as np
import pytest

from goodfit.engine.looks.reliability import FEWEST_ROWS, MOST_GROUPS, reliability


def claims(claimed_N):
    return np.stack([claimed_N, 1 - claimed_N], axis=1)


def test_groups_hold_all_rows_once_from_the_least_sure_to_the_surest():
    claimed_N = np.random.default_rng(0).uniform(0.5, 1, 207)
    found = reliability(claims(claimed_N), np.ones(207))
    assert len(found) == MOST_GROUPS
    assert sum(group.num_rows for group in found) == 207
    assert [group.claimed for group in found] == sorted(group.claimed for group in found)
    mean = sum(group.num_rows * group.claimed for group in found) / 207
    assert mean == pytest.approx(claimed_N.mean())


def test_the_share_of_right_answers_is_that_of_the_group():
    claimed_N = np.repeat([0.6, 0.9], FEWEST_ROWS)
    right_N = np.concatenate([np.tile([0, 1], FEWEST_ROWS // 2), np.ones(FEWEST_ROWS)])
    assert [(g.claimed, g.right) for g in reliability(claims(claimed_N), right_N)] == [
        (pytest.approx(0.6), 0.5),
        (pytest.approx(0.9), 1.0),
    ]


def test_few_rows_and_no_numbers_have_no_groups():
    assert reliability(claims(np.full(FEWEST_ROWS - 1, 0.7)), np.ones(FEWEST_ROWS - 1)) == ()
    assert reliability(np.full((50, 2), np.nan), np.ones(50)) == ()
