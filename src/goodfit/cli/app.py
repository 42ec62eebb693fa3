"""The command line: every door to the procedure, and nothing of the procedure itself.

Whatever takes time to import is imported where it is needed, so that ``goodfit --help`` answers at once and
``goodfit report`` never loads torch.
"""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodfit.cli import arguments, explaining, leaving, watching
from goodfit.cli.command import GOOD, REPORT_FILE, Left, carry_out, door, tell
from goodfit.errors import PlanError

if TYPE_CHECKING:
    from goodfit.procedure.events import Listener
    from goodfit.procedure.fitted import Fitted


class Patient(StrEnum):
    """The illnesses that the demo can start from."""

    VANISHING = "vanishing"
    OVERFIT = "overfit"


Out = Annotated[Path | None, typer.Option("--out", help="Folder of the run; a free name by default.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the run that is there.")]
Span = Annotated[str | None, typer.Option("--budget", help="Time allowed, such as 30s, 5m or 1h30m.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Root seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the summary.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda; auto takes a GPU that is faster.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that fit or demo wrote.")]

app = typer.Typer(
    help="Run the Recipe of Deep Learning: train, ask, treat, prove, report.",
    epilog="Exit codes: 0 good fit, 1 findings remain, 2 could not examine.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line, as the installed ``goodfit`` does."""
    app(prog_name="goodfit")


@app.callback(invoke_without_command=True)
def version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Answer ``--version``."""
    if version:
        import importlib.metadata

        typer.echo(f"goodfit {importlib.metadata.version('goodfit')}")
        raise typer.Exit


@app.command()
@door
def demo(
    patient: Annotated[Patient, typer.Option(help="The illness to start from.")] = Patient.VANISHING,
    out: Out = None,
    replace: Replace = False,
    budget: Span = None,
    device: Device = "auto",
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Cure a network that is ill on purpose, on data that is built in."""

    def work(listener: Listener, left: Left) -> Fitted:
        from goodfit.procedure.demo import demo as cure

        return cure(
            patient.value, seed=seed, listener=listener, budget=left(), device=device, command=_typed()
        )

    return carry_out(work, out=out, replace=replace, budget=budget, json=json, quiet=quiet)


@app.command()
@door
def fit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A table, an .npz or .npy file, or a folder of images.")
    ],
    target: Annotated[str | None, typer.Option(help="Column to be learnt.")] = None,
    task: Annotated[
        str | None, typer.Option(help="classes or numbers; decided by content by default.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Your own test rows.")] = None,
    group: Annotated[str | None, typer.Option(help="Column whose equal values stay in one part.")] = None,
    time: Annotated[str | None, typer.Option(help="Column by which the newest rows become the test.")] = None,
    model: Annotated[str | None, typer.Option(metavar="FILE.py:FUNCTION", help="Your own network.")] = None,
    hidden: Annotated[str | None, typer.Option(metavar="WIDTHS", help="Such as 128,64 or 32x10.")] = None,
    activation: Annotated[str | None, typer.Option(help="Activation of the hidden layers.")] = None,
    rule: Annotated[str | None, typer.Option(help="Update rule, such as adam.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:FUNCTION", help="Your own optimizer, in place of rule and rate."),
    ] = None,
    loss: Annotated[str | None, typer.Option(help="Loss, such as cross-entropy.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of one step.")] = None,
    class_weights: Annotated[
        str | None, typer.Option(metavar="W,W,...", help="Weight of each class in the loss.")
    ] = None,
    prescription: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Try only what that run prescribed.")
    ] = None,
    target_metric: Annotated[
        str | None, typer.Option(metavar="METRIC=SCORE", help="Such as accuracy=0.97.")
    ] = None,
    budget: Span = None,
    max_trainings: Annotated[
        int | None, typer.Option(help="Networks that may be trained; repeatable.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds of every arm.")] = None,
    device: Device = "auto",
    seed: Seed = 0,
    out: Out = None,
    replace: Replace = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run the recipe on your data: a model, a prescription and a report."""
    implied, score = arguments.target_metric(target_metric) if target_metric else (None, None)
    if task and implied and task != implied:
        raise PlanError(
            f"the target {target_metric} is none for {task}", fix="leave out --task or the metric's name"
        )
    widths = arguments.widths(hidden) if hidden is not None else None
    weights = arguments.numbers(class_weights) if class_weights else ()

    def work(listener: Listener, left: Left) -> Fitted:
        from goodfit.nets.factory import load as found_at
        from goodfit.procedure.fit import fit as run_recipe

        return run_recipe(
            data,
            target=target,
            task=task or implied,
            test=test,
            group=group,
            time=time,
            model=model,
            hidden=widths,
            activation=activation,
            rule=rule,
            lr=lr,
            optimizer=None if optimizer is None else found_at(optimizer, what="optimizer"),
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            class_weights=weights,
            prescription=prescription,
            target_metric=score,
            budget=left(),
            max_trainings=max_trainings,
            num_seeds=seeds,
            device=device,
            seed=seed,
            listener=listener,
            command=_typed(),
        )

    return carry_out(work, out=out, replace=replace, budget=budget, json=json, quiet=quiet)


@app.command()
@door
def predict(
    run: RunFolder,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Raw rows, as in training; the target may be absent.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.")] = Path("predictions.csv"),
) -> int:
    """Predict new rows with a run's model, piece by piece."""
    from goodfit.data.sources import read_new
    from goodfit.data.tables import write_chunks
    from goodfit.store.folder import load

    fitted = load(run)
    num_rows = write_chunks((fitted.predict(rows) for rows in read_new(data)), out)
    typer.echo(f"{num_rows} rows predicted, in {out}")
    return GOOD


@app.command()
@door
def report(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; in the run by default.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Json = False,
) -> int:
    """Write a run's report again, and print its summary."""
    from goodfit.report.html import render
    from goodfit.store.record import load_run
    from goodfit.store.staging import write_whole

    record = load_run(run)
    page = out or run / REPORT_FILE
    write_whole(page, render(record))
    tell(record, run, page=page, json=json)
    if open_it:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return GOOD


app.command()(door(explaining.explain))
app.command()(door(explaining.findings))
app.command()(door(leaving.eject))
app.command(context_settings={"allow_interspersed_args": False})(door(watching.watch))


def _typed() -> str:
    return shlex.join(["goodfit", *sys.argv[1:]])
