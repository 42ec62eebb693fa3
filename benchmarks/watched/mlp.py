"""A small multilayer network on a table: python mlp.py STEPS."""

import sys

import torch
from loop import train
from torch import nn

x = torch.randn(4096, 20)
y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()
network = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
train(network, x, y, num_steps=int(sys.argv[1]), batch=64)
