"""Networks that a user may bring: what torch.func can batch, and what it cannot."""

from __future__ import annotations

import os

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import nn


def plain(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


OF_THIS_PROCESS = float(os.getpid())


class Marked(nn.Module):
    """Holds a number that every process that reads this file draws anew."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.output = nn.Linear(inputs, outputs)
        self.register_buffer("drawn", torch.tensor(OF_THIS_PROCESS))

    def forward(self, x):
        return self.output(x).tanh()


def rectified(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, outputs))


def normalised(inputs, outputs):
    # a bias before normalisation has no gradient but rounding, which Adam would blow up
    hidden = nn.Linear(inputs, 8, bias=False)
    return nn.Sequential(hidden, nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, outputs))


def convolving(inputs, outputs):
    """Convolve the inputs as a line of pixels, with whole channels silenced."""
    return nn.Sequential(
        nn.Unflatten(1, (1, inputs)), nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Dropout1d(0.3),
        nn.Flatten(), nn.Linear(4 * inputs, outputs),
    )  # fmt: skip


class Attentive(nn.Module):
    """A Transformer layer over the inputs as words; it drops attention, which is no module's doing."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.words = nn.Linear(1, 8)
        # the bias of a key has no gradient but rounding, which Adam would blow up
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.2, batch_first=True, bias=False)
        self.output = nn.Linear(8, outputs)

    def forward(self, x):
        return self.output(self.layer(self.words(x.unsqueeze(-1))).mean(1))


class Noisy(nn.Module):
    """Noise of its own on the inputs, and dropout by a function."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.hidden = nn.Linear(inputs, 8)
        self.output = nn.Linear(8, outputs)

    def forward(self, x):
        if self.training:
            x = x + 0.1 * torch.randn_like(x) + 0.1 * torch.rand(x.shape[-1])
        return self.output(F.dropout(self.hidden(x).relu(), 0.3, self.training))


class Tied(nn.Module):
    """One weight in two places, a frozen layer, and a count of calls that every call replaces."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, 8), nn.Linear(8, 8)
        self.third = nn.Linear(8, 8)
        self.third.weight = self.second.weight
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.output = nn.Linear(8, outputs)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("scale", torch.ones(8))

    def forward(self, x):
        h = self.second(self.first(x).tanh()).tanh()
        if self.training:
            self.calls = self.calls + 1
            self.scale = 0.9 * self.scale + 0.1 * h.detach().abs().mean(0)
        return self.output(self.frozen(self.third(h / self.scale)).tanh())


class Deciding(nn.Module):
    """Asks its data which way to go."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.left, self.right = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.left(x) if x.sum() > 0 else self.right(x)


class Recurrent(nn.Module):
    """An LSTM over the inputs as words."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.lstm = nn.LSTM(1, 6, batch_first=True)
        self.output = nn.Linear(6, outputs)

    def forward(self, x):
        return self.output(self.lstm(x.unsqueeze(-1))[0][:, -1])


class Unlike(nn.Module):
    """A constant that is neither parameter nor buffer, and another one for each network."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.constant = torch.rand(inputs)

    def forward(self, x):
        return self.linear(x * self.constant)


BATCHABLE = (plain, rectified, normalised, convolving, Attentive, Noisy, Tied)
NOT_BATCHABLE = (Deciding, Recurrent, Unlike)
