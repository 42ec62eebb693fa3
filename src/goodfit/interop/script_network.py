"""What an ejected script says about its network: plain layers, or the user's own source with its edits."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from goodfit.errors import ModelError
from goodfit.interop import given_source
from goodfit.interop.prescribed import Training
from goodfit.nets import surgery
from goodfit.nets.activations import activation_named
from goodfit.nets.calls import as_modules
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes, embedding_width, trial_batch
from goodfit.procedure.fitted import Predictor

ACTIVATIONS = {
    "sigmoid": "nn.Sigmoid()",
    "tanh": "nn.Tanh()",
    "relu": "nn.ReLU()",
    "leaky-relu": "nn.LeakyReLU(0.01)",
    "prelu": "nn.PReLU()",
    "maxout": "Maxout()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
}


def words(predictor: Predictor, training: Training) -> dict[str, Any]:
    """Collect what the templates need to write the network.

    Args:
        predictor: The trained network.
        training: How it was trained.

    Raises:
        ModelError: The network is the user's, and its source cannot be found.
    """
    network, sizes = predictor.network, predictor.sizes
    common: dict[str, Any] = {
        "net": network,
        "sizes": sizes,
        "description": network.describe(sizes),
        "cardinalities": [(size, embedding_width(size)) for size in sizes.cardinalities],
    }
    if isinstance(network, (MLP, CNN)):
        return common | _own(network)
    if isinstance(network, Given):
        return common | _given(network, sizes, training)
    raise ModelError(
        f"a network of kind {network.kind!r} cannot be written as a script",
        fix="leave with goodfit.export(run, 'torch', path)",
    )


def _refuse_reshaped(network: Given, plain: Given, sizes: Sizes, *, dropout: float) -> None:
    """Raise a :class:`ModelError` for what the script's few lines of surgery cannot do."""
    reason = ""
    if network.form is not None:
        reason = "rows of several inputs or targets"
    elif network.activation == "maxout" or dataclasses.replace(
        plain, normalisation=network.normalisation, skip=network.skip, widening=network.widening,
        deepening=network.deepening, plain_output=network.plain_output,
    ) != plain:  # fmt: skip
        reason = "layers that were added or resized"
    elif (network.activation or dropout) and _calls_functions(plain, sizes):
        reason = "activations that forward calls as functions"
    if reason:
        raise ModelError(
            f"a network of your own with {reason} cannot be written as a script yet",
            fix="take fitted.predictor.modules[0], a plain PyTorch module with the trained weights",
        )


def _calls_functions(network: Given, sizes: Sizes) -> bool:
    with torch.random.fork_rng(devices=[]):
        return bool(as_modules(network.build(sizes), example=trial_batch(sizes)).changed)


def _own(network: MLP | CNN) -> dict[str, Any]:
    activation = activation_named(network.activation)
    return {
        "network": f"{network.kind}.py.jinja",
        "widths": network.widths,
        "is_maxout": activation.is_maxout,
        "pieces": network.pieces if activation.is_maxout else 1,
        "activation": ACTIVATIONS[network.activation],
        "norm": network.normalisation,
        "has_skip": isinstance(network, MLP) and network.skip,
        "initialisation": network.initialisation,
        "gain": activation.gain,
    }


def _given(network: Given, sizes: Sizes, training: Training) -> dict[str, Any]:
    plain = dataclasses.replace(network, activation=None, initialisation=None)
    _refuse_reshaped(network, plain, sizes, dropout=training.dropout)
    with torch.random.fork_rng(devices=[]):
        module = plain.build(sizes)
    example = trial_batch(sizes)
    swapped: list[str] = []
    if network.activation:
        edited = surgery.swap_activations(module, network.activation, example=example)
        module, swapped = edited.module, given_source.names(edited.changed)
    changed, dropped = given_source.dropouts(module, training.dropout, example)
    origin, function, source = given_source.find(network.factory)
    return {
        "network": "given.py.jinja",
        "origin": origin,
        "function": function,
        "source": source,
        "arguments": given_source.arguments(network.factory, sizes),
        "swapped": swapped,
        "changed": changed,
        "dropped": dropped,
        "activation": ACTIVATIONS.get(network.activation or "", ""),
        "initialised": network.initialisation is not None,
        "initialisation": network.initialisation or "torch",
        "gain": activation_named(network.activation or "relu").gain,
        "last_weighted": given_source.last_weighted(module, example),
        "is_maxout": False,
        "pieces": 1,
        "norm": None,
        "has_skip": False,
        "widths": (),
    }
