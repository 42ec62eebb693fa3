"""What is remembered of the networks that were built."""

from __future__ import annotations

import pytest
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.engine.candidate import Candidate
from goodfit.engine.ways import construction
from goodfit.engine.ways.construction import chain_in, forget_networks
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP


def given(width):
    def make(inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))

    return Given(factory=make)


def candidate_of(network):
    return Candidate(arm="a", seed=0, plan=make_plan(network=network))


@pytest.fixture
def read(monkeypatch):
    """Notes every reading."""
    noted = []
    monkeypatch.setattr(construction, "chain_of", lambda module, sizes, example_ND: noted.append(module))
    monkeypatch.setattr(construction, "MOST_CHAINS", 2)
    monkeypatch.setattr(construction, "_chains", {})
    return noted


def test_a_network_is_read_once_while_it_is_among_the_last_asked_for(read):
    split = make_split()
    first, second, third = (candidate_of(given(width)) for width in (3, 4, 5))
    for candidate in (first, second, first, third, first, third):
        chain_in(candidate, split)
    assert len(read) == 3
    assert len(construction._chains) == 2
    chain_in(second, split)
    assert len(read) == 4
    assert len(construction._chains) == 2


def test_what_was_read_can_be_forgotten(read):
    split, candidate = make_split(), candidate_of(given(3))
    chain_in(candidate, split)
    forget_networks()
    chain_in(candidate, split)
    assert len(read) == 2


@pytest.mark.parametrize("network", [MLP(widths=(3,)), CNN(channels=(4,))], ids=lambda network: network.kind)
def test_the_packages_own_networks_are_not_read(read, network):
    assert chain_in(candidate_of(network), make_split()) is None
    assert not read
