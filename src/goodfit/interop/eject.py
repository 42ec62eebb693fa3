"""Leave as plain PyTorch: a run becomes a script that reads, predicts and trains without goodfit."""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jinja2
import torch

from goodfit.errors import ModelError, PlanError, RunFolderError
from goodfit.interop.opened import opened
from goodfit.interop.script import data as script_data
from goodfit.interop.script import loss as script_loss
from goodfit.interop.script import network as script_network
from goodfit.interop.script import optimizer as script_optimizer
from goodfit.interop.script import rows as script_rows
from goodfit.interop.script.excerpt import defined
from goodfit.interop.script.prescribed import Training, training_of
from goodfit.interop.script.rehearsal import refuse_difference
from goodfit.procedure.fitted import RANGE_MARGIN, Fitted, Predictor
from goodfit.procedure.run import Run
from goodfit.store.staging import write_whole

MEASURED_EPOCHS = 50
"""Looks at the validation loss in one training, as the engine takes them."""


def eject(run: Fitted | str | Path, out: str | Path, *, replace: bool = False) -> tuple[Path, Path]:
    """Write a run as one readable PyTorch script, with its weights beside it.

    The script holds the data preparation, the treated network, the training by the prescription and the
    prediction. It needs torch and numpy, and for tables pandas and scikit-learn; it does not need goodfit.
    Before it is handed over it is run, and has to compute what the run computes.

    Args:
        run: What :func:`goodfit.fit` returned, or a run folder.
        out: The script to write; the weights get the same name with ``.pt``.
        replace: Whether files that are there may be replaced.

    Returns:
        The script and the file of weights.

    Raises:
        RunFolderError: The run cannot be read, or a file is in the way.
        PlanError: The name does not end in ``.py``.
        ModelError: The user's own network cannot be read as source, or the script would not compute the same.
    """
    out = Path(out)
    if out.suffix != ".py":
        raise PlanError(f"the script is to be called {out}", fix="give a name that ends in .py")
    weights = out.with_suffix(".pt")
    for path in (out, weights):
        if path.exists() and not replace:
            raise RunFolderError(f"{path} exists", fix="choose another name, or replace it with --replace")
    fitted = opened(run)
    text = write_script(fitted, name=out.name)
    if not out.parent.is_dir():
        raise RunFolderError(f"{out.parent} is no folder", fix="give a name in a folder that exists")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / out.name
        draft.write_text(text, encoding="utf-8")
        torch.save(_saved(fitted), draft.with_suffix(".pt"))
        refuse_difference(draft, fitted.predictor)
        shutil.copyfile(draft.with_suffix(".pt"), weights)
    write_whole(out, text)
    return out, weights


def write_script(fitted: Fitted, *, name: str) -> str:
    """Write the text of the script.

    Args:
        fitted: The run.
        name: What the file will be called.
    """
    predictor, run = fitted.predictor, fitted.run
    training = training_of(run, members=len(predictor.weights))
    task = predictor.task
    context: dict[str, Any] = {
        "name": name,
        "title": f"{run.data.target} from {Path(run.data.name).name}, learnt by a network.",
        "story": _story(run, predictor, training),
        "training": training,
        "shown": "averaged" if training.averages else "network",
        "copies": training.averages or training.patience is not None,
        "penalises": bool(training.l1 or training.l2 or training.weight_decay),
        "measured_every": max(1, round(training.epochs / MEASURED_EPOCHS)),
        "infinity": math.inf,
        "target": script_data.source(task.target),
        "is_classes": task.kind == "classes",
        "is_shaped": bool(task.shape),
        "labels": script_data.source(list(task.labels)),
        "link": predictor.link,
        "range_margin": RANGE_MARGIN,
    }
    context |= script_data.words(predictor.preparation, predictor.inputs)
    context |= script_network.words(predictor, training) | script_loss.words(predictor, training)
    context |= script_optimizer.words(predictor, training)
    text = _templates().get_template("script.py.jinja").render(context)
    sources = (context.get("source"), context["optimizer_source"])
    _refuse_names(text, [context["loss_text"], *(getattr(each, "text", None) or "" for each in sources)])
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _refuse_names(text: str, pasted: list[str]) -> None:
    """Raise a :class:`ModelError` if the user's lines define what the script's own lines define too."""
    rest = functools.reduce(lambda left, part: left.replace(part, "") if part else left, pasted, text)
    twice = defined(rest) & set().union(*map(defined, pasted))
    if twice:
        raise ModelError(
            f"your file and the script both define {', '.join(sorted(twice))}",
            fix="call it something else in your file",
        )


def _saved(fitted: Fitted) -> dict[str, Any]:
    predictor, task = fitted.predictor, fitted.predictor.task
    target = {"center": task.center, "scale": task.scale, "low": task.low, "high": task.high}
    preparation: dict[str, Any] = script_data.state(predictor.preparation, predictor.inputs)
    if script_rows.form_of(predictor) is not None:
        preparation = script_rows.scales(predictor)
    return {
        "members": [{name: w.detach().clone() for name, w in member.items()} for member in predictor.weights],
        "preparation": preparation,
        "target": target if task.kind == "numbers" else {},
        "num_inputs": predictor.sizes.num_inputs,
    }


def _story(run: Run, predictor: Predictor, training: Training) -> list[str]:
    """What the docstring says of the run; nothing in it may end the docstring early."""
    lines = []
    if run.prescription:
        lines += ["The prescription, each remedy with what it gained in its trial:"]
        lines += [f"    {verdict.sentence}: {verdict.effect.value:+.3f}" for verdict in run.prescription]
    if run.test is not None:
        score = run.test.score
        lines += [
            f"On {run.test.num_rows} sealed rows: {run.test.metric} {score.value:.3f} "
            f"({score.low:.3f} to {score.high:.3f})."
        ]
    lines += [f"Training anew leaves out: {word} {value}." for word, value in training.unknown]
    lost = script_loss.lost(predictor)
    if lost:
        lines += [f"Before it can train anew, loss_of is to be written: {lost} was made on the spot."]
    return [script_data.harmless(line) for line in lines]


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("goodfit.interop"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the text is Python; strings from data go in as literals
    )
