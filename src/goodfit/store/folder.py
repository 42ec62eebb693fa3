"""A run folder: the record, the trained network, and everything needed to predict raw rows.

run.json              the record of the procedure
network.json          structure, sizes, view of the inputs, link, task
prescription.json     the proven remedies, to be tried on other data
weights.safetensors   parameters and buffers of every member
preparation.*         how raw rows become inputs
model.py              the user's own network, if there is one
loss.py               the user's own loss, if it stands in a file
report.html           the report
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goodfit.data.preparation import Preparation
from goodfit.data.task import Task
from goodfit.errors import GoodfitError, RunFolderError
from goodfit.nets.network import Network, Sizes
from goodfit.procedure.fitted import Fitted, Predictor
from goodfit.procedure.loss_source import LossSource
from goodfit.recipe.prescription import PRESCRIPTION_FILE, prescription_of
from goodfit.store.place import refuse_place
from goodfit.store.record import RUN_FILE, encode_run, load_run
from goodfit.store.staging import stage
from goodfit.store.weights import load_weights, save_weights

NETWORK_FILE = "network.json"
WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.py"
LOSS_FILE = "loss.py"


def save(
    fitted: Fitted, folder: str | Path, *, replace: bool = False, pages: Mapping[str, str] | None = None
) -> Path:
    """Write a run folder in one step.

    Args:
        fitted: What the procedure handed back.
        folder: Where to write it.
        replace: Whether a run that is there may be replaced. Anything else is never replaced.
        pages: Further text files, by name, such as ``{"report.html": ...}``.

    Returns:
        The folder.

    Raises:
        RunFolderError: The place is taken or cannot be written to; it is then as it was before.
    """
    folder = Path(folder)
    refuse_place(folder, replace=replace)
    with stage(folder, replace=replace) as temporary:
        fitted.predictor.preparation.save(temporary)
        save_weights(fitted.predictor.weights, temporary / WEIGHTS_FILE)
        record = _describe(fitted.predictor, temporary)
        (temporary / NETWORK_FILE).write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
        for name, text in (pages or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
        prescribed = prescription_of([verdict.steps for verdict in fitted.run.prescription])
        (temporary / PRESCRIPTION_FILE).write_text(prescribed.to_json(), encoding="utf-8")
        (temporary / RUN_FILE).write_bytes(encode_run(fitted.run))
    return folder


def load(folder: str | Path) -> Fitted:
    """Read a run folder back, ready to predict.

    Args:
        folder: A folder that :func:`save` wrote.

    Raises:
        RunFolderError: The folder is no run, is incomplete, or comes from a newer version.
        ModelError: The user's own network cannot be built any more.
    """
    folder = Path(folder)
    run = load_run(folder)
    predictor = _predictor(_read_network(folder), folder)
    try:
        predictor.modules  # noqa: B018 -- built now, so that weights that do not fit are met here
    except RuntimeError as error:
        raise RunFolderError(
            f"the weights in {folder} do not fit its network: {error}",
            fix="copy the run folder again, or repeat the run",
        ) from error
    return Fitted(run=run, predictor=predictor)


def _describe(predictor: Predictor, folder: Path) -> dict[str, Any]:
    return {
        "network": _portable(predictor.network, folder).to_dict(),
        "sizes": dataclasses.asdict(predictor.sizes),
        "inputs": predictor.inputs,
        "link": predictor.link,
        "task": predictor.task.to_dict(),
        "loss": _portable_loss(predictor.loss, folder),
    }


def _portable(network: Any, folder: Path) -> Network:
    """Make the user's own network one that can be found again: its file is copied into the run folder."""
    factory = getattr(network, "factory", None)
    if factory is None:
        return network
    if callable(factory):
        if "<" in factory.__qualname__ or factory.__module__ == "__main__":
            raise RunFolderError(
                f"the network comes from {factory.__qualname__}, and no other process can find that again",
                fix='define it at the top of a file and give model="FILE.py:FUNCTION"',
            )
        return dataclasses.replace(network, factory=f"{factory.__module__}:{factory.__qualname__}")
    origin, _, name = factory.rpartition(":")
    if not origin.endswith(".py"):
        return network
    shutil.copyfile(origin, folder / MODEL_FILE)
    return dataclasses.replace(network, factory=f"{MODEL_FILE}:{name}")


def _portable_loss(loss: LossSource | None, folder: Path) -> dict[str, Any] | None:
    if loss is None:
        return None
    file, name, call = loss.place
    if file:
        shutil.copyfile(file, folder / LOSS_FILE)
        loss = dataclasses.replace(loss, source=f"{LOSS_FILE}:{name}{call}")
    return loss.to_dict()


def _loss(record: dict[str, Any] | None, folder: Path) -> LossSource | None:
    if record is None:  # a folder of before losses were kept
        return None
    loss = LossSource.from_dict(record)
    is_kept = loss.source.startswith(f"{LOSS_FILE}:")
    return dataclasses.replace(loss, source=str(folder / loss.source)) if is_kept else loss


def _read_network(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8"))
        factory = record["network"].get("factory", "")
        if factory.startswith(f"{MODEL_FILE}:"):
            record["network"]["factory"] = str(folder / factory)
        return record
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise _incomplete(folder, error) from error


def _predictor(record: dict[str, Any], folder: Path) -> Predictor:
    try:
        return Predictor(
            network=Network.from_dict(record["network"]),
            sizes=_sizes(record["sizes"]),
            inputs=record["inputs"],
            link=record["link"],
            weights=load_weights(folder / WEIGHTS_FILE),
            preparation=Preparation.load(folder),
            task=Task.from_dict(record["task"]),
            loss=_loss(record.get("loss"), folder),
        )
    except GoodfitError:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise _incomplete(folder, error) from error


def _sizes(record: dict[str, Any]) -> Sizes:
    return Sizes(
        inputs=tuple(record["inputs"]),
        cardinalities=tuple(record["cardinalities"]),
        outputs=record["outputs"],
    )


def _incomplete(folder: Path, error: Exception) -> RunFolderError:
    return RunFolderError(
        f"{folder} is incomplete: {NETWORK_FILE} cannot be read ({type(error).__name__}: {error})",
        fix="copy the run folder again, or repeat the run",
    )
