"""``goodfit watch``: run a script under observation."""

from __future__ import annotations

import json as json_format
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodfit.errors import PlanError

if TYPE_CHECKING:
    from goodfit.watch.session import Session

FAILED = 1


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
    from goodfit.watch.runner import leave_interrupted, refuse_missing, run
    from goodfit.watch.session import Session
    from goodfit.watch.settings import read_settings

    refuse_files(json, sarif)
    if not as_module:
        refuse_missing(words[0])
    project = read_settings(Path.cwd())
    session = Session(
        select=project.select if select is None else codes(select),
        ignore=project.ignore if ignore is None else codes(ignore),
    )
    with session:
        ending = run(words[0], words[1:], as_module=as_module)
        session.close(is_whole=ending.is_whole, note=ending.note)
    if not session.is_speaker:
        return ending.code
    for path, write in ((json, _json), (sarif, _sarif)):
        if path is not None:
            path.write_text(write(session), encoding="utf-8")
    if ending.is_interrupted:
        leave_interrupted()
    return FAILED if not ending.code and _fails(session, fail_on or project.fail_on) else ending.code


def refuse_files(*files: Path | None) -> None:
    """Refuse files that cannot be written, before anything runs.

    Raises:
        PlanError: The folder of a file does not exist, or the file is a folder.
    """
    for file in files:
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise PlanError(f"{str(file)!r} cannot be written", fix="name a file in a folder that exists")


def codes(text: str) -> frozenset[str]:
    """Read codes with commas between.

    Raises:
        PlanError: A code is not in the catalogue.

    Example:
        >>> sorted(codes("gf010, GF113"))
        ['GF010', 'GF113']
    """
    from goodfit.watch.settings import known_codes

    return known_codes(text.split(","))


def _fails(session: Session, fail_on: str | None) -> bool:
    if fail_on is None:
        return False
    severe = ("error",) if fail_on == FailOn.ERROR else ("error", "warning")
    return any(found.severity in severe for found in session.findings)


def _json(session: Session) -> str:
    from goodfit.watch.machine import to_object

    found = to_object(session.sightings, not_checked=session.not_checked, overhead=session.overhead)
    return json_format.dumps(found, indent=1, allow_nan=False) + "\n"


def _sarif(session: Session) -> str:
    from goodfit.watch.machine import to_sarif

    return json_format.dumps(to_sarif(session.sightings), indent=1, allow_nan=False) + "\n"
