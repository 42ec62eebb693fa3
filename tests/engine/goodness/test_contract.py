"""Losses and targets of a network of the user's own: the numbers are those that torch's losses give."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from goodfit.engine.goodness.contract import Contract, refuse_arguments
from goodfit.engine.goodness.losses import Loss
from goodfit.errors import PlanError

K, N, STEPS, CLASSES = 3, 5, 4, 6


def scores_and_places(*, classes_first):
    """Scores as a network returns them, the same in one line, and targets with places that do not count."""
    generator = torch.Generator().manual_seed(0)
    out_KNCT = torch.randn(K, N, CLASSES, STEPS, generator=generator)
    y_NT = torch.randint(CLASSES, (N, STEPS), generator=generator)
    y_NT[0, 2:] = -100
    line_KNO = out_KNCT.transpose(2, 3).reshape(K, N, -1)
    shape = (CLASSES, STEPS) if classes_first else (STEPS, CLASSES)
    contract = Contract(output_shape=shape, class_axis=0 if classes_first else -1, target_shape=(STEPS,))
    return out_KNCT, line_KNO, y_NT, contract


def test_a_loss_of_the_users_own_gets_its_own_number_for_what_does_not_count():
    out_KNCT, line_KNO, y_NT, contract = scores_and_places(classes_first=True)
    judge = nn.CrossEntropyLoss(weight=torch.arange(1.0, CLASSES + 1), ignore_index=255)
    contract = dataclasses.replace(contract, function=judge, ignored=255)
    loss = Loss(name="mine", kind="places", num_outputs=STEPS * CLASSES, contract=contract)
    found_K = loss.rows(line_KNO, y_NT[None]).mean(-1)
    expected = [judge(out_NCT, y_NT.masked_fill(y_NT < 0, 255)) for out_NCT in out_KNCT]
    torch.testing.assert_close(found_K, torch.stack(expected))


def test_cross_entropy_of_places_is_torchs_with_places_that_do_not_count():
    out_KNCT, line_KNO, y_NT, contract = scores_and_places(classes_first=True)
    loss = Loss(name="cross-entropy", kind="places", num_outputs=STEPS * CLASSES, contract=contract)
    found_K = loss.rows(line_KNO, y_NT[None]).mean(-1)
    expected = [F.cross_entropy(out_NCT, y_NT) for out_NCT in out_KNCT]
    torch.testing.assert_close(found_K, torch.stack(expected))
    smoothed_K = loss.rows(line_KNO, y_NT[None], smoothing_K1=torch.full((K, 1), 0.1)).mean(-1)
    expected = [F.cross_entropy(out_NCT, y_NT, label_smoothing=0.1) for out_NCT in out_KNCT]
    torch.testing.assert_close(smoothed_K, torch.stack(expected))


@pytest.mark.parametrize("classes_first", [True, False])
def test_the_users_function_gets_what_the_network_returned(classes_first):
    out_KNCT, line_KNO, y_NT, contract = scores_and_places(classes_first=classes_first)

    def own(outputs, targets):
        assert targets.shape == (N, STEPS)
        assert targets.dtype == torch.int64
        if not classes_first:
            outputs = outputs.transpose(1, 2)
        return F.cross_entropy(outputs, targets) * 2

    loss = Loss(
        name="own",
        kind="places",
        num_outputs=STEPS * CLASSES,
        contract=Contract(
            output_shape=contract.output_shape,
            class_axis=contract.class_axis,
            target_shape=(STEPS,),
            function=own,
        ),
    )
    rows_KN = loss.rows(line_KNO, y_NT[None])
    expected = torch.stack([2 * F.cross_entropy(out_NCT, y_NT) for out_NCT in out_KNCT])
    torch.testing.assert_close(rows_KN, expected[:, None].expand(K, N))


def test_labels_and_several_numbers_are_torchs():
    scores_KNO, y_NO = torch.randn(K, N, 4), torch.rand(N, 4).round()
    labels = Loss(name="binary-cross-entropy", kind="labels", num_outputs=4)
    expected = [F.binary_cross_entropy_with_logits(scores_NO, y_NO) for scores_NO in scores_KNO]
    torch.testing.assert_close(labels.rows(scores_KNO, y_NO[None]).mean(-1), torch.stack(expected))
    for name, function in (("squared", F.mse_loss), ("huber", F.huber_loss)):
        numbers = Loss(name=name, kind="numbers", num_outputs=4)
        expected = [function(scores_NO, y_NO) for scores_NO in scores_KNO]
        torch.testing.assert_close(numbers.rows(scores_KNO, y_NO[None]).mean(-1), torch.stack(expected))


def test_gradients_are_those_of_the_users_loop():
    net = nn.Linear(4, 1)
    x, y = torch.randn(N, 4), torch.randn(N, 1)
    F.l1_loss(net(x), y).backward()
    contract = Contract(
        output_shape=(1,), target_shape=(1,), target_dtype="float32", function=nn.L1Loss(reduction="none")
    )
    loss = Loss(name="L1Loss", kind="numbers", num_outputs=1, contract=contract)
    (found,) = torch.autograd.grad(loss.rows(net(x)[None], y[None, :, 0]).mean(), [net.weight])
    torch.testing.assert_close(found, net.weight.grad)


def test_scores_of_places_are_right_places_over_places_that_count():
    _, line_KNO, y_NT, contract = scores_and_places(classes_first=True)
    loss = Loss(name="cross-entropy", kind="places", num_outputs=STEPS * CLASSES, contract=contract)
    predicted_KNO = loss.predict(line_KNO)
    shares_KNTC = predicted_KNO.unflatten(-1, (STEPS, CLASSES))
    torch.testing.assert_close(shares_KNTC.sum(-1), torch.ones(K, N, STEPS))
    counted = y_NT >= 0
    expected = [(s.argmax(-1) == y_NT)[counted].float().mean() for s in shares_KNTC]
    torch.testing.assert_close(loss.score(predicted_KNO, y_NT[None]).mean(-1), torch.stack(expected))


def test_scores_of_labels_and_numbers_are_means_over_them():
    scores_KNO, y_NO = torch.randn(K, N, 4), torch.rand(N, 4).round()
    labels = Loss(name="binary-cross-entropy", kind="labels", num_outputs=4)
    expected = ((scores_KNO > 0) == (y_NO > 0)).float().mean((1, 2))
    found = labels.score(labels.predict(scores_KNO), y_NO[None]).mean(-1)
    torch.testing.assert_close(found, expected)
    from sklearn.metrics import r2_score

    numbers = Loss(name="squared", kind="numbers", num_outputs=4)
    y_NO = torch.randn(N, 4)
    expected = [r2_score(y_NO.numpy(), scores_NO.numpy()) for scores_NO in scores_KNO]
    found = numbers.score(scores_KNO, y_NO[None]).mean(-1)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=1e-4)


def test_shares_are_not_squeezed_twice():
    contract = Contract(output_shape=(1,), function=nn.BCELoss())
    loss = Loss(name="BCELoss", kind="classes", num_outputs=1, contract=contract, is_share=True)
    torch.testing.assert_close(loss.predict(torch.tensor([[0.2]])), torch.tensor([[0.8, 0.2]]))


def test_what_the_function_returns_must_be_one_number_or_one_a_row():
    contract = Contract(output_shape=(2,), function=lambda outputs, targets: outputs[:2])
    with pytest.raises(PlanError, match=r"returns \(2, 2\) for 5 rows"):
        contract.rows(torch.zeros(1, N, 2), torch.zeros(1, N, dtype=torch.long))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (nn.CTCLoss(), "input_lengths, target_lengths"),
        (nn.TripletMarginLoss(), "also needs negative"),
        (lambda outputs, targets, weight: None, "also needs weight"),
        (lambda outputs: None, "fewer than two"),
    ],
)
def test_a_loss_that_needs_more_is_refused_by_name(function, words):
    with pytest.raises(PlanError, match=words) as caught:
        refuse_arguments(function)
    assert "lambda outputs, targets" in caught.value.fix
