from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from goodfit.procedure.loss_source import LossSource, expression


class Focal(nn.Module):
    def __init__(self, gamma=2.0, *, weight=None):
        super().__init__()
        self.gamma, self.weight = gamma, weight

    def forward(self, outputs, targets):
        return F.cross_entropy(outputs, targets)


class Secret(nn.Module):
    def __init__(self, rate=1.0):
        super().__init__()
        self.twice = 2 * rate


def sharp(outputs, targets):
    return (outputs - targets).abs().mean()


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (nn.MSELoss(), "nn.MSELoss()"),
        (nn.HuberLoss(delta=2.0), "nn.HuberLoss(delta=2.0)"),
        (nn.NLLLoss(weight=torch.tensor([1.0, 2.0])), "nn.NLLLoss(weight=torch.tensor([1.0, 2.0]))"),
        (F.l1_loss, "F.l1_loss"),
        (sharp, f"{__file__}:sharp"),
        (Focal(), f"{__file__}:Focal()"),
        (Focal(3.0, weight=torch.tensor([0.5])), f"{__file__}:Focal(gamma=3.0, weight=torch.tensor([0.5]))"),
        (Secret(3.0), ""),
        (lambda outputs, targets: outputs.mean(), ""),
    ],
    ids=str,
)
def test_a_loss_is_told_by_what_makes_it(loss, wanted):
    assert expression(loss) == wanted


def test_a_place_is_told_from_an_expression_of_torch():
    assert LossSource(name="a", source="/a/b.py:Focal(g='x:y')").place == ("/a/b.py", "Focal", "(g='x:y')")
    assert LossSource(name="a", source="nn.L1Loss()").place == ("", "nn.L1Loss()", "")


def test_it_comes_back_from_json():
    loss = LossSource(name="a", is_own=True, class_weights=(1.0, 2.0), output_shape=(3, 4), class_axis=0)
    assert LossSource.from_dict(json.loads(json.dumps(loss.to_dict()))) == loss
