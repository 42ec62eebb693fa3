"""The training loop of the scripts that are watched: plain PyTorch, and the CPU seconds that it took."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

torch.manual_seed(0)
torch.set_num_threads(1)
STEPS_BETWEEN = 200


def train(network: nn.Module, x: Tensor, y: Tensor, *, num_steps: int, batch: int) -> None:
    """Train for some steps, evaluate now and then, and print the CPU seconds of it all."""
    started = time.process_time()
    for _ in steps(network, x, y, num_steps=num_steps, batch=batch):
        pass
    print(time.process_time() - started)


def steps(network: nn.Module, x: Tensor, y: Tensor, *, num_steps: int, batch: int) -> Iterator[int]:
    """Yield after every step."""
    rule, criterion = torch.optim.Adam(network.parameters(), lr=1e-3), nn.CrossEntropyLoss()
    network.train()
    for step in range(num_steps):
        rows = torch.randint(len(x), (batch,))
        rule.zero_grad()
        criterion(network(x[rows]), y[rows]).backward()
        rule.step()
        if step % STEPS_BETWEEN == STEPS_BETWEEN - 1:
            network.eval()
            with torch.no_grad():
                criterion(network(x[:256]), y[:256]).item()
            network.train()
        yield step
