"""A small Transformer that continues sequences: python transformer.py STEPS."""

import sys

import torch
from loop import train
from torch import Tensor, nn

SYMBOLS, WIDTH, LENGTH = 64, 64, 32


class Continuing(nn.Module):
    """Says the next symbol at every place of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(SYMBOLS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(WIDTH, SYMBOLS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, x: Tensor) -> Tensor:
        """Score the next symbols, classes second as the loss wants them."""
        hidden = self.encoder(self.symbols(x) + self.places.weight, mask=self.mask, is_causal=True)
        return self.last(hidden).transpose(1, 2)


starts, steps = torch.randint(SYMBOLS, (1024, 1)), torch.randint(1, 4, (1024, 1))
sequences = (starts + steps * torch.arange(LENGTH + 1)) % SYMBOLS
train(Continuing(), sequences[:, :-1], sequences[:, 1:], num_steps=int(sys.argv[1]), batch=16)
