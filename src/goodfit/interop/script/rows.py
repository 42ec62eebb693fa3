"""What an ejected script says about rows of several inputs or targets, as a loader yielded them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from goodfit.forms import Entry, Form
from goodfit.nets.adapter import Adapter, scores_in
from goodfit.nets.given import Given
from goodfit.nets.network import trial_batch
from goodfit.procedure.fitted import Predictor


def form_of(predictor: Predictor) -> Form | None:
    """Return what a row is made of, if the network needs to be told."""
    return predictor.network.form if isinstance(predictor.network, Given) else None


def used_entries(predictor: Predictor) -> tuple[Entry, ...]:
    """Return the inputs that the network takes, in the order of a batch."""
    form, adapter = form_of(predictor), predictor.modules[0]
    assert form is not None
    assert isinstance(adapter, Adapter)
    names = adapter.names
    return tuple(entry for entry in form.entries if names is None or entry.name in names)


def words(predictor: Predictor) -> dict[str, Any]:
    """Collect what the templates need to read rows and to hand them to the network.

    Args:
        predictor: The trained network; its rows have a form.
    """
    form = form_of(predictor)
    assert form is not None
    entries = used_entries(predictor)
    names = [identifier(entry.name) for entry in entries]
    given = [
        name
        if not form.by_name
        else f"{entry.name}={name}"
        if name == entry.name
        else f"**{{{entry.name!r}: {name}}}"
        for name, entry in zip(names, entries, strict=True)
    ]
    return {
        "entries": [(n, tuple(e.shape), e.dtype) for n, e in zip(names, entries, strict=True)],
        "given": ", ".join(given),
        "suffix": _suffix(_tried(predictor)),
        "class_axis": form.class_axis if form.class_axis < 0 else form.class_axis + 1,
        "ignored": form.ignored,
        "is_scaled": bool(scales(predictor)),
        "is_clipped": is_clipped(predictor),
    }


def scales(predictor: Predictor) -> dict[str, list[Tensor]]:
    """Return what is taken off each input and what it is divided by; nothing where they stay as they came."""
    form, grid = form_of(predictor), predictor.preparation.grid
    assert form is not None
    assert grid is not None
    if predictor.inputs == "raw" or (grid.shift, grid.scale) == ((0.0,), (1.0,)):
        return {}
    found: dict[str, list[Tensor]] = {"shift": [], "scale": []}
    used, start = used_entries(predictor), 0
    for entry in form.entries:
        for name, numbers in (("shift", grid.shift), ("scale", grid.scale)):
            if entry in used:
                found[name].append(_share(np.array(numbers, dtype=np.float32), entry, form, start))
        start += entry.size
    return found


def is_clipped(predictor: Predictor) -> bool:
    """Tell whether what is far from the training rows is held back."""
    grid = predictor.preparation.grid
    return predictor.inputs != "raw" and grid is not None and grid.shift != (0.0,)


def identifier(name: str) -> str:
    """Make a name of Python out of the key of a batch.

    Example:
        >>> identifier("input 0"), identifier("class")
        ('input_0', 'class_')
    """
    word = re.sub(r"\W", "_", name)
    word = f"input_{word}" if word[:1].isdigit() else word
    return f"{word}_" if keyword.iskeyword(word) else word


def _share(numbers: np.ndarray, entry: Entry, form: Form, start: int) -> Tensor:
    if len(numbers) == 1:
        return torch.from_numpy(numbers)
    if len(form.entries) == 1:  # one number for each entry of the first axis
        return torch.from_numpy(numbers.reshape(-1, *(1,) * (len(entry.shape) - 1)))
    return torch.from_numpy(numbers[start : start + entry.size].reshape(entry.shape))


def _tried(predictor: Predictor) -> Any:
    adapter = predictor.modules[0]
    assert isinstance(adapter, Adapter)
    with torch.no_grad():
        return adapter.outputs(*trial_batch(predictor.sizes))


def _suffix(outputs: Any) -> str:
    """Say where in what a network returns its scores are."""
    scores = scores_in(outputs)
    if outputs is scores:
        return ""
    if isinstance(outputs, Mapping):
        return next(f"[{key!r}]" for key, value in outputs.items() if value is scores)
    if isinstance(outputs, (tuple, list)):
        return next(f"[{place}]" for place, value in enumerate(outputs) if value is scores)
    return next(f".{name}" for name, value in vars(outputs).items() if value is scores)
