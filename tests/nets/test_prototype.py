"""A copy of a prototype, filled with another network's weights, is that network edited, bit for bit."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from goodfit.nets import given
from goodfit.nets.given import Given
from goodfit.nets.network import Sizes
from goodfit.nets.prototype import differ_in_weights_only

FLAT, IMAGES = Sizes(inputs=(6,), outputs=3), Sizes(inputs=(1, 8, 8), outputs=2)


class Calling(nn.Module):
    """Calls its activations as functions; its first layer stands in the last one's place too."""

    def __init__(self, width=8):
        super().__init__()
        self.width, self.names = width, ("first", "second")
        self.first, self.second, self.last = nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 3)
        self.register_buffer("shift", torch.randn(width))
        self.again = self.first

    def forward(self, x):
        x = torch.sigmoid(self.first(x)) + self.shift
        return self.last(x + torch.tanh(self.second(x)))


class Frozen(Calling):
    def __init__(self):
        super().__init__()
        self.first.requires_grad_(False)


def convolving():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(256, 2),
        nn.Softmax(dim=1),
    )


class Reading(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Linear(2, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.lstm, self.last = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        words = self.layer(self.words(x.unflatten(1, (3, 2))))
        return self.last(F.relu(self.lstm(words)[0][:, -1]))


NETWORKS = {
    "functions": (Calling, FLAT),
    "frozen": (Frozen, FLAT),
    "convolutions": (convolving, IMAGES),
    "transformer and lstm": (Reading, FLAT),
}
EDITS = {
    "activation": {"activation": "prelu"},
    "start": {"activation": "relu", "initialisation": "he"},
    "start alone": {"initialisation": "orthogonal"},
    "norms": {"normalisation": "layer", "skip": True},
    "output": {"plain_output": True},
    "all": {
        "activation": "gelu",
        "initialisation": "xavier",
        "normalisation": "batch",
        "skip": True,
        "plain_output": True,
    },
}


def built(network, sizes, *, seed, dropout=0.0):
    torch.manual_seed(seed)
    module = network.build(sizes, dropout=dropout)
    return module, torch.get_rng_state()


def outputs(module, sizes, *, training):
    torch.manual_seed(5)
    return module.train(training)(torch.randn(4, *sizes.inputs))


@pytest.fixture(autouse=True)
def _nothing_is_known():
    given.forget()
    yield
    given.forget()


@pytest.mark.parametrize(("name", "dropout"), [*itertools.product(NETWORKS, (0.0, 0.25))])
@pytest.mark.parametrize("edits", EDITS)
def test_every_seed_gets_what_editing_it_would_make(monkeypatch, name, edits, dropout):
    factory, sizes = NETWORKS[name]
    network = Given(factory=factory, **EDITS[edits])
    assert network.prototype(sizes, dropout=dropout) is not None
    found = [built(network, sizes, seed=seed, dropout=dropout) for seed in (1, 2)]
    monkeypatch.setattr(given, "_prototype", lambda *_: None)
    for seed, (module, state) in zip((1, 2), found, strict=True):
        wanted, wanted_state = built(network, sizes, seed=seed, dropout=dropout)
        assert torch.equal(state, wanted_state)  # whoever draws next draws the same
        assert str(module) == str(wanted)
        states = (module.state_dict(), wanted.state_dict())
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        learns = [[p.requires_grad for p in each.parameters()] for each in (module, wanted)]
        assert learns[0] == learns[1]
        for training in (False, True):
            one, other = (outputs(each, sizes, training=training) for each in (module, wanted))
            assert torch.equal(one, other)
    first, second = (module for module, _ in found)
    assert not all(map(torch.equal, first.parameters(), second.parameters()))


def test_copies_share_no_memory():
    network = Given(factory=Calling, activation="relu")
    modules = [built(network, FLAT, seed=seed)[0] for seed in (1, 2)]
    places = [{p.data_ptr() for p in (*module.parameters(), *module.buffers())} for module in modules]
    assert not places[0] & places[1]
    assert modules[0].again is modules[0].first


@pytest.mark.parametrize("edits", [{"widening": 2.0}, {"activation": "maxout"}, {"deepening": 1}], ids=str)
def test_edits_that_draw_numbers_are_made_seed_by_seed(edits):
    assert Given(factory=Calling, **edits).prototype(FLAT, dropout=0.0) is None


def with_tensor(module):
    module.mask = torch.ones(8)


def with_hook(module):
    module.first.register_forward_hook(lambda *_: None)


def with_closure(module):
    module.scale = lambda x: x


def with_width(module):
    module.width = next(COUNT)


def with_list(module):
    module.layers = [module.first]


COUNT = itertools.count()


@pytest.mark.parametrize("odd", [with_tensor, with_hook, with_closure, with_width, with_list])
def test_networks_that_may_differ_in_more_than_weights_are_edited_seed_by_seed(odd):
    def make():
        module = Calling()
        odd(module)
        return module

    assert not differ_in_weights_only(make(), make())
    assert Given(factory=make, activation="relu").prototype(FLAT, dropout=0.0) is None
    assert built(Given(factory=make, activation="relu"), FLAT, seed=1)[0](torch.zeros(2, 6)).shape == (2, 3)


def test_widths_and_kinds_are_compared():
    assert not differ_in_weights_only(Calling(8), Calling(9))
    assert not differ_in_weights_only(nn.Sequential(nn.Tanh()), nn.Sequential(nn.ReLU()))
    assert not differ_in_weights_only(nn.Sequential(nn.Tanh()), nn.Sequential(nn.Tanh(), nn.Tanh()))


def test_a_run_begins_without_what_was_known_of_another(monkeypatch):
    network = Given(factory=Calling, activation="relu")
    built(network, FLAT, seed=1)
    assert given._prototype.cache_info().currsize == 1
    given.forget()
    assert given._prototype.cache_info().currsize == 0
