"""Your own convolutional network that does not learn: what is wrong with it, and what has been shown to help.

python examples/own_cnn.py
"""

from __future__ import annotations

import math

from sklearn.datasets import load_digits
from torch import nn

import goodfit


def make(inputs: tuple[int, int, int], outputs: int) -> nn.Module:
    """Seven layers of sigmoid units: gradients fade on their way to the first one."""
    channels, height, width = inputs
    layers: list[nn.Module] = []
    for next_channels in (8, 8, 8, 16):
        layers += [nn.Conv2d(channels, next_channels, 3, padding=1), nn.Sigmoid()]
        channels = next_channels
    layers += [nn.Flatten(), nn.Linear(channels * math.prod((height, width)), 32), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(32, outputs))


def main(num_rows: int = 1797, **budget: float) -> None:
    """Train it as it is, then by the recipe."""
    x, y = load_digits(return_X_y=True)
    fitted = goodfit.fit(
        x[:num_rows].reshape(-1, 8, 8),
        y[:num_rows],
        model=make,
        rule="gradient-descent",
        lr=0.1,
        **(budget or {"budget": 120}),
    )
    run = fitted.run
    for finding in run.findings:
        print(f"{finding.code} {finding.name}: {finding.message}")
    for verdict in run.verdicts:
        print(f"  {verdict.sentence}: {verdict.outcome}, {verdict.effect.value:+.3f}")
    if run.test is not None:
        print(f"accuracy was {run.test.plan_as_it_was:.3f}, is {run.test.score.value:.3f}")


if __name__ == "__main__":
    main()
