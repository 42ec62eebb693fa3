"""The command for leaving: a run as a plain PyTorch script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodfit.cli.command import GOOD


def eject(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that fit or demo wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.py", help="The script to write; weights go beside it.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the files that are there.")] = False,
) -> int:
    """Write a run as a PyTorch script that needs no goodfit: it predicts, and trains anew."""
    from goodfit.interop.eject import eject as write

    script, weights = write(run, out, replace=replace)
    typer.echo(f"{script} predicts rows, and trains anew with --train; its weights are in {weights}")
    return GOOD
