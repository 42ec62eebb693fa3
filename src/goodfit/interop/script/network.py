"""What an ejected script says about its network: plain layers, or the user's own source with its edits."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from goodfit.errors import ModelError
from goodfit.interop.script import given_source
from goodfit.interop.script import rows as script_rows
from goodfit.interop.script.data import WIDTH
from goodfit.interop.script.prescribed import Training
from goodfit.interop.script.surgery import surgery_of
from goodfit.nets.activations import activation_named
from goodfit.nets.cnn import CNN
from goodfit.nets.factory import load
from goodfit.nets.given import Given
from goodfit.nets.making import arguments_for
from goodfit.nets.mlp import MLP
from goodfit.nets.network import embedding_width
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
        "entries": [],
        "tools": set(),
        "is_maxout": False,
        "pieces": 1,
        "norm": None,
        "has_skip": False,
        "widths": (),
    }
    if isinstance(network, (MLP, CNN)):
        return common | _own(network)
    if isinstance(network, Given):
        return common | _given(predictor, network, training)
    raise ModelError(
        f"a network of kind {network.kind!r} cannot be written as a script",
        fix="leave with goodfit.export(run, 'torch', path)",
    )


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


def _given(predictor: Predictor, network: Given, training: Training) -> dict[str, Any]:
    sizes, form = predictor.sizes, network.form
    make = load(network.factory) if isinstance(network.factory, str) else network.factory
    with torch.random.fork_rng(devices=[]):
        made = make(*arguments_for(make, sizes, form))
    done = surgery_of(network, sizes, dropout=training.dropout)
    rows = script_rows.words(predictor) if form is not None else {}
    return rows | {
        "network": "given.py.jinja",
        "source": given_source.find(network.factory, also=sorted(done.wanted)),
        "arguments": given_source.arguments(network.factory, sizes, form),
        "wrapper": "InLine" if form is not None else "CodesAsInputs" if sizes.cardinalities else "",
        "is_lazy": any(is_lazy(parameter) for parameter in made.parameters()),
        "first_rows": _zeros(rows.get("entries") or [("x", sizes.inputs, "float32")]),
        "lines": _filled(done.lines),
        "forwards": done.forwards,
        "tools": done.tools,
        "has_scaled_outputs": network.output_scale is not None,
        "is_maxout": network.activation == "maxout",
        "pieces": network.pieces,
        "initialisation": network.initialisation if "start" in done.tools else "torch",
    }


def _zeros(entries: Sequence[tuple[str, tuple[int, ...], str]]) -> str:
    texts = []
    for _, shape, kind in entries:
        sizes = ", ".join(map(str, (2, *shape)))
        texts.append(
            f"torch.zeros({sizes})" if kind == "float32" else f"torch.zeros({sizes}, dtype=torch.{kind})"
        )
    return ", ".join(texts)


def _filled(lines: Sequence[str]) -> list[str]:
    """Break lists of names that are too long for one line."""
    filled = []
    for line in lines:
        head, _, rest = line.partition("[")
        if len(line) < WIDTH or not rest.endswith("]:"):
            filled.append(line)
            continue
        inside = textwrap.wrap(rest.removesuffix("]:"), WIDTH - 8)
        filled += [f"{head}[", *(f"    {part}" for part in inside), "]:"]
    return filled
