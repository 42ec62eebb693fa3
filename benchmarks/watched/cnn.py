"""A small convolutional network on images: python cnn.py STEPS."""

import sys

import torch
from loop import train
from torch import nn

x = torch.randn(1024, 1, 28, 28)
y = (x.mean((1, 2, 3)) > 0).long()
network = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 2),
)
train(network, x, y, num_steps=int(sys.argv[1]), batch=64)
