"""The best weights and the averaged ones, and that what is handed back is what was measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.looks.evaluation import Evaluation, Look, Measured
from goodfit.engine.moves.keeping import AveragedWeights, BestWeights
from goodfit.engine.training.loop import train
from goodfit.engine.ways.construction import build_backend, sizes_of
from goodfit.nets.mlp import MLP

BATCH_NORM = MLP(widths=(7, 6), normalisation="batch")


def stack_of(num_candidates, network=BATCH_NORM):
    plan = make_plan(network=network)
    return build_backend(
        [Candidate(arm="a", seed=seed, plan=plan) for seed in range(num_candidates)], make_split()
    )


def shift(backend, amount):
    backend.flat_KP += amount
    for stacked in backend.buffers.values():
        stacked += torch.tensor(amount).to(stacked)


def seen(*numbers):
    """A point of the curves, with one number for each candidate in every place."""
    column_K11 = torch.tensor(numbers).view(-1, 1, 1)
    look = Look(predicted_KNO=column_K11, loss_KN=column_K11[..., 0], score_KN=column_K11[..., 0])
    return Measured(train=look.of(torch.arange(len(numbers))), watched=look.of(torch.arange(len(numbers))))


class TestBestWeights:
    def test_only_those_that_improved_are_remembered_with_their_buffers(self):
        backend = stack_of(3)
        start_KP, start_KU = backend.flat_KP.clone(), backend.buffers["layers.0.norm.running_mean"].clone()
        best = BestWeights(backend)
        shift(backend, 1.0)
        best.remember(torch.tensor([True, False, True]), seen(0.0, 0.0, 0.0))
        shift(backend, 1.0)
        best.remember(torch.tensor([True, False, False]), seen(1.0, 1.0, 1.0))
        shift(backend, 1.0)
        for look in (best.seen.train, best.seen.watched):
            assert look.predicted_KNO.flatten().tolist() == [1.0, 0.0, 0.0]
        steps_K1 = torch.tensor([[2.0], [0.0], [1.0]])
        torch.testing.assert_close(best.flat_KP, start_KP + steps_K1)
        torch.testing.assert_close(best.buffers["layers.0.norm.running_mean"], start_KU + steps_K1)

    def test_those_who_stay_keep_theirs(self):
        backend = stack_of(3)
        for k in range(3):
            backend.buffers["layers.0.norm.running_mean"][k] = k
        best = BestWeights(backend)
        before_KP, before = best.flat_KP.clone(), {name: b.clone() for name, b in best.buffers.items()}
        index_M = torch.tensor([2, 0])
        backend.keep(index_M)
        best.keep(index_M)
        assert torch.equal(best.flat_KP, before_KP[index_M])
        assert all(torch.equal(best.buffers[name], before[name][index_M]) for name in before)
        shift(backend, 1.0)
        best.remember(torch.tensor([False, True]), seen(0.0, 0.0))
        assert torch.equal(best.flat_KP[0], before_KP[2])
        torch.testing.assert_close(best.flat_KP[1], before_KP[0] + 1)

    def test_only_losses_that_rose_beyond_chance_are_passed(self):
        num_rows, stream = 400, np.random.default_rng(0)
        low_N = stream.exponential(size=num_rows)
        noise_N = stream.normal(size=num_rows)
        noise_N = (noise_N - noise_N.mean()) / noise_N.std(ddof=1)
        # three standard errors of the paired differences are 0.15
        rises_KN = [noise_N + 0.14, noise_N + 0.16, noise_N - 5.0, np.full(num_rows, np.nan)]
        best = BestWeights(stack_of(4))
        best.remember(torch.ones(4, dtype=torch.bool), rows_of([low_N] * 4))
        last = rows_of([low_N + rise_N for rise_N in rises_KN])
        assert best.is_passed_K(last).tolist() == [False, True, False, True]

    def test_a_loss_that_no_rows_tell_is_passed_by_any_higher_one(self):
        best = BestWeights(stack_of(2))
        best.remember(torch.ones(2, dtype=torch.bool), seen(1.0, 1.0))
        assert best.is_passed_K(seen(1.0, 1.01)).tolist() == [False, True]

    def test_what_is_handed_over_leaves_what_was_remembered_as_it_was(self):
        best = BestWeights(stack_of(2))
        best.remember(torch.ones(2, dtype=torch.bool), seen(1.0, 2.0))
        both = best.seen_or(seen(8.0, 9.0), torch.tensor([True, False]))
        assert both.watched.loss_KN.flatten().tolist() == [8.0, 2.0]
        assert best.seen.watched.loss_KN.flatten().tolist() == [1.0, 2.0]


def rows_of(loss_KN):
    """A point of the curves with these losses on every row."""
    loss_KN = torch.tensor(np.stack(loss_KN))
    look = Look(predicted_KNO=loss_KN[..., None], loss_KN=loss_KN, score_KN=loss_KN)
    return Measured(train=look, watched=look)


@pytest.mark.parametrize(("lr", "goes_back"), [(0.3, False), (30.0, True)])
def test_who_falls_back_hands_over_the_last_weights_unless_they_are_worse(lr, goes_back):
    plan = make_plan(rule="gradient-descent", lr=lr, epochs=8)
    patient = dataclasses.replace(plan, patience=8)
    last, best, careful = train(
        [
            Candidate(arm="last", seed=0, plan=plan),
            Candidate(arm="best", seed=0, plan=patient),
            Candidate(arm="careful", seed=0, plan=plan, falls_back=True),
        ],
        make_split(),
    )
    wanted, other = (best, last) if goes_back else (last, best)
    for name, weight in careful.weights.items():
        torch.testing.assert_close(weight, wanted.weights[name], msg=name)
    np.testing.assert_array_equal(careful.validation_scores_N, wanted.validation_scores_N)
    np.testing.assert_allclose(careful.predicted_NO, wanted.predicted_NO, atol=1e-6)
    assert np.abs(careful.predicted_NO - other.predicted_NO).max() > 0.01


def averaged_by(start_KP, decays, *, tails=None, total_steps=40):
    tails = [0.0] * len(decays) if tails is None else tails
    decay_K1, tail_K1 = (torch.tensor(numbers).to(start_KP).unsqueeze(1) for numbers in (decays, tails))
    return AveragedWeights(start_KP, decay_K1, tail_K1=tail_K1, total_steps=total_steps)


class TestAveragedWeights:
    def test_it_is_the_average_of_the_formula(self):
        generator = torch.Generator().manual_seed(0)
        decays = (0.0, 0.5, 0.99)
        moving_KP = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        averaged = averaged_by(moving_KP, decays)
        expected_KP = moving_KP.numpy().copy()
        for count in range(1, 41):
            moving_KP = torch.randn(3, 4, generator=generator, dtype=torch.float64)
            averaged.add(moving_KP, count=count)
            for k, decay in enumerate(decays):
                share = min(decay, (1 + count) / (10 + count))
                expected_KP[k] = share * expected_KP[k] + (1 - share) * moving_KP[k].numpy()
            np.testing.assert_allclose(averaged.flat_KP.numpy(), expected_KP, rtol=1e-12, atol=1e-14)

    def test_a_decay_of_zero_is_the_weights_themselves(self):
        averaged = averaged_by(torch.zeros(1, 3), [0.0])
        averaged.add(torch.tensor([[1.0, 2.0, 3.0]]), count=1)
        assert averaged.flat_KP.tolist() == [[1.0, 2.0, 3.0]]

    def test_the_moving_weights_are_not_touched(self):
        moving_KP = torch.ones(1, 3)
        averaged = averaged_by(moving_KP, [0.5])
        averaged.add(torch.full((1, 3), 5.0), count=1)
        assert moving_KP.tolist() == [[1.0, 1.0, 1.0]]

    def test_those_who_stay_keep_average_and_decay(self):
        start_KP = torch.arange(6.0).view(3, 2)
        averaged = averaged_by(start_KP, [0.0, 0.05, 0.1])
        averaged.keep(torch.tensor([2, 0]))
        averaged.add(torch.zeros(2, 2), count=1)
        torch.testing.assert_close(averaged.flat_KP, torch.tensor([[0.4, 0.5], [0.0, 0.0]]))

    def test_an_even_average_is_the_mean_of_the_weights_since_its_beginning(self):
        generator = torch.Generator().manual_seed(0)
        tails = (0.0, 0.25, 0.5, 0.999)
        steps_TKP = torch.randn(40, 4, 3, generator=generator, dtype=torch.float64)
        averaged = averaged_by(torch.zeros(4, 3, dtype=torch.float64), [0.0] * 4, tails=tails)
        for count, moving_KP in enumerate(steps_TKP, start=1):
            averaged.add(moving_KP, count=count)
            for k, tail in enumerate(tails):
                first = min(int((1 - tail) * 40), count - 1)  # one step at least
                first = count - 1 if tail == 0 else first
                expected_P = steps_TKP[first:count, k].numpy().mean(0)
                np.testing.assert_allclose(averaged.flat_KP[k].numpy(), expected_P, rtol=1e-12, atol=1e-14)

    def test_those_who_stay_keep_the_beginning_of_their_average(self):
        averaged = averaged_by(torch.zeros(3, 1), [0.0] * 3, tails=[0.0, 0.5, 1 - 1e-6], total_steps=4)
        averaged.add(torch.ones(3, 1), count=1)
        averaged.keep(torch.tensor([2, 0]))
        averaged.add(torch.full((2, 1), 5.0), count=2)
        assert averaged.flat_KP.flatten().tolist() == [3.0, 5.0]


@pytest.mark.parametrize("averaging", [{}, {"averaging": 0.9}, {"tail_averaging": 0.5}], ids=str)
@pytest.mark.parametrize("patience", [None, 3])
def test_the_weights_handed_back_predict_what_was_measured(patience, averaging):
    """Also with running means, which belong to the best epoch and not to the last."""
    split = make_split(24, 60)
    plan = make_plan(network=BATCH_NORM, lr=0.05, epochs=12, batch_size=8, patience=patience, **averaging)
    never = make_plan(network=BATCH_NORM, lr=0.05, epochs=12, batch_size=8, patience=100)
    population = [Candidate(arm=arm, seed=0, plan=p) for arm, p in (("this", plan), ("other", never))]
    for trained in train(population, split):
        module = plan.network.build(sizes_of(plan, split)).eval()
        module.load_state_dict(trained.weights)
        with torch.no_grad():
            shares_NO = module(split.validation.x).softmax(-1).numpy()
        np.testing.assert_allclose(trained.predicted_NO, shares_NO, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("averaging", [{"averaging": 0.95}, {"tail_averaging": 0.5}], ids=str)
def test_averaged_weights_are_those_that_are_measured(averaging):
    split = make_split()
    plain, averaged = (make_plan(epochs=3, **changes) for changes in ({}, averaging))
    together = train(
        [Candidate(arm=str(i), seed=0, plan=plan) for i, plan in enumerate((plain, averaged))], split
    )
    assert not np.allclose(together[0].predicted_NO, together[1].predicted_NO)
    last_loss = -np.log(together[1].predicted_NO[np.arange(24), split.validation.y_N.numpy()]).mean()
    assert together[1].history.validation_loss[-1] == pytest.approx(last_loss, rel=1e-5)


def test_no_row_is_looked_at_twice_at_the_end(monkeypatch):
    """Neither by those who stop early nor by those who finish; a point is looked at once, for all."""
    looks = []
    look = Evaluation._look
    monkeypatch.setattr(
        Evaluation, "_look", lambda self, rows_KN: looks.append(rows_KN.shape[0]) or look(self, rows_KN)
    )
    plan = make_plan(network=BATCH_NORM, epochs=12, batch_size=8)
    stops = make_plan(network=BATCH_NORM, epochs=12, batch_size=8, rule="adam", lr=0.5, patience=1)
    population = [Candidate(arm=arm, seed=0, plan=p) for arm, p in (("stays", plan), ("stops", stops))]
    stayed, stopped = train(population, make_split(24, 60))
    assert stopped.history.ending == "stopped early"
    assert len(looks) == 2 * len(stayed.history.epochs)
    assert looks.count(2) == 2 * len(stopped.history.epochs)
