"""Probes cost a set share of the steps, counted in rows."""

from __future__ import annotations

import pytest

from goodfit.engine.looks.cadence import FEWEST, MOST, SHARE, probe_cost, probed_epochs


def chosen(**changes):
    usual = {"epochs": 60, "every": 1, "steps_per_epoch": 67, "batch_size": 16, "probe_rows": 128}
    return sorted(probed_epochs(**(usual | changes)))


@pytest.mark.parametrize("steps_per_epoch", [20, 67, 300])
@pytest.mark.parametrize("batch_size", [8, 32, 256])
def test_all_probes_together_cost_no_more_than_their_share(steps_per_epoch, batch_size):
    found = chosen(steps_per_epoch=steps_per_epoch, batch_size=batch_size)
    cost = len(found) * probe_cost(probe_rows=128, batch_size=batch_size)
    if len(found) > FEWEST:
        assert cost <= SHARE * 60 * steps_per_epoch
    assert FEWEST <= len(found) <= MOST


def test_a_smaller_share_means_fewer_probes():
    assert len(chosen(share=0.01)) < len(chosen(share=0.04))


def test_the_start_the_first_epoch_and_the_end_are_looked_at():
    for epochs, every in ((1, 1), (2, 1), (5, 1), (200, 4), (203, 4)):
        found = chosen(epochs=epochs, every=every)
        assert {0, min(every, epochs), epochs} <= set(found)
        # the stack measures at multiples of every and at the end, and nowhere else
        assert all(epoch % every == 0 or epoch == epochs for epoch in found)


def test_the_same_training_is_probed_at_the_same_epochs():
    assert chosen() == chosen() == [0, 1, 12, 24, 36, 48, 60]
