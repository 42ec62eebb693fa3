"""Statistics of batch normalisation are handed over as whole rows and the last weights have them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.engine.candidate import Candidate
from goodfit.engine.moves.settling import ROWS_AT_ONCE, needs_settling, pieces
from goodfit.engine.training.loop import train
from goodfit.engine.ways.construction import sizes_of
from goodfit.nets.cnn import CNN
from goodfit.nets.mlp import MLP

NORMALISED = MLP(widths=(7, 6), activation="tanh", normalisation="batch")
SPLIT = make_split(num_train=96)
PLAN = make_plan(network=NORMALISED, lr=0.05, epochs=3)
NOISY = {
    "inputs silenced": {"input_dropout": 0.4},
    "units silenced": {"dropout": 0.4},
    "noise on inputs": {"input_noise": 0.5},
    "rows mixed": {"mixup": 0.4},
    "weights averaged": {"averaging": 0.9},
    "weights averaged at the end": {"tail_averaging": 0.5},
}


def trained(*plans, seed=0):
    population = [Candidate(arm=str(i), seed=seed, plan=plan) for i, plan in enumerate(plans)]
    return train(population, SPLIT)


def module_of(member):
    module = NORMALISED.build(sizes_of(member.candidate.plan, SPLIT))
    module.load_state_dict(member.weights)
    return module


def statistics_of_whole_rows(member):
    """Run all training rows through torch's own module at once, with a memory of the last batch alone."""
    module = module_of(member)
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
    module.train()
    with torch.no_grad():
        module(SPLIT.train.x)
    return [(norm.running_mean, norm.running_var) for norm in norms]


def statistics_of(member):
    norms = [part for part in module_of(member).modules() if isinstance(part, nn.BatchNorm1d)]
    return [(norm.running_mean, norm.running_var) for norm in norms]


@pytest.mark.parametrize("changes", NOISY.values(), ids=NOISY)
def test_they_are_those_of_torch_for_whole_rows(changes):
    (member,) = trained(dataclasses.replace(PLAN, **changes))
    for own, whole in zip(statistics_of(member), statistics_of_whole_rows(member), strict=True):
        torch.testing.assert_close(own, whole, rtol=1e-4, atol=1e-5)


def test_what_is_handed_over_is_what_was_measured():
    (member,) = trained(dataclasses.replace(PLAN, input_dropout=0.4))
    with torch.no_grad():
        outputs_NO = module_of(member).eval()(SPLIT.validation.x).softmax(1)
    torch.testing.assert_close(torch.from_numpy(member.predicted_NO), outputs_NO, rtol=1e-4, atol=1e-5)


def test_a_neighbour_that_needs_none_keeps_what_followed_its_training():
    (alone,) = trained(PLAN)
    beside, noisy = trained(PLAN, dataclasses.replace(PLAN, input_dropout=0.4))
    for name, weight in alone.weights.items():
        torch.testing.assert_close(beside.weights[name], weight, rtol=1e-4, atol=1e-5)
    whole = statistics_of_whole_rows(beside)
    assert not torch.allclose(statistics_of(beside)[0][0], whole[0][0], atol=1e-3)
    torch.testing.assert_close(statistics_of(noisy), statistics_of_whole_rows(noisy), rtol=1e-4, atol=1e-5)


def test_who_leaves_early_changes_nothing_for_those_who_stay():
    noisy = dataclasses.replace(PLAN, input_dropout=0.4, epochs=6)
    leaves = dataclasses.replace(noisy, patience=1, rule=dataclasses.replace(PLAN.rule, lr=3.0))
    (alone,) = trained(noisy)
    stays, left = trained(noisy, leaves)
    assert left.history.ending == "stopped early"
    for name, weight in alone.weights.items():
        torch.testing.assert_close(stays.weights[name], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "changes", "needs"),
    [
        (NORMALISED, {"dropout": 0.1}, True),
        (NORMALISED, {"l2": 0.1, "label_smoothing": 0.1}, False),
        (dataclasses.replace(NORMALISED, normalisation="layer"), {"dropout": 0.1}, False),
        (dataclasses.replace(NORMALISED, normalisation=None), {"dropout": 0.1}, False),
        (CNN(channels=(2,), widths=(), normalisation="batch"), {"dropout": 0.1}, False),
    ],
)
def test_only_batch_normalisation_that_saw_other_rows_needs_it(network, changes, needs):
    assert needs_settling(dataclasses.replace(PLAN, network=network, **changes)) == needs


@pytest.mark.parametrize("num_rows", [1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 5 * ROWS_AT_ONCE + 3])
def test_pieces_hold_every_row_once_and_are_nearly_equal(num_rows):
    rows_KN = torch.arange(2 * num_rows).view(2, num_rows)
    parts = pieces(rows_KN)
    assert torch.equal(torch.cat(parts, dim=1), rows_KN)
    sizes = [part.shape[1] for part in parts]
    assert max(sizes) <= ROWS_AT_ONCE
    assert max(sizes) - min(sizes) <= len(parts)
