"""How often each finding of ``goodfit watch`` is right: mistakes planted in scripts, and their healthy twins.

    python benchmarks/scripts.py [--only WORD ...] [--part none]

Every mistake and every twin is a small training script (in ``mistakes/``), watched from five seeds. A mistake
is found if its finding is a warning or an error; those marked with a star are for information, and are found
if they are told at all. A twin raises an alarm by any warning or error, and by the starred finding.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from machine import RESULTS, write_results
from mistakes import MISTAKES, Mistake, written
from mistakes.pieces import Pieces
from rich.console import Console
from rich.table import Table

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Finding
from goodfit.watch.runner import run
from goodfit.watch.session import Session

SEEDS = range(5)


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="codes of findings")
    parser.add_argument("--part", choices=("none",), help="none prints the record")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.part != "none":
        chosen = [m for m in MISTAKES if not arguments.only or m.code in arguments.only]
        rows_by_key = {key(row): row for row in (*recorded(), *map(measure, chosen))}
        rows = [rows_by_key[m.code, m.words] for m in MISTAKES if (m.code, m.words) in rows_by_key]
        print(write_results("scripts", {"rows": rows}))
    show(recorded())


def measure(mistake: Mistake) -> dict[str, Any]:
    """Count in how many seeds a mistake is found, and what its twin raises."""
    found, alarms = 0, Counter[str]()
    for seed in SEEDS:
        found += mistake.code in told(mistake, mistake.pieces, seed)
        alarms.update(told(mistake, mistake.twin, seed))
    row = {
        "code": mistake.code,
        "mistake": mistake.words,
        "is_noted": mistake.is_noted,
        "found": found,
        "of": len(SEEDS),
        "twin": mistake.right,
        "alarms": dict(alarms),
    }
    print(row, flush=True)
    return row


def told(mistake: Mistake, pieces: Pieces, seed: int) -> set[str]:
    """Codes of warnings and errors, and of the mistake's own finding if it is for information."""
    noted = {mistake.code} if mistake.is_noted else set()
    return {f.code for f in watched(pieces, seed) if f.severity != "info" or f.code in noted}


def watched(pieces: Pieces, seed: int) -> tuple[Finding, ...]:
    """Run one script under observation.

    Raises:
        RuntimeError: The script failed, or watching did.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_text(written(pieces, seed=seed), encoding="utf-8")
        session = Session(quiet=True)
        with session, contextlib.redirect_stdout(io.StringIO()):
            ending = run(str(path), (), as_module=False)
            session.close(is_whole=ending.is_whole)
    if ending.code or session.failure:
        raise RuntimeError(f"{session.failure or 'the script failed'}: {pieces}")
    return session.findings


def key(row: dict[str, Any]) -> tuple[str, str]:
    """Name a row of the record."""
    return row["code"], row["mistake"]


def recorded() -> list[dict[str, Any]]:
    """Read what was measured before."""
    path = RESULTS / "scripts.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def show(rows: list[dict[str, Any]]) -> None:
    """Print the record as a table for the docs."""
    table = Table(box=None)
    for column in ("code", "name", "mistake", "found", "of", "healthy twin", "alarms"):
        table.add_column(column)
    for row in rows:
        name = CATALOGUE[row["code"]].name + ("*" if row["is_noted"] else "")
        alarms = ", ".join(f"{count} {code}" for code, count in row["alarms"].items())
        cells = (row["code"], name, row["mistake"], row["found"], row["of"], row["twin"], alarms)
        table.add_row(*map(str, cells))
    console = Console(width=150)
    console.print(table)
    found, runs = (sum(row[part] for row in rows) for part in ("found", "of"))
    alarms = sum(sum(row["alarms"].values()) for row in rows)
    console.print(f"{len(rows)} mistakes, {runs} runs: {found} are found; as many of twins: {alarms} alarms")


if __name__ == "__main__":
    main()
