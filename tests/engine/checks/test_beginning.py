"""The start of a network: scales of weights, and units that stay copies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from goodfit.engine.checks.beginning import has_batch_norm, initial_scales, is_normalised, twin_layers
from goodfit.engine.ways.one_by_one import OneByOne


def network(start=None, *, width=64, norm=None):
    torch.manual_seed(0)
    parts = [nn.Linear(100, width), norm, nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)]
    module = nn.Sequential(*(part for part in parts if part is not None))
    with torch.no_grad():
        for part in module:
            if start is not None and isinstance(part, nn.Linear):
                start(part.weight)
                part.bias.zero_()
    return module


@pytest.mark.parametrize(
    ("start", "scale"),
    [
        (None, 3**-0.5),
        (nn.init.kaiming_normal_, 2**0.5),
        (lambda w: nn.init.normal_(w, std=1), 9),
        (nn.init.zeros_, 0),
    ],
    ids=["torch", "he", "one", "zero"],
)
def test_the_scale_is_that_of_the_start(start, scale):
    found = dict(initial_scales(network(start)))
    assert list(found) == ["0", "2"]  # the last layer may start near zero
    assert found["0"] == pytest.approx(scale, rel=0.15)


def test_norms_are_recognised():
    assert not is_normalised(network())
    assert is_normalised(network(norm=nn.LayerNorm(64)))
    assert has_batch_norm(network(norm=nn.BatchNorm1d(64)))
    assert not has_batch_norm(network(norm=nn.LayerNorm(64)))


def after_steps(start, *, biases=False):
    """Two candidates with this start, after some steps of gradient descent."""
    modules = []
    for seed in range(2):
        module = network(start)
        if biases:
            module[0].bias.data.normal_()
            module[2].bias.data.normal_()
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        generator = torch.Generator().manual_seed(seed)
        x_ND = torch.randn(16, 100, generator=generator)
        y_N = torch.randint(3, (16,), generator=generator)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x_ND), y_N).backward()
            optimizer.step()
        modules.append(module)
    return OneByOne(modules)


@pytest.mark.parametrize("start", [nn.init.zeros_, lambda w: w.fill_(0.02)], ids=["zero", "one number"])
def test_units_that_start_as_copies_stay_so(start):
    assert twin_layers(after_steps(start)) == ("0", "2")


def test_units_of_a_sound_start_are_different():
    assert twin_layers(after_steps(None)) == ()


def test_biases_of_their_own_make_units_different():
    backend = after_steps(lambda weight: weight.fill_(0.02), biases=True)
    assert twin_layers(backend) == ()


def test_one_candidate_with_different_units_is_enough():
    backend = after_steps(nn.init.zeros_)
    for parameter in backend.flat_KP[:1]:
        parameter.data.copy_(torch.randn_like(parameter))
    assert twin_layers(backend) == ()
