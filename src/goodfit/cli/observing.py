"""``goodfit watch``: run a script under observation.

What is loaded here stays loaded while the script trains, and counts as its memory. Typer, with what it needs,
takes 14 MB, so plain words are read without it, and all others are left to it.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goodfit.errors import PlanError

if TYPE_CHECKING:
    from goodfit.watch.session import Session

FAILED = 1
OPTIONS = ("json", "sarif", "fail-on", "select", "ignore")
SEVERE = {"error": ("error",), "warning": ("error", "warning")}


def plain_words(words: Sequence[str]) -> dict[str, Any] | None:
    """Read ``watch [OPTIONS] SCRIPT [ARGS]`` where it is written out in full.

    Args:
        words: What stands behind ``goodfit``.

    Returns:
        Arguments of :func:`observe`; ``None`` for help, mistakes and every other command.

    Example:
        >>> plain_words(["watch", "--ignore", "GF004", "train.py", "--lr", "1"])
        {'ignore': 'GF004', 'words': ['train.py', '--lr', '1']}
        >>> plain_words(["watch", "--help"]) is None
        True
    """
    if not words or words[0] != "watch":
        return None
    rest, found = list(words[1:]), dict[str, Any]()
    while rest and rest[0].startswith("-"):
        name, is_joined, value = rest.pop(0).partition("=")
        if name == "-m" and not is_joined:
            found["as_module"] = True
            continue
        if name.removeprefix("--") not in OPTIONS or not name.startswith("--") or not (is_joined or rest):
            return None
        found[name[2:].replace("-", "_")] = value if is_joined else rest.pop(0)
    if not rest or found.get("fail_on", "error") not in SEVERE:
        return None
    paths = {key: Path(found[key]) for key in ("json", "sarif") if key in found}
    return found | paths | {"words": rest}


def observe(
    words: Sequence[str],
    *,
    as_module: bool = False,
    json: Path | None = None,
    sarif: Path | None = None,
    fail_on: str | None = None,
    select: str | None = None,
    ignore: str | None = None,
) -> int:
    """Run a script under observation.

    Args:
        words: The script and its own arguments.
        as_module: Whether it is the name of a module.
        json: Where to write the findings.
        sarif: Where to write them as SARIF.
        fail_on: The least severity that makes the exit code 1.
        select: Codes of the only findings that count, with commas between.
        ignore: Codes of those that do not.

    Returns:
        The script's own exit code, or 1 for findings that ``fail_on`` asks for.

    Raises:
        PlanError: There is no such script or code, or a file cannot be written.
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
    return fail_on is not None and any(found.severity in SEVERE[fail_on] for found in session.findings)


def _json(session: Session) -> str:
    from goodfit.watch.machine import to_object

    found = to_object(session.sightings, not_checked=session.not_checked, overhead=session.overhead)
    return json_format.dumps(found, indent=1, allow_nan=False) + "\n"


def _sarif(session: Session) -> str:
    from goodfit.watch.machine import to_sarif

    return json_format.dumps(to_sarif(session.sightings), indent=1, allow_nan=False) + "\n"
