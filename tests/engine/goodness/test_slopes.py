"""The derivative of a loss for the scores is what autograd finds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from goodfit.engine.goodness.blend import Blend
from goodfit.engine.goodness.contract import Contract
from goodfit.engine.goodness.losses import FOR_CLASSES, FOR_NUMBERS, Loss
from goodfit.engine.goodness.slopes import slopes

K, N = 3, 7


def loss_of(name, kind, weights=()):
    num_outputs = 1 if kind == "numbers" or name == "binary-cross-entropy" else 4
    return Loss(name=name, kind=kind, num_outputs=num_outputs, class_weights=weights)


def hinge(scores_NO, y_N):
    return (1 - scores_NO.gather(1, y_N.unsqueeze(1))).clamp_min(0).square().mean()


def of_own(kind, num_outputs, function=None, name="own", **shapes):
    contract = Contract(output_shape=(num_outputs,), function=function, **shapes)
    return Loss(name=name, kind=kind, num_outputs=num_outputs, contract=contract)


SEVERAL = {"target_shape": (4,), "target_dtype": "float64"}
OWN_LOSSES = {
    "own of classes": of_own("classes", 4, hinge),
    "own of several numbers": of_own("numbers", 4, F.l1_loss, **SEVERAL),
    "own of labels": of_own("labels", 4, F.mse_loss, **SEVERAL),
    "labels": of_own("labels", 4, name="binary-cross-entropy", **SEVERAL),
    "several numbers": of_own("numbers", 4, name="squared", **SEVERAL),
}
LOSSES = [
    *(loss_of(name, "numbers") for name in FOR_NUMBERS),
    *(loss_of(name, "classes") for name in FOR_CLASSES),
    *(loss_of(name, "classes", (1.0, 3.0, 0.5, 2.0)) for name in FOR_CLASSES),
]


def rows_of(loss, lead=K):
    generator = torch.Generator().manual_seed(0)
    scores_KNO = 3 * torch.randn(K, N, loss.num_outputs, generator=generator, dtype=torch.float64)
    if loss.kind == "numbers":
        return scores_KNO, 3 * torch.randn(lead, N, generator=generator, dtype=torch.float64)
    return scores_KNO, torch.randint(max(2, loss.num_outputs), (lead, N), generator=generator)


@pytest.mark.parametrize("lead", [1, K], ids=["shared", "own"])
@pytest.mark.parametrize("smoothing", [None, (0.0, 0.1, 0.6)], ids=["plain", "smoothed"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name} {loss.kind} {loss.class_weights}")
def test_slopes_are_those_of_autograd(loss, smoothing, lead):
    scores_KNO, y_KN = rows_of(loss, lead)
    smoothing_K1 = None if smoothing is None else torch.tensor(smoothing, dtype=torch.float64).unsqueeze(1)
    leaf_KNO = scores_KNO.clone().requires_grad_()
    loss_KN = loss.rows(leaf_KNO, y_KN, smoothing_K1=smoothing_K1)
    (expected_KNO,) = torch.autograd.grad(loss_KN.mean(-1).sum(), leaf_KNO)
    before_KNO = scores_KNO.clone()
    scores_KON = scores_KNO.transpose(1, 2).contiguous()
    found_KNO = slopes(loss, scores_KON, y_KN, smoothing_K1=smoothing_K1).transpose(1, 2)
    torch.testing.assert_close(found_KNO, expected_KNO, rtol=1e-11, atol=1e-15)
    assert torch.equal(scores_KON.transpose(1, 2), before_KNO)


@pytest.mark.parametrize("smoothing", [None, (0.0, 0.1, 0.6)], ids=["plain", "smoothed"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.name} {loss.kind} {loss.class_weights}")
def test_slopes_of_a_blend_are_those_of_autograd(loss, smoothing):
    scores_KNO, y_KN = rows_of(loss)
    smoothing_K1 = None if smoothing is None else torch.tensor(smoothing, dtype=torch.float64).unsqueeze(1)
    share_K1 = torch.tensor([[1.0], [0.5], [0.8]], dtype=torch.float64)
    blend = Blend(own_KN=y_KN, other_KN=y_KN.flip(1), share_K1=share_K1)
    leaf_KNO = scores_KNO.clone().requires_grad_()
    loss_KN = loss.rows(leaf_KNO, blend, smoothing_K1=smoothing_K1)
    (expected_KNO,) = torch.autograd.grad(loss_KN.mean(-1).sum(), leaf_KNO)
    scores_KON = scores_KNO.transpose(1, 2).contiguous()
    found_KNO = slopes(loss, scores_KON, blend, smoothing_K1=smoothing_K1).transpose(1, 2)
    torch.testing.assert_close(found_KNO, expected_KNO, rtol=1e-11, atol=1e-15)
    only_KON = slopes(loss, scores_KON[:1], y_KN[:1], smoothing_K1=None)
    assert smoothing or torch.equal(found_KNO[:1].transpose(1, 2), only_KON)


@pytest.mark.parametrize("lead", [1, K], ids=["shared", "own"])
@pytest.mark.parametrize("name", OWN_LOSSES)
def test_slopes_of_own_losses_and_of_several_targets_are_those_of_autograd(name, lead):
    loss, stream = OWN_LOSSES[name], torch.Generator().manual_seed(0)
    scores_KNO = torch.randn(K, N, 4, generator=stream, dtype=torch.float64)
    y_KN = torch.randint(4, (lead, N), generator=stream)
    if loss.kind != "classes":
        y_KN = torch.randint(2, (lead, N, 4), generator=stream).double()
    leaf_KNO = scores_KNO.clone().requires_grad_()
    alone = [loss.rows(leaf_KNO[k : k + 1], y_KN[min(k, lead - 1)].unsqueeze(0)).mean() for k in range(K)]
    (expected_KNO,) = torch.autograd.grad(sum(alone), leaf_KNO)
    found_KON = slopes(loss, scores_KNO.transpose(1, 2).contiguous(), y_KN)
    torch.testing.assert_close(found_KON.transpose(1, 2), expected_KNO, rtol=1e-11, atol=1e-15)


def test_large_scores_overflow_nowhere():
    loss = loss_of("cross-entropy", "classes")
    scores_KON = torch.tensor([[[1e4], [0.0], [-1e4], [0.0]]])
    assert slopes(loss, scores_KON, torch.tensor([[2]])).flatten().tolist() == [1.0, 0.0, -1.0, 0.0]
