"""An LSTM of your own, on sequences from a DataLoader.

python examples/sequences.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import goodfit

STEPS = 24


class Listener(nn.Module):
    """Hear a sequence to its end, then say which kind it is."""

    def __init__(self, inputs: tuple[int, int], outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs[1], 16, batch_first=True)
        self.output = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Compute raw scores, ``(N, outputs)``, of sequences ``(N, T, D)``."""
        heard, _ = self.lstm(x)
        scores: Tensor = self.output(heard[:, -1])
        return scores


def make_waves(num_rows: int) -> DataLoader[tuple[Tensor, ...]]:
    """Slow, middling and fast waves under noise."""
    generator = torch.Generator().manual_seed(0)
    kind_N = torch.randint(3, (num_rows,), generator=generator)
    phase_N = 6.28 * torch.rand(num_rows, generator=generator)
    angle_NT = torch.arange(STEPS) * (0.2 + 0.2 * kind_N[:, None]) + phase_N[:, None]
    noise_NT = 0.3 * torch.randn(num_rows, STEPS, generator=generator)
    x_NTD = (torch.sin(angle_NT) + noise_NT).unsqueeze(-1)
    return DataLoader(TensorDataset(x_NTD, kind_N), batch_size=64)


def main(num_rows: int = 900, **budget: float) -> None:
    """Train the listener by the recipe."""
    fitted = goodfit.fit(
        make_waves(num_rows),
        model=Listener,
        loss=nn.CrossEntropyLoss(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=2e-3),
        **(budget or {"budget": 120}),
    )
    for answer in fitted.run.answers:
        print(f"good results on {answer.question} data? {'yes' if answer.good else 'no'}: {answer.reason}")
    if fitted.run.test is not None:
        print(f"sealed test: {fitted.run.test.score.value:.3f}")
    (rows, _), *_ = make_waves(5)
    print(fitted.predict(rows.numpy()).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
