"""A run as strict JSON, in and out, without torch.

JSON has no words for NaN and infinity; they travel as the strings ``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import msgspec

from goodfit.errors import RunFolderError
from goodfit.procedure.run import FORMAT, Run

RUN_FILE = "run.json"


def encode_run(run: Run) -> bytes:
    """Write a run as strict JSON, in one line.

    Args:
        run: The record.

    Returns:
        UTF-8 text that :func:`decode_run` turns into an equal record.
    """
    return msgspec.json.encode(_spelled(run)) + b"\n"


def decode_run(text: bytes, *, name: str = RUN_FILE) -> Run:
    """Read what :func:`encode_run` wrote.

    Args:
        text: The JSON text.
        name: What to call it in an error.

    Raises:
        RunFolderError: The text is no run, is damaged, or comes from a newer version.
    """
    try:
        values = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _damaged(name, error) from error
    _check_format(values, name)
    try:
        return msgspec.convert(values, Run, strict=False)  # not strict, so that "nan" is read as a number
    except msgspec.ValidationError as error:
        raise _damaged(name, error) from error


def load_run(folder: str | Path) -> Run:
    """Read the record of a run folder.

    Args:
        folder: A folder that goodfit wrote.

    Returns:
        The record; the trained network stays on disk.

    Raises:
        RunFolderError: The folder is missing, is no run, is damaged, or comes from a newer version.
    """
    folder = Path(folder)
    file = folder / RUN_FILE
    try:
        text = file.read_bytes()
    except OSError as error:
        raise RunFolderError(
            f"{folder} is not a run: {_why(folder, error)}",
            fix="give a folder that `goodfit fit` or `goodfit demo` wrote",
        ) from error
    return decode_run(text, name=str(file))


def _why(folder: Path, error: OSError) -> str:
    if not folder.exists():
        return "it does not exist"
    if not folder.is_dir():
        return "it is a file"
    return f"it holds no {RUN_FILE}" if isinstance(error, FileNotFoundError) else str(error)


def _check_format(values: Any, name: str) -> None:
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(found, int) or found < 1:
        raise RunFolderError(
            f"{name} is not the record of a run",
            fix="give a folder that `goodfit fit` or `goodfit demo` wrote",
        )
    if found > FORMAT:
        raise RunFolderError(
            f"{name} has format {found}, written by goodfit {values.get('goodfit')}; "
            f"this goodfit reads formats up to {FORMAT}",
            fix="update with `pip install --upgrade goodfit`",
        )


def _damaged(name: str, error: Exception) -> RunFolderError:
    return RunFolderError(f"{name} is damaged: {error}", fix="copy the run folder again, or repeat the run")


def _spelled(value: Any) -> Any:
    """Turn records into plain values, and what JSON or msgspec cannot hold into what they can."""
    if dataclasses.is_dataclass(value):
        return {field.name: _spelled(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_spelled(item) for item in value]
    if isinstance(value, str):  # a file name may hold bytes that are no text
        return value.encode("utf-8", "replace").decode()
    value = value.item() if hasattr(value, "item") else value  # a number of NumPy's
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
