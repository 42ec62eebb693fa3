"""What an ejected script says about its loss: one of goodfit's, or the user's own in its own words."""

from __future__ import annotations

import dataclasses
from typing import Any

from goodfit.interop.script.given_source import Source, find
from goodfit.interop.script.prescribed import Training
from goodfit.procedure.fitted import Predictor
from goodfit.procedure.loss_source import LossSource


def words(predictor: Predictor, training: Training) -> dict[str, Any]:
    """Collect what the templates need to write the loss.

    Args:
        predictor: The trained network; it knows its loss.
        training: How it was trained.
    """
    loss = predictor.loss or LossSource(name=training.loss)
    shape, task = loss.output_shape, predictor.task
    source = _source(loss)
    several = len(shape) > 1 and loss.class_axis == 0
    return {
        "is_own_loss": loss.is_own,
        "loss_text": "" if source is None or source.text is None else source.text,
        "loss_name": loss.source if source is None else f"{source.name}{loss.place[2]}",
        "class_weights": loss.class_weights,
        # scores come in one line, classes last; the user's function takes them as the network returned them
        "lined_shape": (*shape[1:], shape[0]) if several else shape,
        "moves_classes": several,
        "target_shape": loss.target_shape,
        "target_dtype": loss.target_dtype,
        "task": dataclasses.asdict(task) | {"num_outputs": task.num_outputs},
        "is_standardised": (task.center, task.scale) != (0.0, 1.0),
    }


def lost(predictor: Predictor) -> str:
    """Name a loss of the user's own that has no source; empty where the script can compute it."""
    loss = predictor.loss
    return loss.name if loss is not None and loss.is_own and not loss.source else ""


def _source(loss: LossSource) -> Source | None:
    """Where the user's function stands; ``None`` for an expression of torch, and for a loss of goodfit's."""
    file, name, _ = loss.place
    return find(f"{file}:{name}") if file else None
