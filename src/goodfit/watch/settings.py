"""What a project asks of ``goodfit watch``: the table ``[tool.goodfit.watch]`` of its pyproject.toml."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.errors import PlanError

FILE, TABLE = "pyproject.toml", ("tool", "goodfit", "watch")
FAIL_ON = ("error", "warning")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Which findings count, and which make the command fail.

    Attributes:
        select: Codes to keep; all if empty.
        ignore: Codes to leave out.
        fail_on: The least severity that makes the exit code 1; ``None`` for never.
    """

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    fail_on: str | None = None


def read_settings(folder: Path) -> Settings:
    """Read the settings of the nearest pyproject.toml, in a folder or above it.

    Args:
        folder: Where to begin.

    Returns:
        The settings; those of an empty table if there is no such file or table.

    Raises:
        PlanError: The file is no TOML, or the table holds something else than settings.
    """
    path = next((place / FILE for place in (folder, *folder.parents) if (place / FILE).is_file()), None)
    if path is None:
        return Settings()
    try:
        found: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} is no TOML: {error}", fix="mend the file") from error
    for key in TABLE:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return settings_of(found, source=f"[{'.'.join(TABLE)}] in {path}")


def settings_of(table: dict[str, Any], *, source: str) -> Settings:
    """Make settings of a table.

    Args:
        table: Values by their names, written as on the command line.
        source: Where it stands, for errors.

    Raises:
        PlanError: A name, a value or a code is unknown.

    Example:
        >>> settings_of({"ignore": ["GF010"], "fail-on": "error"}, source="here").fail_on
        'error'
    """
    unknown = sorted(table.keys() - {"select", "ignore", "fail-on"})
    if unknown:
        raise PlanError(f"{source} holds {unknown[0]!r}", fix="it may hold select, ignore and fail-on")
    for key in ("select", "ignore"):
        codes = table.get(key, [])
        if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
            raise PlanError(f"{source} holds {key} = {codes!r}", fix=f'write {key} = ["GF010"]')
    if table.get("fail-on") not in (None, *FAIL_ON):
        raise PlanError(f"{source} holds fail-on = {table['fail-on']!r}", fix='write "error" or "warning"')
    return Settings(
        select=known_codes(table.get("select", [])),
        ignore=known_codes(table.get("ignore", [])),
        fail_on=table.get("fail-on"),
    )


def known_codes(words: Iterable[str]) -> frozenset[str]:
    """Read codes of the catalogue, in capitals or not.

    Raises:
        PlanError: A code is not in the catalogue.

    Example:
        >>> sorted(known_codes(["gf010", " GF113"]))
        ['GF010', 'GF113']
    """
    wanted = {word.strip().upper() for word in words if word.strip()}
    for code in sorted(wanted):
        if code not in CATALOGUE:
            raise PlanError(f"there is no finding {code!r}", fix="write codes such as GF010,GF113")
    return frozenset(wanted)
