"""Random numbers by seed and count: the same rules as for torch's generators, on any device."""

from __future__ import annotations

import pytest
import torch

from goodfit.engine.chance.counted import FACTORS, STEP, CountedStreams, streams_on
from goodfit.engine.chance.noise import Streams
from goodfit.engine.machine.device import PROCESSOR
from goodfit.seeds import derive


def streams(*seeds, root=0, purpose="batches"):
    return CountedStreams(root, purpose, seeds=seeds, device=PROCESSOR)


def splitmix(bits):
    """The reference, in whole numbers without a sign."""
    for shift, factor in zip((30, 27), FACTORS, strict=True):
        bits = (bits ^ bits >> shift) * factor % 2**64
    return bits ^ bits >> 31


def test_the_numbers_are_those_of_splitmix():
    drawn = streams(7)
    for count in range(3):
        key = splitmix(splitmix((derive(0, "batches", 7) + count * STEP) % 2**64))
        expected = [splitmix((key + place * STEP) % 2**64) >> 40 for place in range(1, 6)]
        assert (drawn.uniform((5,))[0] * 2**24).tolist() == expected


def test_candidates_of_one_seed_share_all_draws_and_others_do_not():
    drawn, rate_K1 = streams(7, 3, 7), torch.full((3, 1), 0.5)
    for numbers in (
        drawn.permutations(50),
        drawn.uniform((20, 4)),
        drawn.normal((20, 4), dtype=torch.float64),
        drawn.dropout_mask((20, 4), rate_K1),
        torch.tensor(drawn.next_seeds()),
    ):
        assert torch.equal(numbers[0], numbers[2])
        assert not torch.equal(numbers[0], numbers[1])


def test_neither_order_nor_neighbours_nor_those_who_left_change_a_seeds_numbers():
    one, many = streams(5), streams(1, 9, 5, 2)
    assert torch.equal(one.permutations(30)[0], many.permutations(30)[2])
    many.keep([0, 2])
    for _ in range(3):
        assert torch.equal(one.uniform((30,))[0], many.uniform((30,))[1])
        assert one.next_seeds()[0] == many.next_seeds()[1]


def test_numbers_are_even_or_normal_and_neighbours_have_nothing_in_common():
    even_KN = streams(3, 4).uniform((20_000,)).double()
    assert 0 <= even_KN.min() < 0.001 < 0.999 < even_KN.max() < 1
    counts_B = even_KN[0].mul(100).long().bincount()
    # chi-squared of 100 equally likely boxes: 99 expected, standard deviation 14
    assert ((counts_B - 200) ** 2 / 200).sum().item() == pytest.approx(99, abs=56)
    assert torch.corrcoef(even_KN)[0, 1].abs() < 0.03
    assert torch.corrcoef(torch.stack([even_KN[0, 1:], even_KN[0, :-1]]))[0, 1].abs() < 0.03
    normal_N = streams(3).normal((20_000,), dtype=torch.float64)[0]
    assert (normal_N.mean().item(), normal_N.std().item()) == pytest.approx((0, 1), abs=0.03)
    assert (normal_N.abs() < 1).double().mean().item() == pytest.approx(0.6827, abs=0.015)


def test_all_orders_of_few_rows_are_equally_frequent():
    orders = streams(*range(6000)).permutations(3)
    counts = (orders[:, 0] * 3 + orders[:, 1]).bincount()
    assert counts[counts > 0].tolist() == pytest.approx([1000] * 6, abs=130)


def test_a_mask_silences_its_share_and_the_rest_makes_up_for_it():
    rates = (0.0, 0.1, 0.8)
    mask_KNU = streams(0, 1, 2).dropout_mask((400, 50), torch.tensor(rates).unsqueeze(1))
    for k, rate in enumerate(rates):
        assert (mask_KNU[k] == 0).double().mean().item() == pytest.approx(rate, abs=0.02)
        kept = mask_KNU[k][mask_KNU[k] > 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))


def test_a_processor_keeps_torchs_generators():
    assert type(streams_on(PROCESSOR, 0, "batches", seeds=[1])) is Streams
