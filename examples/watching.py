"""An ordinary PyTorch training script that is ill; goodfit is not imported here.

goodfit watch examples/watching.py
"""

from __future__ import annotations

import itertools

import torch
from sklearn.datasets import load_digits
from torch import nn


def main(epochs: int = 8) -> float:
    """Train ten layers of sigmoid units by plain gradient descent; returns the accuracy."""
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels, dtype=torch.float32) / 16, torch.tensor(digits)
    widths = [64, *[32] * 10]
    layers: list[nn.Module] = []
    for num_inputs, width in itertools.pairwise(widths):
        layers += [nn.Linear(num_inputs, width), nn.Sigmoid()]
    network = nn.Sequential(*layers, nn.Linear(32, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    loss_of = nn.CrossEntropyLoss()
    accuracy = 0.0
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = loss_of(network(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = float((network(x).argmax(1) == y).float().mean())
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
