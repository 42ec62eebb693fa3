"""Where a run may be written: a free name, and never over anything that is not a run."""

from __future__ import annotations

import os
from pathlib import Path

from goodfit.errors import RunFolderError
from goodfit.store.record import RUN_FILE

USUAL_NAME = "goodfit-run"


def refuse_place(folder: str | Path, *, replace: bool = False) -> None:
    """Raise a :class:`RunFolderError` if a run cannot or must not be written to this place.

    Worth asking before hours of training, not after.
    """
    folder = Path(folder)
    _refuse_taken(folder, replace=replace)
    ground = next(parent for parent in folder.absolute().parents if parent.exists())
    if not ground.is_dir() or not os.access(ground, os.W_OK | os.X_OK):
        raise RunFolderError(
            f"{folder} cannot be written: {ground} is no folder that can be written to",
            fix="choose another place with --out",
        )


def _refuse_taken(folder: Path, *, replace: bool) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        return
    if not (folder / RUN_FILE).is_file():
        raise RunFolderError(f"{folder} exists and is not a run", fix="choose another place with --out")
    if not replace:
        raise RunFolderError(
            f"{folder} holds a run already",
            fix="choose another place with --out, or replace it with --replace",
        )


def free_name(parent: str | Path = ".") -> Path:
    """Find the first free name: ``goodfit-run``, ``goodfit-run-2``, and so on."""
    place, number = Path(parent) / USUAL_NAME, 1
    while place.exists() or place.is_symlink():
        number += 1
        place = place.with_name(f"{USUAL_NAME}-{number}")
    return place
