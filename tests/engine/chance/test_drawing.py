"""Inside a batch each candidate draws what it would draw alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch.func import vmap

from goodfit.engine.chance.drawing import PerCandidate, seeded

SEEDS = (3, 5, 3)


def twice(function):
    """Draw for a second time, so that the streams have to run on."""
    return lambda x: function(function(x))


DRAWS = {
    "dropout": lambda x: F.dropout(x, 0.4),
    "whole channels": lambda x: F.dropout1d(x, 0.4),
    "normal noise": lambda x: x + torch.randn_like(x),
    "even noise": lambda x: x + torch.rand_like(x),
    "noise of a row": lambda x: x + torch.randn(x.shape[-1]) + torch.rand(x.shape[-1]),
    "coins": lambda x: torch.bernoulli(x.sigmoid()) + x,
    "filled": lambda x: x + torch.empty_like(x).uniform_() + torch.empty_like(x).normal_(),
    "waiting times": lambda x: x + torch.empty_like(x).exponential_(),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.4),
    "attention without dropout": lambda x: F.scaled_dot_product_attention(x, x, x),
}


def together(function, x_K):
    with PerCandidate(SEEDS):
        return vmap(function, randomness="different")(x_K)


@pytest.mark.parametrize("name", DRAWS)
def test_a_candidate_draws_what_it_would_draw_alone(name):
    function, x_K = twice(DRAWS[name]), torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    alone = []
    for seed, x in zip(SEEDS, x_K, strict=True):
        with seeded(seed):
            alone.append(function(x))
    torch.testing.assert_close(together(function, x_K), torch.stack(alone))


def test_candidates_of_one_seed_draw_the_same_and_others_do_not():
    drawn = together(DRAWS["normal noise"], torch.zeros(3, 4))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_torchs_stream_runs_on_from_where_it_was():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    together(DRAWS["dropout"], torch.zeros(3, 4))
    with seeded(9):
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_way_of_drawing_that_is_not_known_is_refused():
    with pytest.raises(NotImplementedError, match="random numbers by aten"):
        together(lambda x: x + torch.randint(5, (4,)), torch.zeros(3, 4))
