"""Rows are drawn as often as they weigh, and scored as scikit-learn scores weighted rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, r2_score
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.counted import CountedStreams
from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.goodness.predicted import row_scores
from goodfit.engine.goodness.weighting import drawn_by_weight, linearised, spread_of
from goodfit.engine.rows.pool import Pool
from goodfit.engine.training.loop import train

STARTS = [0.0, 2.0**-24, 0.3, 0.5, 1 - 2.0**-24]
"""Numbers that a stream may draw, its smallest and its largest among them."""


def counts(weight_N, start):
    slots_N = drawn_by_weight(torch.as_tensor(weight_N)[None], torch.tensor([start]))[0]
    assert len(slots_N) == len(weight_N)
    assert (slots_N.diff() >= 0).all()
    return np.bincount(slots_N, minlength=len(weight_N))


def systematic(weight_N, start):
    """One pointer a slot, all at the same place of their slot: the picture in Kitagawa's paper."""
    ends_N = np.cumsum(weight_N) / np.sum(weight_N) * len(weight_N)
    pointers_N = np.arange(len(weight_N)) + 1 - start
    return np.bincount(np.searchsorted(ends_N, pointers_N), minlength=len(weight_N))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 3])
def test_whole_weights_of_mean_one_are_met_exactly(start, scale):
    whole_N = np.random.default_rng(0).multinomial(1000, np.full(1000, 1 / 1000))
    np.testing.assert_array_equal(counts(whole_N * scale, start), whole_N)


@pytest.mark.parametrize("start", [0.1, 0.37, 0.9])
def test_it_is_the_systematic_draw_of_the_paper(start):
    weight_N = np.random.default_rng(1).gamma(0.5, size=200)
    np.testing.assert_array_equal(counts(weight_N, start), systematic(weight_N, start))


def test_a_row_is_drawn_as_often_as_it_weighs_and_never_further_than_one_away():
    weight_N = np.random.default_rng(2).gamma(0.7, size=50)
    weight_N /= weight_N.mean()
    # evenly spaced starts are an integral over the uniform start, not a sample of it
    drawn = np.array([counts(weight_N, (i + 0.5) / 2000) for i in range(2000)])
    np.testing.assert_allclose(drawn.mean(0), weight_N, atol=1 / 1000)
    assert np.abs(drawn - weight_N).max() < 1


def test_one_row_may_weigh_nearly_everything():
    assert counts([1e-12, 1.0, 1e-12, 1e-12], 0.999).tolist() == [0, 4, 0, 0]


@pytest.mark.parametrize("kind", ["generator", "counted"])
def test_streams_draw_one_start_a_seed(kind):
    seeds = [3, 3, 5]
    streams = (
        Streams(0, "batches", seeds=seeds)
        if kind == "generator"
        else CountedStreams(0, "batches", seeds=seeds, device=torch.device("cpu"))
    )
    start_K = streams.uniform(())
    assert start_K.shape == (3,)
    assert start_K[0] == start_K[1] != start_K[2]


@pytest.mark.parametrize("folds", [(None, None), ((0, 4), (1, 4))], ids=["parts", "folds"])
def test_an_epoch_holds_each_row_as_often_as_it_weighs(folds):
    split = weighted_split(numbers=False)
    population = [
        Candidate(arm="a", seed=seed, plan=make_plan(), fold=fold) for seed, fold in enumerate(folds)
    ]
    pool = Pool(split, population)
    order_KN = Streams(0, "batches", seeds=[0, 1]).permutations(pool.learn_KN.shape[1])
    total = torch.zeros(2, 72, dtype=torch.float64)
    for i in range(400):
        rows_KN = pool.rows_of_epoch(order_KN, torch.full((2,), (i + 0.5) / 400))
        assert rows_KN.shape == order_KN.shape
        total += torch.stack([rows_N.bincount(minlength=72) for rows_N in rows_KN])
    for k, learn_N in enumerate(pool.learn_KN):
        own_N = torch.zeros(72, dtype=torch.float64)
        own_N[learn_N] = pool.weight_N[learn_N] / pool.weight_N[learn_N].mean()
        torch.testing.assert_close(total[k] / 400, own_N, atol=0.01, rtol=0)


def test_linearised_scores_have_the_weighted_mean_and_its_spread():
    random = np.random.default_rng(3)
    score_N, weight_N = random.normal(size=500), random.gamma(1.0, size=500)
    found_N = linearised(torch.tensor(score_N), torch.tensor(weight_N)).numpy()
    assert found_N.mean() == pytest.approx(np.average(score_N, weights=weight_N), rel=1e-12)
    # the jackknife of the ratio, which knows no formula
    total, mass = weight_N @ score_N, weight_N.sum()
    without_N = (total - weight_N * score_N) / (mass - weight_N)
    jackknife = (499 / 500) * ((without_N - without_N.mean()) ** 2).sum()
    assert found_N.var(ddof=1) / 500 == pytest.approx(jackknife, rel=0.02)


def test_equal_scores_stay_exactly_equal():
    weight_N = torch.rand(1000, dtype=torch.float64)
    for value in (0.0, 1.0, 0.1):
        score_N = torch.full((1000,), value)
        assert torch.equal(linearised(score_N, weight_N), score_N)


def test_equal_weights_change_no_score():
    score_KN, weight_N = torch.rand(3, 40, dtype=torch.float64), torch.full((40,), 2.5, dtype=torch.float64)
    torch.testing.assert_close(linearised(score_KN, weight_N), score_KN, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(spread_of(score_KN, weight_N), spread_of(score_KN, None))


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    weight_N, y_N = random.gamma(0.5, size=80), random.integers(0, 3, 80)
    shares_NO, value_N = random.random((80, 3)), random.normal(size=80)
    of_classes = row_scores(
        torch.tensor(shares_NO), torch.tensor(y_N), kind="classes", weight=torch.tensor(weight_N)
    )
    wanted = accuracy_score(y_N, shares_NO.argmax(1), sample_weight=weight_N)
    assert float(of_classes.double().mean()) == pytest.approx(wanted, abs=1e-6)
    truth_N = value_N + random.normal(size=80)
    of_numbers = row_scores(
        torch.tensor(value_N)[:, None], torch.tensor(truth_N), kind="numbers", weight=torch.tensor(weight_N)
    )
    assert float(of_numbers.mean()) == pytest.approx(r2_score(truth_N, value_N, sample_weight=weight_N))


def weighted_split(*, numbers):
    split = make_split(48, 24, numbers=numbers)
    weight_N = torch.from_numpy(np.random.default_rng(4).gamma(0.5, size=72))
    weight_N /= weight_N.mean()
    return dataclasses.replace(
        split,
        train=dataclasses.replace(split.train, weight_N=weight_N[:48]),
        validation=dataclasses.replace(split.validation, weight_N=weight_N[48:]),
    )


@pytest.mark.parametrize("numbers", [False, True], ids=["classes", "numbers"])
def test_a_history_holds_weighted_losses_and_scores(numbers):
    split = weighted_split(numbers=numbers)
    loss = Loss(name="squared", kind="numbers", num_outputs=1) if numbers else make_plan().loss
    population = [Candidate(arm="a", seed=seed, plan=make_plan(loss=loss, epochs=6)) for seed in (0, 1)]
    for trained in train(population, split):
        history, rows = trained.history, split.validation
        y_N, weight_N = rows.y_N.numpy(), rows.weight_N.numpy()
        if numbers:
            score = r2_score(y_N, trained.predicted_NO[:, 0], sample_weight=weight_N)
            lost_N = (y_N - trained.predicted_NO[:, 0]) ** 2
        else:
            score = accuracy_score(y_N, trained.predicted_NO.argmax(1), sample_weight=weight_N)
            lost_N = -np.log(trained.predicted_NO[np.arange(24), y_N])
        assert history.validation_score[-1] == pytest.approx(score, abs=1e-5)
        assert trained.validation_scores_N.mean() == pytest.approx(score, abs=1e-5)
        assert history.validation_loss[-1] == pytest.approx(np.average(lost_N, weights=weight_N), rel=1e-4)
        assert trained.train_scores_N.mean() == pytest.approx(history.train_score[-1], abs=1e-5)
        np.testing.assert_allclose(trained.train_weight_N, split.train.weight_N)
        assert history.reliability == ()


def test_training_goes_by_weight():
    """Half of the rows say the opposite of the other half; the heavier half is learnt."""
    split = make_split(48, 24, num_classes=2)
    x, y_N = split.train.x.repeat(2, 1), torch.cat([split.train.y_N, 1 - split.train.y_N])
    plan = make_plan(loss=Loss(name="cross-entropy", kind="classes", num_outputs=2), epochs=60, lr=0.02)
    for heavy in (slice(0, 48), slice(48, 96)):
        weight_N = torch.full((96,), 0.1, dtype=torch.float64)
        weight_N[heavy] = 1.9
        rows = dataclasses.replace(split.train, x=x, y_N=y_N, weight_N=weight_N)
        watched = dataclasses.replace(split.validation, weight_N=torch.ones(24, dtype=torch.float64))
        contradictory = dataclasses.replace(split, train=rows, validation=watched)
        (trained,) = train([Candidate(arm="a", seed=0, plan=plan)], contradictory)
        order_N = trained.predicted_train_NO.argmax(1) == trained.train_y_N
        assert order_N[trained.train_weight_N > 1].mean() > 0.85
