"""Who learns from which rows."""

from __future__ import annotations

import weakref

import pytest
import torch
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.rows.pool import SAMPLED_ROWS, Pool, resident
from goodfit.errors import PlanError


def population(*folds):
    plan = make_plan()
    return [Candidate(arm="a", seed=seed, plan=plan, fold=fold) for seed, fold in enumerate(folds)]


def test_without_folds_all_learn_from_training_rows_and_are_watched_on_validation_rows():
    split = make_split(48, 24)
    pool = Pool(split, population(None, None))
    assert pool.same_rows
    for learn_N, watch_N in zip(pool.learn_KN, pool.watch_KN, strict=True):
        assert torch.equal(pool.y_N[learn_N], split.train.y_N)
        assert torch.equal(pool.y_N[watch_N], split.validation.y_N)
    assert torch.equal(pool.shared(pool.learn_KN[0]).x, split.train.x)
    assert torch.equal(pool.shared(pool.watch_KN[0]).x, split.validation.x)


@pytest.mark.parametrize("folds", [(None, None), ((0, 4), (2, 4))], ids=["parts", "folds"])
def test_gathered_inputs_codes_and_targets_belong_to_the_same_rows(folds):
    split = make_split(48, 24, cardinalities=(4, 9))
    pool = Pool(split, population(*folds))
    x = torch.cat([split.train.x, split.validation.x])
    codes = torch.cat([split.train.codes_NC, split.validation.codes_NC])
    y_N = torch.cat([split.train.y_N, split.validation.y_N])
    for rows_KN in (pool.learn_KN, pool.watch_KN):
        batch = pool.batch(rows_KN)
        assert not batch.shared
        assert torch.equal(batch.x, x[rows_KN])
        assert torch.equal(batch.codes, codes[rows_KN])
        assert torch.equal(pool.targets(rows_KN), y_N[rows_KN])
        x_ND, codes_NC = batch.of(1)
        assert torch.equal(x_ND, x[rows_KN[1]])
        assert torch.equal(codes_NC, codes[rows_KN[1]])


def test_a_shared_batch_is_the_same_for_everyone():
    pool = Pool(make_split(), population(None, None))
    batch = pool.shared(torch.tensor([3, 1]))
    assert batch.shared
    assert batch.of(0)[0] is batch.of(1)[0]
    assert batch.of(0)[1] is None


def test_folds_hold_out_rows_of_equal_number_that_never_meet():
    pool = Pool(make_split(48, 25), population(*((i, 5) for i in range(5))))
    assert not pool.same_rows
    assert pool.watch_KN.shape == (5, 14)
    assert pool.learn_KN.shape == (5, 59)
    held = pool.watch_KN.flatten().tolist()
    assert len(set(held)) == len(held) == 70
    for learn_N, watch_N in zip(pool.learn_KN.tolist(), pool.watch_KN.tolist(), strict=True):
        assert sorted(learn_N + watch_N) == list(range(73))


def test_folds_mix_training_and_validation_rows():
    pool = Pool(make_split(48, 24), population((0, 3)))
    assert 0 < int((pool.watch_KN < 48).sum()) < 24


def test_folds_depend_on_the_splits_seed_alone():
    one, again = (Pool(make_split(), population((1, 4), (0, 4))) for _ in range(2))
    assert torch.equal(one.watch_KN, again.watch_KN)
    other = Pool(make_split(seed=1), population((1, 4)))
    assert not torch.equal(one.watch_KN[0], other.watch_KN[0])


def test_some_with_a_fold_and_some_without_are_refused():
    with pytest.raises(PlanError, match="some do not") as caught:
        Pool(make_split(), population(None, (0, 4)))
    assert "or none" in caught.value.fix


def test_a_small_training_part_is_scored_whole():
    pool = Pool(make_split(48, 24), population(None, None))
    assert torch.equal(pool.sample_KN(), pool.learn_KN)


def test_a_large_one_is_scored_on_a_sample_that_never_changes():
    split = make_split(SAMPLED_ROWS + 500, 10)
    one, again = Pool(split, population(None, None)), Pool(split, population(None))
    sample_N = one.sample_KN()[0]
    assert len(set(sample_N.tolist())) == SAMPLED_ROWS
    assert int(sample_N.max()) > SAMPLED_ROWS
    assert torch.equal(sample_N, one.sample_KN()[1])
    assert torch.equal(sample_N, again.sample_KN()[0])


def test_rows_that_are_judged_are_those_of_the_curve_and_others():
    pool = Pool(make_split(SAMPLED_ROWS + 500, 10), population((0, 3), (1, 3)))
    num_learn = pool.learn_KN.shape[1]
    assert num_learn < SAMPLED_ROWS
    assert torch.equal(pool.judged_KN(), pool.sample_KN())
    pool = Pool(make_split(SAMPLED_ROWS + 500, 10), population(None, None))
    judged_KN = pool.judged_KN()
    assert torch.equal(judged_KN[:, :SAMPLED_ROWS], pool.sample_KN())
    assert judged_KN[1].sort().values.tolist() == list(range(SAMPLED_ROWS + 500))


def test_those_who_stay_keep_their_rows():
    pool = Pool(make_split(), population((0, 4), (1, 4), (2, 4)))
    learn_KN, watch_KN, sample_KN = pool.learn_KN, pool.watch_KN, pool.sample_KN()
    pool.keep(torch.tensor([0, 2]))
    assert torch.equal(pool.learn_KN, learn_KN[[0, 2]])
    assert torch.equal(pool.watch_KN, watch_KN[[0, 2]])
    assert torch.equal(pool.sample_KN(), sample_KN[[0, 2]])


def test_the_plans_view_of_the_inputs_is_taken():
    asked = []
    split = make_split()

    class Listening(type(split)):
        def rows(self, part, inputs="scaled"):
            asked.append((part, inputs))
            return super().rows(part, inputs)

    listening = Listening(seed=0, train=split.train, validation=split.validation)
    Pool(listening, [Candidate(arm="a", seed=0, plan=make_plan(inputs="raw"))])
    assert asked == [("train", "raw"), ("validation", "raw")]


@pytest.mark.parametrize("folds", [(None, None), ((0, 4), (2, 4))], ids=["parts", "folds"])
def test_an_epoch_takes_each_candidates_own_rows_in_the_given_order(folds):
    pool = Pool(make_split(48, 24), population(*folds))
    num_rows = pool.learn_KN.shape[1]
    order_KN = torch.stack([torch.randperm(num_rows) for _ in range(2)])
    rows_KN = pool.rows_of_epoch(order_KN)
    for k in range(2):
        assert torch.equal(rows_KN[k], pool.learn_KN[k][order_KN[k]])


def test_large_parts_are_gathered_from_both_without_a_joined_copy(monkeypatch):
    split, candidates = make_split(48, 24), population((0, 4), (2, 4))
    joined = Pool(split, candidates)
    monkeypatch.setattr("goodfit.engine.rows.pool.JOINED_BYTES", 0)
    apart = Pool(split, candidates)
    rows_KB = joined.rows_of_epoch(torch.arange(30).flip(0).expand(2, -1))
    for gather in (Pool.batch, Pool.batch_of_step):
        one, other = gather(joined, rows_KB), gather(apart, rows_KB)
        assert torch.equal(one.x, other.x)
        assert (one.codes is None and other.codes is None) or torch.equal(one.codes, other.codes)
    assert torch.equal(joined.shared(rows_KB[0]).x, apart.shared(rows_KB[0]).x)


def test_rows_are_brought_to_a_device_once_for_the_parts_that_belong_together():
    split, other = make_split(48, 24), make_split(48, 24, seed=1)
    device = torch.device("cpu")
    there = resident(split.train, split.validation, device)
    assert torch.equal(there.x, torch.cat([split.train.x, split.validation.x]))
    assert resident(split.train, split.validation, device) is there
    assert torch.equal(resident(split.train, other.validation, device).x[48:], other.validation.x)


def test_rows_leave_a_device_with_the_split():
    split = make_split(48, 24)
    there = weakref.ref(resident(split.train, split.validation, torch.device("cpu")))
    assert there() is not None
    del split
    assert there() is None
