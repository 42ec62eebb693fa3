"""Arms, and what they know of each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from goodfit.engine.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import beside, train_arms
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named


@pytest.fixture(scope="module")
def arms(iris):
    plan = Plan(
        network=MLP(widths=(8,)),
        loss=Loss(name="cross-entropy", kind="classes", num_outputs=3),
        rule=rule_named("adam", lr=0.03),
        epochs=3,
        batch_size=16,
    )
    return train_arms(
        [("as it is", plan), ("longer", dataclasses.replace(plan, epochs=8))], iris, seeds=range(3)
    )


def test_an_arm_beside_its_control_knows_how_rows_differ(arms):
    control, longer = arms
    for history, ours, theirs in zip(beside(control, longer), longer.members, control.members, strict=True):
        differences = ours.validation_scores_N.astype(float) - theirs.validation_scores_N
        assert set(differences) <= {-1.0, 0.0, 1.0}
        assert history.variance_by_row == pytest.approx(np.var(differences))
        assert dataclasses.replace(history, variance_by_row=None) == ours.history


def test_an_arm_beside_itself_differs_nowhere(arms):
    assert {history.variance_by_row for history in beside(arms[0], arms[0])} == {0.0}
