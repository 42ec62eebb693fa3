"""Metrics of the user's choice: their value, and their share in rows that trials compare."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics

from goodfit.engine.goodness.scoring import WORST, scoring_of
from goodfit.errors import PlanError

N = 400


def classes(seed=0, skill=1.0):
    generator = torch.Generator().manual_seed(seed)
    y_N = torch.randint(3, (N,), generator=generator)
    scores = torch.randn(N, 3, generator=generator)
    scores[torch.arange(N), y_N] += skill
    return scores.softmax(1), y_N


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("f1", lambda y, p: metrics.f1_score(y, p.argmax(1), average="macro")),
        ("balanced_accuracy", lambda y, p: metrics.balanced_accuracy_score(y, p.argmax(1))),
        ("roc-auc", lambda y, p: metrics.roc_auc_score(y, p, multi_class="ovr")),
        ("log loss", lambda y, p: -metrics.log_loss(y, p)),
    ],
)
def test_a_metric_by_name_is_scikit_learns_and_higher_is_better(name, measure):
    shares, y_N = classes()
    scoring = scoring_of(name, kind="classes", several=False)
    expected = measure(y_N.numpy(), shares.numpy())
    assert scoring.value(shares, y_N) == pytest.approx(expected)
    assert scoring.name.startswith("neg ") == (name == "log loss")
    rows_N = scoring.score(shares, y_N, by_row=True)
    assert rows_N.mean().item() == pytest.approx(expected, abs=1e-5)


def test_the_mean_of_rows_shared_out_varies_as_the_metric_does():
    """Its standard error, by rows, is that over many fresh samples."""
    scoring = scoring_of("f1", kind="classes", several=False)
    values, errors = [], []
    for seed in range(60):
        shares, y_N = classes(seed)
        rows_N = scoring.score(shares, y_N, by_row=True).numpy()
        values.append(rows_N.mean())
        errors.append(rows_N.std(ddof=1) / np.sqrt(N))
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.25)


def test_a_mean_over_rows_is_shared_out_as_its_blocks_mean():
    scoring = scoring_of("mae", kind="numbers", several=False, center=10.0, scale=5.0)
    predicted, y_N = torch.randn(100, 1), torch.randn(100)
    rows_N = scoring.score(predicted, y_N, by_row=True)
    off_N = -5 * (predicted[:, 0] - y_N).abs()
    torch.testing.assert_close(rows_N.mean(), off_N.mean())
    by_block = torch.stack([off_N[b::25].mean() for b in range(25)]) - off_N.mean()
    torch.testing.assert_close(rows_N[:25] - rows_N.mean(), 2 * by_block, rtol=1e-3, atol=1e-3)


def test_candidates_are_scored_each_for_itself():
    shares, y_N = classes()
    scoring = scoring_of("f1", kind="classes", several=False)
    both = torch.stack([shares, shares.flip(1)])
    found = scoring.score(both, y_N[None], by_row=False)
    assert found.shape == (2, N)
    assert found[0, 0].item() == pytest.approx(scoring.value(shares, y_N))
    assert found[1, 0].item() == pytest.approx(scoring.value(shares.flip(1), y_N))


def test_places_that_do_not_count_are_left_out():
    shares, y_N = classes()
    y_NT = torch.stack([y_N, torch.full_like(y_N, -100)], 1)
    doubled = torch.cat([shares, shares], 1)
    scoring = scoring_of("iou", kind="places", several=True)
    expected = metrics.jaccard_score(y_N.numpy(), shares.argmax(1).numpy(), average="macro")
    assert scoring.value(doubled, y_NT) == pytest.approx(expected)


def test_metrics_of_torchmetrics_are_read_with_their_direction():
    torchmetrics = pytest.importorskip("torchmetrics")
    shares, y_N = classes()
    kinds = torchmetrics.classification
    scoring = scoring_of(kinds.MulticlassAUROC(3), kind="classes", several=False)
    expected = metrics.roc_auc_score(y_N.numpy(), shares.numpy(), multi_class="ovr", average="macro")
    assert scoring.value(shares, y_N) == pytest.approx(expected, abs=1e-4)
    two = scoring_of(kinds.BinaryF1Score(), kind="classes", several=False)
    is_one = (y_N == 0).long()
    halves = torch.stack([1 - shares[:, 0], shares[:, 0]], 1)
    assert two.value(halves, is_one) == pytest.approx(metrics.f1_score(is_one, halves[:, 1] > 0.5))
    error = scoring_of(torchmetrics.MeanSquaredError(), kind="numbers", several=False, scale=2.0)
    assert error.is_minimised
    assert error.value(torch.ones(N, 1), torch.zeros(N)) == pytest.approx(-4.0)
    labels = scoring_of(kinds.MultilabelF1Score(2), kind="labels", several=True)
    y_NL = torch.stack([y_N == 0, y_N == 1], 1).float()
    assert labels.value(y_NL, y_NL) == pytest.approx(1.0)
    pixels = scoring_of(kinds.MulticlassJaccardIndex(3, ignore_index=255), kind="places", several=True)
    y_NT = torch.stack([y_N, torch.full_like(y_N, -100)], 1)
    expected = metrics.jaccard_score(y_N.numpy(), shares.argmax(1).numpy(), average="macro")
    assert pixels.value(torch.cat([shares, shares], 1), y_NT) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(PlanError, match="3 numbers"):
        scoring_of(kinds.MulticlassF1Score(3, average=None), kind="classes", several=False).value(shares, y_N)


def test_a_network_that_diverged_has_the_worst_score():
    shares, y_N = classes()
    scoring = scoring_of("log loss", kind="classes", several=False)
    assert scoring.value(shares * float("nan"), y_N) == WORST


def test_the_usual_metric_needs_no_scoring():
    assert scoring_of("accuracy", kind="classes", several=False) is None
    assert scoring_of("r2", kind="numbers", several=False) is None


@pytest.mark.parametrize(("name", "kind"), [("f2", "classes"), ("accuracy", "numbers"), ("mae", "labels")])
def test_a_metric_that_does_not_exist_is_refused_with_those_that_do(name, kind):
    with pytest.raises(PlanError, match=name) as caught:
        scoring_of(name, kind=kind, several=False)
    assert "use one of" in caught.value.fix
