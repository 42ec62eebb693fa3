"""Log a finished run to TensorBoard, MLflow or Weights & Biases.

Each takes the same things (:mod:`goodfit.interop.entries`): the curves of every arm as means over seeds, the
verdicts, the prescription, the scores with their bars, and both plans as settings. Nothing is sent anywhere
that the caller does not name.
"""

from __future__ import annotations

import importlib
import json
import re
import time
from pathlib import Path
from typing import Any, Literal

from goodfit.errors import PlanError
from goodfit.interop.entries import Entries, entries_of, record_of
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.run import Run
from goodfit.report.notebook import card

PACKAGES = {
    "tensorboard": "torch.utils.tensorboard",
    "mlflow": "mlflow",
    "wandb": "wandb",
}
MOST_LETTERS = 500
"""Letters of one setting; trackers refuse very long ones."""
AT_ONCE = 1000
"""Numbers that MLflow takes in one request."""


def to_tensorboard(run: Run | Fitted | str | Path, folder: str | Path) -> Path:
    """Write a run as event files.

    Every arm is a TensorBoard run of its own below the folder, so that curves of arms lie over each other;
    the run ``result`` holds the scores, and as texts the verdicts, the prescription and both plans.

    Args:
        run: What :func:`goodfit.fit` returned, its record, or a run folder.
        folder: Where to write; ``tensorboard --logdir FOLDER`` shows it.

    Returns:
        The folder.

    Raises:
        PlanError: TensorBoard is not installed.
        RunFolderError: The folder is no run.

    Example:
        >>> to_tensorboard("goodfit-run", "logs")  # doctest: +SKIP
    """
    writer_of = _package("tensorboard").SummaryWriter
    entries, folder = entries_of(record_of(run)), Path(folder)
    for arm in dict.fromkeys(curve.arm for curve in entries.curves):
        with writer_of(str(folder / _plain(arm))) as writer:
            for curve in entries.curves:
                if curve.arm == arm:
                    for epoch, value in curve.points:
                        writer.add_scalar(curve.name, value, epoch)
    with writer_of(str(folder / "result")) as writer:
        for name, value in entries.numbers.items():
            writer.add_scalar(name, value, 0)
        writer.add_text("verdicts", _table(entries.verdicts), 0)
        writer.add_text("prescription", _fenced(entries.texts["prescription.json"]), 0)
        settings = [{"setting": name, "value": value} for name, value in entries.settings.items()]
        writer.add_text("settings", _table(settings), 0)
    return folder


def to_mlflow(
    run: Run | Fitted | str | Path,
    *,
    experiment: str = "goodfit",
    uri: str | None = None,
    name: str | None = None,
) -> str:
    """Log a run to MLflow: parameters, metrics, curves, and the report as an artifact.

    Args:
        run: What :func:`goodfit.fit` returned, its record, or a run folder.
        experiment: The experiment; it is made if there is none of that name.
        uri: The tracking server or store; by default MLflow's own choice (``MLFLOW_TRACKING_URI``).
        name: Name of the run; by default that of the data.

    Returns:
        MLflow's identifier of the run.

    Raises:
        PlanError: MLflow is not installed.
        RunFolderError: The folder is no run.

    Example:
        >>> to_mlflow("goodfit-run", uri="http://localhost:5000")  # doctest: +SKIP
    """
    mlflow = _package("mlflow")
    record = record_of(run)
    entries, client = entries_of(record), mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    place = client.create_experiment(experiment) if found is None else found.experiment_id
    run_id: str = client.create_run(
        place, run_name=name or f"{record.data.name} {record.data.target}"
    ).info.run_id
    try:
        _fill_mlflow(mlflow.entities, client, run_id, entries)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _fill_mlflow(entities: Any, client: Any, run_id: str, entries: Entries) -> None:
    now = int(1000 * time.time())
    params = [entities.Param(_plain(key), value[:MOST_LETTERS]) for key, value in entries.settings.items()]
    metrics = [entities.Metric(_plain(key), value, now, 0) for key, value in entries.numbers.items()]
    for curve in entries.curves:
        key = _plain(f"{curve.name}/{curve.arm}")
        metrics += [entities.Metric(key, value, now, epoch) for epoch, value in curve.points]
    client.log_batch(run_id, params=params)
    for start in range(0, len(metrics), AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + AT_ONCE])
    for file, text in entries.texts.items():
        client.log_text(run_id, text, file)
    client.log_text(run_id, json.dumps(entries.verdicts, indent=1), "verdicts.json")


def to_wandb(
    run: Run | Fitted | str | Path,
    *,
    project: str = "goodfit",
    mode: Literal["online", "offline"] = "online",
    folder: str | Path | None = None,
    name: str | None = None,
) -> str:
    """Log a run to Weights & Biases: configuration, summary, curves, a table of verdicts, and the card.

    Args:
        run: What :func:`goodfit.fit` returned, its record, or a run folder.
        project: The project.
        mode: ``"offline"`` writes below the folder alone, for ``wandb sync`` later.
        folder: Where files of the logging itself go; by default the working folder.
        name: Name of the run; by default that of the data.

    Returns:
        The identifier of the run.

    Raises:
        PlanError: Weights & Biases is not installed.
        RunFolderError: The folder is no run.

    Example:
        >>> to_wandb("goodfit-run", project="titanic", mode="offline")  # doctest: +SKIP
    """
    wandb = _package("wandb")
    record = record_of(run)
    entries = entries_of(record)
    logged = wandb.init(
        project=project,
        name=name or f"{record.data.name} {record.data.target}",
        config=entries.settings,
        mode=mode,
        dir=None if folder is None else str(folder),
        reinit="create_new",
    )
    with logged:
        for curve in entries.curves:
            logged.define_metric(_plain(f"{curve.name}/{curve.arm}"), step_metric="epoch")
        for epoch, values in _by_epoch(entries).items():
            logged.log({"epoch": epoch, **values})
        rows = [list(row.values()) for row in entries.verdicts]
        columns = list(entries.verdicts[0]) if entries.verdicts else ["remedy"]
        logged.log({"verdicts": wandb.Table(columns=columns, data=rows), "card": wandb.Html(card(record))})
        logged.summary.update(
            {**entries.numbers, "prescription": json.loads(entries.texts["prescription.json"])}
        )
    return str(logged.id)


def _by_epoch(entries: Entries) -> dict[int, dict[str, float]]:
    """Values of all curves at each epoch, in the order of the epochs."""
    found: dict[int, dict[str, float]] = {}
    for curve in entries.curves:
        for epoch, value in curve.points:
            found.setdefault(epoch, {})[_plain(f"{curve.name}/{curve.arm}")] = value
    return dict(sorted(found.items()))


def _package(name: str) -> Any:
    try:
        return importlib.import_module(PACKAGES[name])
    except ImportError as error:
        raise PlanError(f"{name} is not installed", fix=f'pip install "goodfit[{name}]"') from error


def _plain(text: str) -> str:
    """Keep what every tracker and file system takes in a name."""
    return re.sub(r"[^\w\-./ ]", " ", text, flags=re.ASCII).strip()


def _table(rows: Any) -> str:
    """Write rows of equal keys as a Markdown table."""
    if not rows:
        return "none"
    cells = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([_cell(value) for value in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _fenced(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
