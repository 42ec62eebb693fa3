"""Your own convolutional network that does not learn: what is wrong with it, and what has been shown to help.

python examples/own_cnn.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import goodfit


class Digits(nn.Module):
    """Six layers of sigmoid units, called as functions: gradients fade on their way to the first one."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((1, 8), (8, 8), (8, 8), (8, 16))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in sizes)
        self.hidden, self.output = nn.Linear(16 * 8 * 8, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Compute raw scores, ``(N, 10)``."""
        for convolution in self.convolutions:
            x = torch.sigmoid(convolution(x))
        scores: Tensor = self.output(F.sigmoid(self.hidden(x.flatten(1))))
        return scores


def main(num_rows: int = 1797, **budget: float) -> None:
    """Train it as it is, then by the recipe."""
    x, y = (torch.as_tensor(values[:num_rows]) for values in load_digits(return_X_y=True))
    rows = TensorDataset(x.reshape(-1, 1, 8, 8).float(), y)
    fitted = goodfit.fit(
        DataLoader(rows, batch_size=32, shuffle=True),
        model=Digits,
        loss=nn.CrossEntropyLoss(),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        **(budget or {"budget": 120}),
    )
    run = fitted.run
    for finding in run.findings:
        print(f"{finding.code} {finding.name}: {finding.message}")
    for verdict in run.verdicts:
        print(f"  {verdict.sentence}: {verdict.outcome}, {verdict.effect.value:+.3f}")
    print(fitted.edits)
    if run.test is not None:
        print(f"accuracy was {run.test.plan_as_it_was:.3f}, is {run.test.score.value:.3f}")


if __name__ == "__main__":
    main()
