"""A folder that appears whole or not at all.

Everything is written to a hidden folder beside the wanted one, flushed to the disk, and renamed in one step,
so that neither a killed process nor a full disk leaves a folder that looks finished.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from goodfit.errors import RunFolderError


@contextlib.contextmanager
def stage(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Open a temporary folder that takes the place of ``folder`` when the block ends well.

    Args:
        folder: Where the folder shall appear.
        replace: Whether what is there may be replaced, as the last step.

    Yields:
        The folder to write into.

    Raises:
        RunFolderError: The disk is full, or the place cannot be written to.
    """
    with _clear_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with _clear_errors(folder):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _flush(temporary)
            _put(temporary, folder, replace=replace)
            _sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all; one that is there is replaced.

    Raises:
        RunFolderError: The disk is full, or the place cannot be written to.
    """
    with _clear_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


def _put(temporary: Path, folder: Path, *, replace: bool) -> None:
    """Put the new folder in place; an old one is moved aside first, and back if that fails."""
    if not replace or not folder.exists():
        temporary.rename(folder)  # fails if another process has filled the place in the meantime
        return
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old.")) / folder.name
    folder.rename(aside)
    try:
        temporary.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    """Force a file or folder to the disk; a rename must not become durable before what it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{folder} cannot be written: {error.strerror or error}",
            fix="free some space, or choose another place with --out",
        ) from error
