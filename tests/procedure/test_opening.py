"""What cannot be applied is left out, with the reason."""

from __future__ import annotations

import dataclasses

import pytest

from goodfit.data.synthetic import digits_split
from goodfit.nets.mlp import MLP
from goodfit.procedure.opening import FEWEST_NORMALISED, unsuited_remedies
from goodfit.procedure.start import Wanted, plan_as_it_is

SPLIT = digits_split(0)
PLAN = plan_as_it_is(Wanted(network=MLP(widths=(8,))), SPLIT)


@pytest.mark.parametrize("batch_size", [1, FEWEST_NORMALISED - 1])
def test_few_rows_of_a_step_are_not_normalised_over(batch_size):
    reasons = unsuited_remedies(dataclasses.replace(PLAN, batch_size=batch_size), SPLIT)
    assert reasons["batch-norm"] == f"rows of a step ({batch_size}) are too few to normalise over"
    assert "layer-norm" not in reasons


def test_enough_rows_are():
    plan = dataclasses.replace(PLAN, batch_size=FEWEST_NORMALISED)
    assert "batch-norm" not in unsuited_remedies(plan, SPLIT)
