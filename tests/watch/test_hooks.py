"""What stands in torch's place while a script is watched, and what between two looks."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import nn

from goodfit.watch.hooks import Hooks


@pytest.fixture
def hooks():
    hooks = Hooks(on_step=lambda collector: None, on_failure=pytest.fail)
    yield hooks
    hooks.detach()


def train(num_steps):
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    rule = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(num_steps):
        rule.zero_grad()
        nn.functional.mse_loss(network(torch.randn(4, 3)), torch.ones(4, 1)).backward()
        rule.step()


def test_between_two_looks_nothing_stands_around_backward(hooks):
    plain = torch.autograd.backward.__wrapped__
    train(2)
    assert hooks.collector.is_awake
    hooks.collector.rest()
    assert torch.autograd.backward is plain
    hooks.collector.wake()
    assert torch.autograd.backward.__wrapped__ is plain


def test_a_wrapper_put_around_ours_stays_and_a_loss_is_heard_once(hooks):
    passed = []
    ours, plain = torch.autograd.backward, torch.autograd.backward.__wrapped__

    @functools.wraps(ours)
    def theirs(*arguments, **options):
        passed.append(arguments)
        return ours(*arguments, **options)

    torch.autograd.backward = theirs
    hooks.collector.rest()
    assert torch.autograd.backward is theirs
    hooks.collector.wake()  # ours stands around theirs now, and an older one below it
    heard = len(hooks.collector.observe(is_over=False).objective)
    train(2)
    assert len(passed) == 2
    assert len(hooks.collector.observe(is_over=False).objective) == heard + 2
    hooks.detach()
    still_theirs, torch.autograd.backward = torch.autograd.backward, plain
    assert still_theirs is theirs


def test_steps_are_counted_between_two_looks(hooks):
    train(5)
    hooks.cadence.spent += 1e6  # nothing more is due
    train(20)
    assert not hooks.collector.is_awake
    before = hooks.cadence.num_steps
    train(30)
    assert hooks.cadence.num_steps == before + 30
