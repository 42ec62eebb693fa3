"""Gradients by hand are those of autograd, for every structure, loss and way to regularise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine import products
from goodfit.engine.machine.products import on_threads
from goodfit.engine.ways import by_hand, pieces, stacked
from goodfit.engine.ways.backend import Backend, Batch, Dropout
from goodfit.engine.ways.construction import build_module
from goodfit.engine.ways.stacked import Stacked
from goodfit.nets.activations import ACTIVATIONS
from goodfit.nets.mlp import MLP

K, N = 3, 13
LOSSES = {
    "cross-entropy": Loss(name="cross-entropy", kind="classes", num_outputs=3),
    "weighted cross-entropy": Loss(
        name="cross-entropy", kind="classes", num_outputs=3, class_weights=(0.5, 1.0, 3.0)
    ),
    "squared on classes": Loss(name="squared", kind="classes", num_outputs=3),
    "binary cross-entropy": Loss(name="binary-cross-entropy", kind="classes", num_outputs=1),
    "squared": Loss(name="squared", kind="numbers", num_outputs=1),
    "huber": Loss(name="huber", kind="numbers", num_outputs=1),
}


def modules_of(network, loss=LOSSES["cross-entropy"], *, cardinalities=(), num_candidates=K):
    plan = make_plan(network=network, loss=loss)
    split = make_split(cardinalities=cardinalities)
    return [build_module(Candidate(arm="a", seed=k, plan=plan), split) for k in range(num_candidates)]


def stack_of(network, loss=LOSSES["cross-entropy"], **sizes):
    return Stacked(network, modules_of(network, loss, **sizes))


def rows_of(loss=LOSSES["cross-entropy"], *, cardinalities=(), num_candidates=K, shared=False):
    generator = torch.Generator().manual_seed(1)
    lead = (N,) if shared else (num_candidates, N)
    codes = [torch.randint(size, lead, generator=generator) for size in cardinalities]
    batch = Batch(
        x=torch.randn(*lead, 5, generator=generator),
        codes=torch.stack(codes, dim=-1) if codes else None,
        shared=shared,
    )
    if loss.kind == "numbers":
        return batch, 2 * torch.randn(num_candidates, N, generator=generator)
    return batch, torch.randint(max(2, loss.num_outputs), (num_candidates, N), generator=generator)


def dropout_of(hidden=0.0, inputs=0.0, *, num_candidates=K):
    """Dropout with fresh streams; the first candidate has none."""
    share_K1 = torch.arange(num_candidates).unsqueeze(1) / num_candidates
    return Dropout(
        hidden_K1=hidden * share_K1,
        input_K1=inputs * share_K1,
        hidden_streams=Streams(0, "hidden", seeds=range(num_candidates)),
        input_streams=Streams(0, "inputs", seeds=range(num_candidates)),
    )


def both(stack, rows, loss, *, smoothing=0.0, hidden=0.0, inputs=0.0):
    """Gradients and buffers by autograd and by hand, each with the draws of fresh streams."""
    smoothing_K1 = smoothing * torch.arange(len(stack.flat_KP)).unsqueeze(1) / K if smoothing else None
    start = stack.copied_buffers()
    found = []
    for way in (Backend.loss_gradients, Stacked.loss_gradients):
        stack.put(stack.flat_KP, start)
        dropout = dropout_of(hidden, inputs, num_candidates=len(stack.flat_KP))
        grad_KP = way(stack, *rows, loss=loss, smoothing_K1=smoothing_K1, dropout=dropout)
        found.append((grad_KP.clone(), stack.copied_buffers()))
    return found


def assert_same(found, *, rtol=1e-9):
    (grad_KP, buffers), (by_hand_KP, by_hand_buffers) = found
    assert grad_KP.abs().max() > 1e-6
    torch.testing.assert_close(by_hand_KP, grad_KP, rtol=rtol, atol=1e-13)
    torch.testing.assert_close(by_hand_buffers, buffers, rtol=rtol, atol=0)


@pytest.mark.usefixtures("double")
class TestAgainstAutograd:
    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("normalisation", [None, "batch", "layer"])
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_every_activation_normalisation_and_loss(self, activation, normalisation, name):
        network = MLP(widths=(7, 4), activation=activation, pieces=3, normalisation=normalisation)
        loss = LOSSES[name]
        # a bias before batch normalisation has gradient zero, and rounding is all there is of it
        assert_same(both(stack_of(network, loss), rows_of(loss), loss, smoothing=0.2, hidden=0.5, inputs=0.4))

    @settings(max_examples=60, deadline=None)
    @given(
        network=st.builds(
            MLP,
            widths=st.lists(st.sampled_from([3, 5]), max_size=3).map(tuple),
            activation=st.sampled_from(sorted(ACTIVATIONS)),
            pieces=st.sampled_from([2, 4]),
            normalisation=st.sampled_from([None, "batch", "layer"]),
            skip=st.booleans(),
        ),
        loss=st.sampled_from(list(LOSSES.values())),
        smoothing=st.sampled_from([0.0, 0.3]),
        hidden=st.sampled_from([0.0, 0.6]),
        inputs=st.sampled_from([0.0, 0.5]),
        cardinalities=st.sampled_from([(), (4,), (3, 9)]),
        shared=st.booleans(),
    )
    def test_every_combination(self, network, loss, smoothing, hidden, inputs, cardinalities, shared):
        rows = rows_of(loss, cardinalities=cardinalities, shared=shared)
        stack = stack_of(network, loss, cardinalities=cardinalities)
        assert_same(both(stack, rows, loss, smoothing=smoothing, hidden=hidden, inputs=inputs))

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("small_kernels", [True, False])
    @pytest.mark.parametrize("normalisation", [None, "batch"])
    def test_whichever_library_takes_the_products(self, normalisation, small_kernels, threads, monkeypatch):
        monkeypatch.setattr(products, "has_small_kernels", lambda: small_kernels)
        monkeypatch.setattr(products, "SMALL", 100)
        network, loss = MLP(widths=(12, 12, 12), normalisation=normalisation, skip=True), LOSSES["squared"]
        rows = rows_of(loss, num_candidates=5)
        rows = Batch(x=rows[0].x[:, :12], codes=None, shared=False), rows[1][:, :12]
        with on_threads(threads):
            stack = stack_of(network, loss, num_candidates=5)
            assert_same(both(stack, rows, loss, hidden=0.5))
            slices = [
                Batch(x=rows[0].x[:, own], codes=None, shared=False) for own in (slice(8), slice(8, 12))
            ]
            scores_KON = stack.scores_of(slices)
            torch.testing.assert_close(
                scores_KON, stack.scores(rows[0]).transpose(1, 2), rtol=1e-9, atol=1e-12
            )

    @pytest.mark.parametrize("near_floats", [1, 1500, 10**9], ids=["alone", "some", "all"])
    @pytest.mark.parametrize("large_weights", [1, 10**9], ids=["at once", "beside"])
    def test_groups_and_where_products_are_written_change_nothing(
        self, near_floats, large_weights, monkeypatch
    ):
        monkeypatch.setattr(by_hand, "NEAR_FLOATS", near_floats)
        monkeypatch.setattr(pieces, "LARGE_WEIGHTS", large_weights)
        network = MLP(widths=(5, 5), normalisation="batch", skip=True)
        stack = stack_of(network, cardinalities=(4,), num_candidates=5)
        rows = rows_of(cardinalities=(4,), num_candidates=5)
        assert_same(both(stack, rows, LOSSES["cross-entropy"], smoothing=0.1, hidden=0.5, inputs=0.2))

    def test_the_number_of_rows_may_change_from_call_to_call(self):
        stack, loss = stack_of(MLP(widths=(6,))), LOSSES["cross-entropy"]
        batch, y_KN = rows_of()
        for num_rows in (N, 4, N, 1):
            fewer = Batch(x=batch.x[:, :num_rows], codes=None, shared=False)
            assert_same(both(stack, (fewer, y_KN[:, :num_rows]), loss))

    def test_those_who_stay_are_differentiated_as_before(self):
        stack, loss = stack_of(MLP(widths=(6, 6), normalisation="batch")), LOSSES["cross-entropy"]
        batch, y_KN = rows_of()
        kept = torch.tensor([2, 0])
        before_KP = stack.loss_gradients(batch, y_KN, loss=loss, dropout=dropout_of())[kept].clone()
        stack.keep(kept)
        fewer = Batch(x=batch.x[kept], codes=None, shared=False)
        after_KP = stack.loss_gradients(fewer, y_KN[kept], loss=loss, dropout=dropout_of(num_candidates=2))
        torch.testing.assert_close(after_KP, before_KP, rtol=1e-12, atol=1e-15)

    def test_it_follows_weights_that_were_put_in_place(self):
        stack, loss = stack_of(MLP(widths=(6,))), LOSSES["cross-entropy"]
        both(stack, rows_of(), loss)
        stack.put(stack.flat_KP * 2, {})
        assert_same(both(stack, rows_of(), loss))


def test_a_diverged_neighbour_contaminates_nobody():
    stack, loss = stack_of(MLP(widths=(6, 6))), LOSSES["cross-entropy"]
    expected_KP = stack.loss_gradients(*rows_of(), loss=loss, dropout=dropout_of()).clone()
    stack.flat_KP[1] = torch.inf
    grad_KP = stack.loss_gradients(*rows_of(), loss=loss, dropout=dropout_of())
    assert torch.equal(grad_KP[[0, 2]], expected_KP[[0, 2]])
    assert not torch.isfinite(grad_KP[1]).all()


def test_every_step_writes_to_the_same_memory():
    stack, loss = stack_of(MLP(widths=(6, 6))), LOSSES["cross-entropy"]
    first, second = (stack.loss_gradients(*rows_of(), loss=loss, dropout=dropout_of()) for _ in range(2))
    assert first.data_ptr() == second.data_ptr()


@pytest.mark.usefixtures("double")
def test_what_is_not_written_by_hand_goes_through_autograd(monkeypatch):
    network, loss = MLP(widths=(6,)), LOSSES["cross-entropy"]
    expected_KP = stack_of(network).loss_gradients(*rows_of(), loss=loss, dropout=dropout_of()).clone()
    monkeypatch.setattr(stacked, "BY_HAND", frozenset())
    monkeypatch.setattr(by_hand.ByHand, "gradients", None)
    grad_KP = stack_of(network).loss_gradients(*rows_of(), loss=loss, dropout=dropout_of())
    torch.testing.assert_close(grad_KP, expected_KP, rtol=1e-9, atol=1e-13)


@pytest.mark.usefixtures("double")
def test_in_evaluation_mode_the_running_statistics_count():
    stack, loss = stack_of(MLP(widths=(6,), normalisation="batch")), LOSSES["cross-entropy"]
    before = stack.copied_buffers()
    grad_KP = stack.loss_gradients(*rows_of(), loss=loss)
    assert not torch.allclose(grad_KP, stack.loss_gradients(*rows_of(), loss=loss, dropout=dropout_of()))
    stack.put(stack.flat_KP, before)
    assert torch.equal(grad_KP, Backend.loss_gradients(stack, *rows_of(), loss=loss))


class TestShorterNumbers:
    """In bfloat16 a gradient is blurred by its eight bits, and nothing that is kept is rounded."""

    @pytest.mark.parametrize("normalisation", [None, "batch", "layer"])
    @pytest.mark.parametrize("activation", sorted(pieces.BY_HAND))
    def test_gradients_point_the_same_way(self, activation, normalisation):
        network = MLP(widths=(32, 16), activation=activation, normalisation=normalisation, skip=True)
        loss = LOSSES["cross-entropy"]
        exact = stack_of(network)
        blurred = Stacked(network, modules_of(network), dtype=torch.bfloat16)
        grads = [
            stack.loss_gradients(*rows_of(), loss=loss, dropout=dropout_of(0.5, 0.3))
            for stack in (exact, blurred)
        ]
        assert grads[1].dtype == torch.float32
        # a sum near a kink may fall on its other side, and 13 rows have few others to make up for it
        is_smooth = activation in {"sigmoid", "tanh", "gelu", "silu"}
        assert torch.nn.functional.cosine_similarity(*grads, dim=1).min() > (0.999 if is_smooth else 0.95)
        assert not torch.equal(*grads)

    def test_weights_and_scores_stay_as_they_are(self):
        network = MLP(widths=(8,))
        exact, blurred = stack_of(network), Stacked(network, modules_of(network), dtype=torch.bfloat16)
        assert blurred.flat_KP.dtype == torch.float32
        assert torch.equal(exact.scores(rows_of()[0]), blurred.scores(rows_of()[0]))

    def test_later_steps_see_the_weights_as_they_have_become(self):
        network = MLP(widths=(8,))
        blurred = Stacked(network, modules_of(network), dtype=torch.bfloat16)
        loss, rows = LOSSES["cross-entropy"], rows_of()
        before = blurred.loss_gradients(*rows, loss=loss, dropout=dropout_of()).clone()
        blurred.flat_KP.data.mul_(0.5)
        assert not torch.equal(before, blurred.loss_gradients(*rows, loss=loss, dropout=dropout_of()))
