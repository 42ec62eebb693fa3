"""Networks and trainings as an ejected script writes them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import goodfit
from goodfit.interop.eject import eject
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.store.folder import load

NETWORK = '''"""A network of the user's."""

from __future__ import annotations

import torch
from torch import nn


class Body(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(inputs, 8), nn.Sigmoid(), nn.Linear(8, outputs)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


def make(inputs, outputs, width=8):
    return Body(inputs, outputs)


if __name__ == "__main__":
    raise SystemExit("a main guard must not run in another file")
'''


@pytest.mark.parametrize(
    ("kind", "network", "link"),
    [
        ("flat", MLP(widths=(6, 6), activation="maxout", pieces=3, initialisation="xavier"), "softmax"),
        ("flat", MLP(widths=(6, 6, 5), activation="prelu", normalisation="batch", skip=True), "softmax"),
        (
            "flat",
            MLP(widths=(6,), activation="gelu", normalisation="layer", initialisation="lecun"),
            "softmax",
        ),
        ("flat", MLP(widths=(), initialisation="he"), "softmax"),
        ("words", MLP(widths=(5,), activation="silu", initialisation="orthogonal"), "sigmoid"),
        ("images", CNN(channels=(4, 3), widths=(), activation="maxout", initialisation="he"), "softmax"),
        (
            "images",
            CNN(channels=(3,), widths=(5,), activation="leaky-relu", normalisation="batch"),
            "softmax",
        ),
        ("images", MLP(widths=(7,), activation="tanh"), "softmax"),
    ],
)
def test_every_structure_is_written_as_it_computes(
    kind, network, link, request, tmp_path, here, assert_predicts, treated
):
    run, path = request.getfixturevalue(kind)
    fitted = load(run)
    sizes = dataclasses.replace(fitted.predictor.sizes, outputs=1) if link == "sigmoid" else None
    sizes = sizes or fitted.predictor.sizes
    torch.manual_seed(0)
    members = []
    for _ in range(2):
        module = network.build(sizes)
        for tensor in module.state_dict().values():
            tensor.copy_(torch.rand(tensor.shape) + 0.1 if tensor.ndim == 1 else tensor)
        members.append(module.state_dict())
    rates = {"dropout": "0.2", "input dropout": "0.1", "epochs": "2", "ensemble": "yes"}
    loss = {"loss": "binary-cross-entropy"} if link == "sigmoid" else {}
    changes = {"network": network, "sizes": sizes, "link": link, "weights": tuple(members)}
    fitted = treated(fitted, rates | loss, **changes)
    script, _ = eject(fitted, tmp_path / "leaves.py")
    here(script, path, "--out", tmp_path / "out.csv")
    assert_predicts(fitted, path, tmp_path / "out.csv")
    here(script, "--train", path)


def test_a_users_network_is_pasted_with_its_edits(tmp_path, here, assert_predicts, treated):
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    np.savez(tmp_path / "rows.npz", x=x, y=(x[:, 0] > 0).astype(int))
    place = f"{tmp_path / 'net.py'}:make"
    fitted = goodfit.fit(tmp_path / "rows.npz", model=place, max_trainings=2, epochs=3)
    (old,) = fitted.predictor.weights
    edited = Given(factory=place, activation="prelu", initialisation="he")
    weights = {**old, "act.weight": torch.tensor([0.1])}
    fitted = treated(fitted, {"dropout": "0.25", "input dropout": "0.1"}, network=edited, weights=(weights,))
    script, _ = eject(fitted, tmp_path / "leaves.py")
    here(script, tmp_path / "rows.npz", "--out", tmp_path / "out.csv")
    assert_predicts(fitted, tmp_path / "rows.npz", tmp_path / "out.csv")
    assert "main guard" not in script.read_text(encoding="utf-8")
    here(script, "--train", tmp_path / "rows.npz")


CONVOLUTIONS = """
import math

from torch import nn


def make(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs[0], 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * math.prod((6, 6)), 8), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(8, outputs),
    )
"""


@pytest.mark.parametrize(("kind", "source"), [("words", NETWORK), ("images", CONVOLUTIONS)])
def test_a_users_network_with_codes_or_convolutions_is_pasted(
    kind, source, request, tmp_path, here, assert_predicts, treated
):
    run, path = request.getfixturevalue(kind)
    (tmp_path / "net.py").write_text(source, encoding="utf-8")
    network = Given(factory=f"{tmp_path / 'net.py'}:make", activation="tanh", initialisation="xavier")
    fitted = load(run)
    weights = (network.build(fitted.predictor.sizes).state_dict(),)
    fitted = treated(fitted, {"dropout": "0.25", "epochs": "2"}, network=network, weights=weights)
    script, _ = eject(fitted, tmp_path / "leaves.py")
    here(script, path, "--out", tmp_path / "out.csv")
    assert_predicts(fitted, path, tmp_path / "out.csv")
    here(script, "--train", path)
    text = script.read_text(encoding="utf-8")
    assert ("Dropout2d(0.25)" in text and '"5").p = 0.25' in text) == (kind == "images")


def test_a_network_of_a_module_is_imported(flat, tmp_path, here, treated):
    fitted = load(flat[0])
    network = Given(factory="torch.nn:Linear")
    weights = (network.build(fitted.predictor.sizes).state_dict(),)
    script, _ = eject(treated(fitted, {}, network=network, weights=weights), tmp_path / "leaves.py")
    here(script, flat[1], "--out", tmp_path / "out.csv")
    assert "from torch.nn import Linear" in script.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {
            "rule": "momentum",
            "schedule": "warm-up",
            "L2": "0.01",
            "clip norm": "1",
            "weight averaging": "0.9",
        },
        {"rule": "adamw", "weight decay": "0.1", "L1": "0.001", "label smoothing": "0.1", "dropout": "0.2"},
        {"rule": "rmsprop", "schedule": "inverse-sqrt", "loss": "squared", "input dropout": "0.2"},
        {"rule": "adagrad", "schedule": "constant", "early stopping patience": "2", "epochs": "60"},
        {"rule": "nesterov", "clip norm": "1", "mixup": "0.2", "gradient noise": "0.1"},
    ],
)
def test_every_prescription_makes_a_script_that_trains(changes, flat, tmp_path, here, treated):
    run, path = flat
    fitted = treated(load(run), {"epochs": "3"} | changes)
    script, _ = eject(fitted, tmp_path / "leaves.py")
    here(script, "--train", path)
    leaves_out = "leaves out: gradient noise 0.1" in script.read_text(encoding="utf-8")
    assert leaves_out == ("gradient noise" in changes)
