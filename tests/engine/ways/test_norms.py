"""Running statistics follow the batch as those of torch's module do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.norms import BatchNorm, follow


def test_running_statistics_are_those_of_torchs_module():
    modules = [nn.BatchNorm1d(4).double() for _ in range(2)]
    running = (torch.zeros(2, 4, dtype=torch.float64), torch.ones(2, 4, dtype=torch.float64))
    values = (torch.ones(2, 4, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64))
    room = Workspace(values[0])
    norm = BatchNorm("norm", values, (torch.empty_like(values[0]),) * 2, room, running=running)
    for step in range(5):
        z_KNU = torch.randn(2, 9, 4, dtype=torch.float64) * (step + 1) + step
        out_KNU = norm.forward(z_KNU.clone())
        for k, module in enumerate(modules):
            torch.testing.assert_close(out_KNU[k], module(z_KNU[k]), rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(running[0][k], module.running_mean, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(running[1][k], module.running_var, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("num_rows", "expected"), [(1, 1.1), (2, 1.3)])
def test_the_variance_is_made_unbiased_and_one_row_divides_by_no_zero(num_rows, expected):
    running = (torch.zeros(1, 1), torch.ones(1, 1))
    follow(running, (torch.ones(1, 1), torch.full((1, 1), 2.0)), num_rows=num_rows)
    assert running[0].item() == pytest.approx(0.1)
    assert running[1].item() == pytest.approx(expected)
