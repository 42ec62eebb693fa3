"""A script is run before it is handed over: its networks have to compute what the run's do."""

from __future__ import annotations

import contextlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from goodfit.errors import ModelError
from goodfit.interop.script.rows import form_of, used_entries
from goodfit.nets.given import Given
from goodfit.procedure.fitted import Predictor

ROWS = 3
TOLERANCE = 1e-4


def refuse_difference(script: Path, predictor: Predictor) -> None:
    """Raise a :class:`ModelError` if a script's networks cannot be run, or compute something else.

    Args:
        script: The script, with its weights beside it.
        predictor: The run's networks.
    """
    x, codes_NC = made_up(predictor, ROWS)
    wanted_NO = predictor.outputs(x, codes_NC)
    try:
        with _beside(predictor.network):
            names = runpy.run_path(str(script), run_name="script")
            members, _, _ = names["load"]()
        given = _arguments(predictor, x, codes_NC)
        with torch.no_grad():
            found_NO = torch.stack([names["linked"](member(*given)) for member in members]).mean(0).numpy()
    except Exception as error:  # whatever the user's own lines raise where they do not find what they need
        raise ModelError(
            f"the script would not run: {type(error).__name__}: {error}",
            fix="keep what the network needs at the top of its file, and tell make() nothing but sizes",
        ) from error
    if not np.allclose(found_NO, wanted_NO, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        apart = float(np.abs(found_NO - wanted_NO).max())
        raise ModelError(
            f"the script would predict otherwise than the run, by {apart:.2g}",
            fix="leave with goodfit.export(run, 'torch', path), and report the network",
        )


def made_up(predictor: Predictor, num_rows: int) -> tuple[Tensor, Tensor | None]:
    """Make prepared rows: random numbers, and ones for codes and masks, of which no embedding is too small.

    Args:
        predictor: The networks that they are for.
        num_rows: How many.

    Returns:
        The rows, and their codes where there are any.
    """
    sizes, form = predictor.sizes, form_of(predictor)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num_rows, *sizes.inputs, generator=generator)
    if form is not None and not form.is_continuous:
        is_number = torch.from_numpy(form.continuous_D())
        x = torch.where(is_number, x, 1.0) if len(form.entries) > 1 else torch.ones_like(x)
    columns = [torch.randint(size, (num_rows,), generator=generator) for size in sizes.cardinalities]
    return x, torch.stack(columns, dim=1) if columns else None


def _arguments(predictor: Predictor, x: Tensor, codes_NC: Tensor | None) -> tuple[Tensor, ...]:
    form = form_of(predictor)
    if form is None:
        return (x,) if codes_NC is None else (x, codes_NC)
    parts = form.keywords(x)
    return tuple(parts[entry.name] for entry in used_entries(predictor))


@contextlib.contextmanager
def _beside(network: Any) -> Iterator[None]:
    """Let the user's file find its neighbours."""
    factory = network.factory if isinstance(network, Given) else ""
    place = str(factory).rpartition(":")[0] if isinstance(factory, str) else ""
    added = [str(Path(place).parent)] if place.endswith(".py") else []
    sys.path[:0] = added
    try:
        yield
    finally:
        del sys.path[: len(added)]
