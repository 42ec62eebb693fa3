from __future__ import annotations

from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

BARE = Plan(
    network=MLP(widths=(16,) * 5, activation="sigmoid"),
    loss=Loss(name="squared", kind="classes", num_outputs=3),
    rule=rule_named("gradient-descent", lr=0.1),
    epochs=20,
    batch_size=32,
    inputs="raw",
)
"""A plan that almost every remedy can change."""
