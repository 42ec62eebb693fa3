from __future__ import annotations

import json

import pytest
import torch

from goodfit.errors import PlanError
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network, Sizes, collapse, embedding_width

NETWORKS = [
    MLP(widths=(8, 8), activation="maxout", pieces=3, normalisation="batch", skip=True, initialisation="he"),
    MLP(widths=()),
    CNN(channels=(4, 8), widths=(16,), activation="silu"),
    Given(factory="torch.nn:Linear"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_a_network_survives_json(network):
    again = Network.from_dict(json.loads(json.dumps(network.to_dict())))
    assert again == network
    assert hash(again) == hash(network)


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(PlanError, match="'transformer'"):
        Network.from_dict({"kind": "transformer"})


@pytest.mark.parametrize("network", NETWORKS[:3], ids=repr)
def test_the_same_seed_builds_the_same_module_and_another_seed_another(network):
    sizes = Sizes(inputs=(1, 8, 8), cardinalities=(3,), outputs=2)
    built = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        built.append(network.build(sizes).state_dict())
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])
    assert not torch.equal(built[0]["output.weight"], built[2]["output.weight"])


def test_counting_leaves_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert MLP(widths=(5,)).count(Sizes(inputs=(4,), outputs=2)) == 4 * 5 + 5 + 5 * 2 + 2
    assert torch.equal(torch.rand(1), expected)


def test_embeddings_grow_with_the_codes_up_to_fifty():
    widths = [embedding_width(cardinality) for cardinality in (1, 2, 10, 100, 10_000)]
    assert widths == [2, 2, 6, 21, 50]


@pytest.mark.parametrize(
    ("widths", "words"), [((3,), "3"), ((3, 3), "3x2"), ((64, 32, 32, 32, 10), "64-32x3-10"), ((), "")]
)
def test_repeated_widths_are_written_once(widths, words):
    assert collapse(widths) == words
