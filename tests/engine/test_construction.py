"""What is remembered of the networks that were built."""

from __future__ import annotations

from tests.engine.conftest import make_plan, make_split

from goodfit.engine import construction
from goodfit.engine.candidate import Candidate
from goodfit.engine.construction import chain_in
from goodfit.nets.mlp import MLP


def test_a_network_is_read_once_while_it_is_among_the_last_asked_for(monkeypatch):
    read = []
    monkeypatch.setattr(construction, "chain_of", lambda module, sizes, example_ND: read.append(module))
    monkeypatch.setattr(construction, "MOST_CHAINS", 2)
    monkeypatch.setattr(construction, "_chains", {})
    split = make_split()
    first, second, third = (
        Candidate(arm="a", seed=0, plan=make_plan(network=MLP(widths=(width,)))) for width in (3, 4, 5)
    )
    for candidate in (first, second, first, third, first, third):
        chain_in(candidate, split)
    assert len(read) == 3
    assert len(construction._chains) == 2
    chain_in(second, split)
    assert len(read) == 4
    assert len(construction._chains) == 2
