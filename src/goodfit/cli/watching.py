"""The words of ``goodfit watch``, as its help shows them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from goodfit.cli.observing import observe


class FailOn(StrEnum):
    """The least severity that makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"


def watch(
    words: Annotated[
        list[str], typer.Argument(metavar="SCRIPT [ARGS]...", help="The script and its own arguments.")
    ],
    as_module: Annotated[bool, typer.Option("-m", help="SCRIPT is the name of a module.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the findings to this file.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write them as SARIF to this file.")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 1 on findings this severe.")
    ] = None,
    select: Annotated[str | None, typer.Option(metavar="CODES", help="Only these findings.")] = None,
    ignore: Annotated[str | None, typer.Option(metavar="CODES", help="All but these findings.")] = None,
) -> int:
    """Run a PyTorch training script as it is, and say what is wrong with it.

    The exit code is the script's own, or 1 for findings that --fail-on asks for.
    """
    return observe(
        words, as_module=as_module, json=json, sarif=sarif, fail_on=fail_on, select=select, ignore=ignore
    )
