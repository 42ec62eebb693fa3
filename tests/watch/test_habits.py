"""Batches, sums, loaders and update rules as scripts set them up: each with a healthy twin."""

from __future__ import annotations

import pytest
from mistakes.pieces import OWN

SORTED = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(256, 8)
target = {target}
order = target.flatten().argsort()
rows = TensorDataset(x[order], target[order])
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, {outputs}))
rule = torch.optim.SGD(model.parameters(), lr={lr})
for epoch in range(12):
    for part, answer in DataLoader(rows, batch_size=32, shuffle={shuffle}):
        rule.zero_grad()
        {loss}(model(part), answer).backward()
        rule.step()
"""
CLASSES = {"target": "(x[:, 0] > 0).long()", "outputs": "2", "loss": "nn.functional.cross_entropy"}
NUMBERS = {"target": "x[:, :1] + x[:, 1:2]", "outputs": "1", "loss": "nn.functional.mse_loss"}
SHORT = {**OWN, "epochs": "2"}
SCHEDULE = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 8)
model = nn.Linear(8, 1)
rule = torch.optim.Adam(model.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.LinearLR(rule, 1.0, 0.0, total_iters={iters})
for step in range(2000):
    rule.zero_grad()
    nn.functional.mse_loss(model(x), x[:, :1]).backward()
    rule.step()
    schedule.step()
"""
GATHERED = "losses.append({})"


def named(done):
    assert done.ending.code == 0
    assert done.session.failure is None
    return {found.name for found in done.session.findings}


@pytest.mark.parametrize("kind", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_rows_that_come_sorted_are_seen(watched, kind):
    assert "unshuffled-batches" in named(watched(SORTED.format(**kind, lr=0.1, shuffle=False)))
    assert "unshuffled-batches" not in named(watched(SORTED.format(**kind, lr=0.1, shuffle=True)))


def test_sorted_rows_are_a_warning_only_if_training_suffered(watched):
    assert "unshuffled-batches" in watched(SORTED.format(**CLASSES, lr=1e-6, shuffle=False)).severe
    learning = watched(SORTED.format(**NUMBERS, lr=0.05, shuffle=False).replace("range(12)", "range(100)"))
    assert "unshuffled-batches" in named(learning)
    assert "unshuffled-batches" not in learning.severe


def test_a_sum_over_a_batch_is_told_from_a_mean(watched):
    pieces = {
        "data": "target = numbers",
        "model": "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))",
        "loss": 'nn.MSELoss(reduction="sum")',
    }
    high = "torch.optim.SGD(model.parameters(), lr=0.3)"
    assert "summed-loss" in watched(**pieces, optimizer=high).severe
    assert "summed-loss" in named(watched(**pieces, optimizer="torch.optim.SGD(model.parameters(), lr=1e-4)"))
    assert "summed-loss" not in named(watched(**pieces, total="criterion(out, target[rows]) / len(out)"))
    assert "summed-loss" not in named(watched(**pieces, batch="1", epochs="1", optimizer=high))


def test_losses_gathered_with_their_graphs_are_seen(watched):
    for kept in ("losses.append(loss)", "losses[0] = losses[0] + loss"):
        done = watched(setup="losses = [0.0]", backward=f"loss.backward(); {kept}")
        assert "graphs-kept" in done.severe, kept
    for kept in ("losses.append(loss.item())", "losses[0] += loss.detach()"):
        done = watched(setup="losses = [0.0]", backward=f"loss.backward(); {kept}")
        assert "graphs-kept" not in named(done), kept


def test_a_parameter_listed_twice_is_seen(watched):
    twice = "torch.optim.SGD([*model.parameters(), model[0].weight], lr=0.05)"
    assert "parameters-listed-twice" in watched(optimizer=twice).severe
    groups = (
        "torch.optim.SGD([{'params': model[0].parameters()}, {'params': model[2].parameters()}], lr=0.05)"
    )
    assert "parameters-listed-twice" not in named(watched(optimizer=groups))


def test_a_rate_that_vanishes_before_the_end_is_seen(watched):
    assert "rate-at-zero" in watched(SCHEDULE.format(iters=200)).severe
    assert "rate-at-zero" not in named(watched(SCHEDULE.format(iters=2000)))


def test_decay_is_asked_where_it_falls_and_how(watched):
    adam = "torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)"
    assert {"decay-on-vectors", "coupled-decay"} <= named(watched(optimizer=adam))
    found = named(watched(optimizer=adam.replace("Adam", "AdamW")))
    assert found & {"decay-on-vectors", "coupled-decay"} == {"decay-on-vectors"}
    apart = (
        "torch.optim.AdamW([{'params': [p for p in model.parameters() if p.ndim > 1], 'weight_decay': 1e-3},"
        " {'params': [p for p in model.parameters() if p.ndim < 2], 'weight_decay': 0.0}], lr=0.01)"
    )
    assert not named(watched(optimizer=apart)) & {"decay-on-vectors", "coupled-decay"}


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({}, True),
        (
            {
                "own": "self.part = type('Part', (), {})(); self.part.rng = np.random.RandomState(0)",
                "drawn": "self.part.rng.normal()",
            },
            True,
        ),
        ({"own": "pass", "drawn": "np.random.normal()"}, False),
        ({"more": ", worker_init_fn=lambda number: None"}, False),
        ({"workers": "0"}, False),
        ({"workers": "1"}, False),
    ],
    ids=["its own", "of a part", "the global one", "prepared", "no workers", "one worker"],
)
def test_workers_that_share_a_stream_are_seen(watched, changes, is_shared):
    done = watched(**{**SHORT, **changes})
    assert ("same-streams" in done.severe) == is_shared
    assert done.ending.code == 0


def test_more_outputs_than_classes_are_told(watched):
    wide = "nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 10))"
    done = watched(model=wide)
    assert "spare-outputs" in named(done)
    assert "spare-outputs" not in done.severe
    assert "spare-outputs" not in named(watched())


def test_a_loss_cut_off_from_the_network_is_seen(watched):
    done = watched(backward="loss.detach().requires_grad_().backward()")
    (found,) = (found for found in done.session.findings if found.name == "unused-parameters")
    assert found.severity == "error"


def test_a_frozen_network_keeps_its_own_error(watched):
    done = watched(
        setup="model.requires_grad_(False)", optimizer="torch.optim.SGD(model.parameters(), lr=0.1)"
    )
    assert done.ending.code == 1
    assert done.session.failure is None
