"""What is measured of a candidate depends neither on its neighbours nor on how rows are cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.looks import evaluation
from goodfit.engine.looks.evaluation import Evaluation
from goodfit.engine.rows import pool as pool_of_rows
from goodfit.engine.rows.pool import Pool
from goodfit.engine.ways.backend import row_chunks
from goodfit.engine.ways.construction import build_backend, build_module

pytestmark = pytest.mark.usefixtures("double")

WEIGHTED = Loss(name="cross-entropy", kind="classes", num_outputs=3, class_weights=(0.2, 1.0, 5.0))


def evaluation_of(split, loss, fold=None):
    population = [
        Candidate(arm="a", seed=s, plan=make_plan(loss=loss), fold=fold and (s, fold)) for s in (0, 1)
    ]
    pool = Pool(split, population)
    return Evaluation(pool, build_backend(population, split), loss), population, pool


@pytest.mark.parametrize("fold", [None, 4], ids=["parts", "folds"])
@pytest.mark.parametrize("loss", [make_plan().loss, WEIGHTED], ids=["plain", "weighted"])
def test_losses_and_scores_are_those_of_the_plain_module(loss, fold):
    split = make_split(cardinalities=(4,))
    looking, population, pool = evaluation_of(split, loss, fold)
    measured = looking.measure()
    final = looking.final(measured, torch.arange(2))
    for k, candidate in enumerate(population):
        module = build_module(candidate, split).eval()
        for part, rows_N in (("train", pool.sample_KN()[k]), ("validation", pool.watch_KN[k])):
            batch, y_N = pool.shared(rows_N), pool.y_N[rows_N]
            with torch.no_grad():
                scores_1NO = module(batch.x, batch.codes).unsqueeze(0)
            right_N = (scores_1NO[0].argmax(-1) == y_N).numpy()
            expected = loss.rows(scores_1NO, y_N.unsqueeze(0)).mean().item()
            assert getattr(measured, f"{part}_loss_K")[k].item() == pytest.approx(expected)
            assert getattr(measured, f"{part}_score_K")[k].item() == pytest.approx(right_N.mean())
            assert np.array_equal(getattr(final, f"{part}_scores_MN")[k], right_N)
            predicted = final.predicted_train_MNO if part == "train" else final.predicted_MNO
            np.testing.assert_allclose(predicted[k], scores_1NO[0].softmax(-1).numpy(), rtol=1e-9)
        assert np.array_equal(final.train_y_MN[k], pool.y_N[pool.sample_KN()[k]].numpy())


@pytest.mark.parametrize("loss", [make_plan().loss, WEIGHTED], ids=["plain", "weighted"])
def test_rows_in_small_pieces_measure_the_same(loss, monkeypatch):
    looking, *_ = evaluation_of(make_split(), loss)
    whole = looking.measure()
    cuts = []

    def small_pieces(number, *, floats_per_row, **limits):
        cuts.append(number)
        return row_chunks(number, floats_per_row=1, limit=1 if limits else 7)

    monkeypatch.setattr(evaluation, "row_chunks", small_pieces)
    pieces = looking.measure()
    num_candidates = len(whole.train_loss_K)
    assert num_candidates > 1
    assert cuts == [48, num_candidates, 24, num_candidates]  # rows for the scores, candidates for the loss
    for name in ("train_loss_K", "train_score_K", "validation_loss_K", "validation_score_K"):
        torch.testing.assert_close(getattr(pieces, name), getattr(whole, name), rtol=1e-12, atol=0)


@pytest.mark.parametrize("limit", [10, 24, 100])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_rows_of_the_last_point_of_a_curve_are_not_computed_again(limit, task, monkeypatch):
    monkeypatch.setattr(evaluation, "CURVE_ROWS", limit)
    monkeypatch.setattr(pool_of_rows, "SAMPLED_ROWS", 2 * limit)
    loss = make_plan().loss if task == "classes" else Loss(name="squared", kind="numbers", num_outputs=1)
    looking, _, pool = evaluation_of(make_split(numbers=task == "numbers"), loss)
    measured, asked = looking.measure(), []
    with torch.no_grad():
        judged, watched = looking._look(pool.judged_KN()), looking._look(pool.watch_KN)
    scores = looking._scores
    monkeypatch.setattr(looking, "_scores", lambda rows_KN: asked.append(rows_KN.shape[1]) or scores(rows_KN))
    final = looking.final(measured, torch.tensor([1]))
    assert asked == [left for left in (48 - 2 * limit, 24 - limit) if left > 0]
    for predicted, row_scores, whole in (
        (final.predicted_train_MNO, final.train_scores_MN, judged),
        (final.predicted_MNO, final.validation_scores_MN, watched),
    ):
        np.testing.assert_allclose(predicted, whole.predicted_KNO[1:].numpy(), rtol=1e-12)
        np.testing.assert_allclose(row_scores, whole.score_KN[1:].numpy(), rtol=1e-12, atol=1e-12)


def test_pieces_cover_all_rows_within_the_limit():
    pieces = list(row_chunks(100, floats_per_row=30, limit=1000))
    assert [row for piece in pieces for row in range(100)[piece]] == list(range(100))
    assert max(piece.stop - piece.start for piece in pieces) == 33
    assert list(row_chunks(3, floats_per_row=10**9, limit=10)) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_rows_are_cut_so_that_they_stay_near_unless_too_few_would_be_left():
    def first(floats_per_row):
        return next(iter(row_chunks(10**6, floats_per_row=floats_per_row, limit=4000, near=1000, fewest=8)))

    assert first(10) == slice(0, 100)
    assert first(200) == slice(0, 8)
    assert first(1000) == slice(0, 4)


def test_the_start_is_seen_on_rows_from_all_over():
    looking, *_ = evaluation_of(make_split(), make_plan().loss)
    few, whole = looking.measure(10), looking.measure()
    assert few.train.loss_KN.shape[1] == 10  # of 48, every fifth
    assert few.watched.loss_KN.shape[1] == 8  # of 24, every third
    torch.testing.assert_close(few.train.loss_KN, whole.train.loss_KN[:, ::5])
    torch.testing.assert_close(few.watched.loss_KN, whole.watched.loss_KN[:, ::3])
