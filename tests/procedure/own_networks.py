"""Networks and loaders as people bring them, for the tests of `fit`."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ROWS, STEPS, TOKENS, CLASSES = 120, 8, 20, 3


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def loader(*tensors, batch_size=16, **options):
    return DataLoader(TensorDataset(*tensors), batch_size=batch_size, **options)


def flat(outputs=CLASSES):
    x = torch.randn(ROWS, 6, generator=stream())
    return x, x[:, :outputs].argmax(1)


def images(channels=1, side=8):
    x = torch.randn(ROWS, channels, side, side, generator=stream())
    return x, (x.flatten(1).mean(1) > 0).long()


def sentences():
    """Token numbers with a mask of their padding; a row's class is its most frequent token's."""
    ids = torch.randint(1, TOKENS, (ROWS, STEPS), generator=stream())
    mask = torch.ones(ROWS, STEPS, dtype=torch.long)
    mask[::3, 5:] = 0
    return ids * mask, mask, (ids[:, 0] > TOKENS // 2).long()


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, CLASSES))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


class Recurrent(nn.Module):
    """Reads a sequence and says one thing of the whole, or one of each step."""

    def __init__(self, kind=nn.LSTM, outputs=2, every_step=False):
        super().__init__()
        self.read = kind(4, 8, batch_first=True)
        self.out = nn.Linear(8, outputs)
        self.every_step = every_step

    def forward(self, x):
        heard, _ = self.read(x)
        return self.out(heard if self.every_step else heard[:, -1])


class Tagger(Recurrent):
    """A class for every step."""

    def __init__(self):
        super().__init__(outputs=3, every_step=True)


class Reader(nn.Module):
    """A Transformer layer over tokens, called by name as Hugging Face's are, with an output object."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, input_ids, attention_mask, labels=None):
        h = self.layer(self.embedding(input_ids), src_key_padding_mask=attention_mask == 0)
        return {"logits": self.head(h.mean(1)), "hidden": h}


class Block(nn.Module):
    """A basic block of torchvision's ResNet."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, outputs=2):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(4, 4))
        self.layer2 = nn.Sequential(Block(4, 8, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, outputs)

    def forward(self, x):
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Segmenter(nn.Module):
    """A class for every pixel, by functions called in forward."""

    def __init__(self, outputs=CLASSES):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, outputs, 1)

    def forward(self, x):
        return self.last(F.relu(self.first(x)))


class Both(nn.Module):
    """Two inputs by place: an image and a few numbers."""

    def __init__(self):
        super().__init__()
        self.see, self.out = nn.Conv2d(1, 4, 3), nn.Linear(4 + 6, CLASSES)

    def forward(self, image, numbers):
        seen = torch.relu(self.see(image)).mean((2, 3))
        return self.out(torch.cat([seen, numbers], 1))


@dataclasses.dataclass
class Batch:
    """A batch as an object."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor


class Encoding(dict):
    """A mapping that also has its keys as attributes, as tokenizers' encodings do."""

    def __getattr__(self, name):
        return self[name]


def batches_of(make, *tensors, size=20):
    """A loader that is no DataLoader, whose batches are what `make` makes."""

    class Batches:
        def __iter__(self):
            for start in range(0, len(tensors[0]), size):
                yield make(*(tensor[start : start + size] for tensor in tensors))

    return Batches()
