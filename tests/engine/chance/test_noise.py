"""Random numbers belong to a seed and a purpose, never to a place in the stack."""

from __future__ import annotations

import pytest
import torch

from goodfit.engine.chance.counted import CountedStreams
from goodfit.engine.chance.noise import Streams
from goodfit.engine.machine.device import PROCESSOR


def streams(*seeds, root=0, purpose="batches"):
    return Streams(root, purpose, seeds=seeds)


def counted(*seeds, root=0, purpose="batches"):
    return CountedStreams(root, purpose, seeds=seeds, device=PROCESSOR)


of_both_kinds = pytest.mark.parametrize("open_streams", [streams, counted])


@of_both_kinds
def test_a_permutation_holds_every_row_once(open_streams):
    for rows_N in open_streams(0, 1, 2).permutations(50):
        assert sorted(rows_N.tolist()) == list(range(50))


def test_candidates_of_one_seed_share_all_draws_and_others_do_not():
    drawn = streams(7, 3, 7)
    for _ in range(3):
        rows_KN = drawn.permutations(50)
        assert torch.equal(rows_KN[0], rows_KN[2])
        assert not torch.equal(rows_KN[0], rows_KN[1])
    mask_KNU = drawn.dropout_mask((20, 4), torch.full((3, 1), 0.5))
    assert torch.equal(mask_KNU[0], mask_KNU[2])
    assert not torch.equal(mask_KNU[0], mask_KNU[1])
    for numbers_KNU in (drawn.uniform((20, 4)), drawn.normal((20, 4), dtype=torch.float64)):
        assert torch.equal(numbers_KNU[0], numbers_KNU[2])
        assert not torch.equal(numbers_KNU[0], numbers_KNU[1])
    numbers = drawn.next_seeds()
    assert numbers[0] == numbers[2] != numbers[1]


def test_neither_order_nor_neighbours_change_a_seeds_numbers():
    one, many = streams(5), streams(1, 9, 5, 2)
    for _ in range(3):
        assert torch.equal(one.permutations(30)[0], many.permutations(30)[2])
        assert one.next_seeds()[0] == many.next_seeds()[2]


def test_numbers_are_even_or_normal():
    even_N = streams(3).uniform((4000,))[0]
    assert 0 <= even_N.min() < 0.01 < 0.99 < even_N.max() < 1
    assert even_N.mean().item() == pytest.approx(0.5, abs=0.02)
    normal_N = streams(3).normal((4000,), dtype=torch.float64)[0]
    assert normal_N.dtype == torch.float64
    assert (normal_N.mean().item(), normal_N.std().item()) == pytest.approx((0, 1), abs=0.05)


@of_both_kinds
@pytest.mark.parametrize("other", [{"root": 1}, {"purpose": "dropout"}], ids=["root", "purpose"])
def test_another_root_or_purpose_is_another_stream(open_streams, other):
    assert not torch.equal(open_streams(5).permutations(100), open_streams(5, **other).permutations(100))


@of_both_kinds
def test_each_draw_is_new(open_streams):
    drawn = open_streams(5)
    assert not torch.equal(drawn.permutations(100), drawn.permutations(100))
    assert not torch.equal(drawn.uniform((100,)), drawn.uniform((100,)))
    assert drawn.next_seeds() != drawn.next_seeds()


def test_those_who_stay_draw_on_undisturbed():
    whole, cut = streams(0, 1, 0, 2), streams(0, 1, 0, 2)
    whole.permutations(30), cut.permutations(30)
    cut.keep([2, 3])
    for _ in range(3):
        assert torch.equal(whole.permutations(30)[[2, 3]], cut.permutations(30))


class TestDropoutMask:
    def test_a_share_of_the_rate_is_zero_and_the_rest_makes_up_for_it(self):
        rate_K1 = torch.tensor([[0.1], [0.5], [0.8]])
        mask_KNU = streams(0, 1, 2).dropout_mask((400, 50), rate_K1)
        for k, rate in enumerate((0.1, 0.5, 0.8)):
            assert (mask_KNU[k] == 0).double().mean().item() == pytest.approx(rate, abs=0.02)
            kept = mask_KNU[k][mask_KNU[k] > 0]
            torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))

    def test_a_rate_of_zero_changes_nothing(self):
        mask_KNU = streams(0, 0).dropout_mask((30, 5), torch.tensor([[0.0], [0.5]]))
        assert torch.equal(mask_KNU[0], torch.ones(30, 5))

    def test_a_higher_rate_silences_what_the_lower_one_does_and_more(self):
        low_NU, high_NU = streams(4, 4).dropout_mask((100, 10), torch.tensor([[0.2], [0.6]]))
        assert bool((high_NU[low_NU == 0] == 0).all())

    def test_it_has_the_type_of_the_rates(self):
        rate_K1 = torch.tensor([[0.5]], dtype=torch.float64)
        assert streams(0).dropout_mask((3, 2), rate_K1).dtype == torch.float64
