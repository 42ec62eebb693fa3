"""Adam in place is the pure rule, step by step."""

from __future__ import annotations

import pytest
import torch

from goodfit.engine.moves import fused
from goodfit.engine.moves.fused import ROWS_ALONE, AdamInPlace
from goodfit.rules.adaptive import Adam

NUM_STEPS = 40
RULES = (
    Adam(lr=1e-3),
    Adam(lr=1e-3),  # neighbours of equal settings share one call
    Adam(lr=0.1, beta1=0.5, beta2=0.9, eps=1e-3),
    Adam(lr=0.02, beta1=0.0, eps=1e-15),
    Adam(lr=1e-3),
)


def column_of(name):
    return torch.tensor([[rule.hyperparameters()[name]] for rule in RULES], dtype=torch.float64)


def paths(num_parameters):
    """Walk down valleys of curvature 1 to 10,000 with noise, by the pure rule and in place."""
    generator = torch.Generator().manual_seed(0)
    curvature_P = torch.logspace(0, 4, num_parameters, dtype=torch.float64)
    floor_P = torch.linspace(1, 3, num_parameters, dtype=torch.float64)  # away from zero
    pure_KP = floor_P + torch.randn(len(RULES), num_parameters, generator=generator, dtype=torch.float64)
    moved_KP = pure_KP.clone()
    hyper = {name: column_of(name) for name in RULES[0].hyperparameters()}
    pure_state, moved_state, move = Adam.start(pure_KP), Adam.start(moved_KP), AdamInPlace()
    for t in range(1, NUM_STEPS + 1):
        noise_KP = torch.randn(pure_KP.shape, generator=generator, dtype=torch.float64)
        # one gradient for both: a curvature of 10,000 would blow a rounding in one path up at the next step
        gradient_KP = curvature_P * (pure_KP - floor_P) + noise_KP
        change_KP, pure_state = Adam.update(gradient_KP, pure_state, hyper, t)
        pure_KP = pure_KP + change_KP
        move(moved_KP, gradient_KP.clone(), moved_state, hyper, t=t)
        yield pure_KP, moved_KP, pure_state, moved_state


@pytest.mark.parametrize("limit", [1, ROWS_ALONE], ids=["row by row", "all at once"])
def test_every_step_is_the_pure_rules_for_each_candidates_own_numbers(limit, monkeypatch):
    monkeypatch.setattr(fused, "ROWS_ALONE", limit)
    taken = 0
    for pure_KP, moved_KP, pure_state, moved_state in paths(9):
        # a weight that passes through zero is known to its rounding only
        torch.testing.assert_close(moved_KP, pure_KP, rtol=1e-12, atol=1e-14)
        for slot in Adam.slots:
            torch.testing.assert_close(moved_state[slot], pure_state[slot], rtol=1e-12, atol=1e-12)
        taken += 1
    assert taken == NUM_STEPS


def test_the_two_ways_are_taken_below_and_from_the_limit(monkeypatch):
    ways = []
    monkeypatch.setattr(fused, "_all_at_once", lambda *_, **__: ways.append("all at once"))
    monkeypatch.setattr(AdamInPlace, "_row_by_row", lambda *_, **__: ways.append("row by row"))
    for num_parameters in (ROWS_ALONE - 1, ROWS_ALONE):
        w_KP, g_KP = torch.zeros(2, 1, num_parameters).unbind()
        AdamInPlace()(w_KP, g_KP, Adam.start(w_KP), {}, t=1)
    assert ways == ["all at once", "row by row"]


@pytest.mark.parametrize("num_parameters", [9, ROWS_ALONE])
def test_rows_of_a_larger_buffer_are_moved_where_they_lie(num_parameters):
    flat_KP = torch.ones(4, num_parameters, dtype=torch.float64)
    rows = slice(1, 3)
    hyper = {name: column_of(name)[rows] for name in RULES[0].hyperparameters()}
    AdamInPlace()(flat_KP[rows], torch.ones_like(flat_KP)[rows], Adam.start(flat_KP[rows]), hyper, t=1)
    assert torch.equal(flat_KP[[0, 3]], torch.ones(2, num_parameters, dtype=torch.float64))
    # the first step has the length of the learning rate, but for eps
    expected_21 = 1 - column_of("lr")[rows] / (1 + column_of("eps")[rows])
    torch.testing.assert_close(flat_KP[rows], expected_21.expand(2, num_parameters), rtol=1e-12, atol=0)


def test_new_memory_and_new_numbers_are_noticed():
    move, w_KP = AdamInPlace(), torch.ones(2, ROWS_ALONE, dtype=torch.float64)
    state = Adam.start(w_KP)
    for lr in (0.1, 0.2):
        hyper = {name: column_of(name)[:2] for name in RULES[0].hyperparameters()}
        hyper["lr"] = torch.full((2, 1), lr, dtype=torch.float64)
        state = {slot: tensor.clone() for slot, tensor in state.items()}
        before_KP, w_KP = w_KP, w_KP.clone()
        move(w_KP, torch.ones_like(w_KP), state, hyper, t=1)
        # of the first step each moment is as large as the correction expects, of the second nearly twice
        assert bool((w_KP < before_KP - 0.9 * lr).all())
