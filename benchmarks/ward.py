"""goodfit watch on real training programs, faulty and healthy.

    python benchmarks/ward.py [--limit 60] [--jobs 2] [--only ID ...] [--keep FILE]

The programs are built from ``ward.jsonl`` by the ``build.py`` beside it, in the folder ``ward`` beside the
data for benchmarks (see ``data_folder`` in machine.py), or where ``--ward`` says. Each runs under ``goodfit
watch`` until it ends, or is interrupted at the time limit; what was seen until then counts. A program is
flagged if it has a finding that is a warning or an error, and fittingly so if one of these belongs to a fault
that a source records for it. With ``--keep`` each program's row is written there at once, and programs whose
row is there already are not run again, so that a run may be cut off and go on later.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import data_folder, keep_row, kept_rows, write_results
from rich.console import Console
from rich.table import Table

SEVERE = ("warning", "error")
TOOLS = {
    "UM": "UMLAUT",
    "DL": "DeepLocalize",
    "DD": "DeepDiagnosis",
    "NL": "NeuraLint",
    "MU": "deepmufl",
}
LEARNT = {"acc": 0.75, "r2": 0.5}
"""Training metric from which a repaired program counts as one that learns."""
WIRING = "GF010 GF011 GF012 GF013 GF014 GF027"
POOR = "GF113 GF114"
FITTING = {
    "activation-output": WIRING,
    "loss": WIRING,
    "activation-hidden": f"GF101 GF103 GF104 {POOR}",
    "lr": f"GF020 GF021 GF026 GF102 GF103 GF104 GF106 {POOR}",
    "optimizer": f"GF020 GF021 GF022 GF102 GF106 {POOR}",
    "batch": f"GF020 GF021 GF024 GF102 GF103 {POOR}",
    "preprocessing": f"GF004 GF005 GF026 GF028 GF102 GF103 GF104 {POOR}",
    "epochs": f"GF106 GF115 {POOR}",
    "layers/capacity": POOR,
    "regularization": f"GF026 {POOR}",
    "labels": "GF029",
}
"""Findings that name a recorded fault, or what it does; without a record any finding fits."""
GRACE = 30.0
"""Seconds for a program that was interrupted to report what was seen."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def main() -> None:
    """Run the benchmark, print its table, and write its record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--ward", type=Path, default=data_folder().parent / "ward")
    parser.add_argument("--only", nargs="*", default=[], help="programs, with or without __fixed")
    parser.add_argument("--keep", type=Path, help="file of rows, one line of JSON a program")
    arguments = parser.parse_args()
    # a benchmark in the background ignores interruptions, and its children would too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lines = (arguments.ward / "ward.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for line in lines if not (record := json.loads(line)).get("skip")]
    kept = {row["id"]: row for row in kept_rows(arguments.keep)}

    def run(program: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
        if program[0].stem in kept:
            return kept[program[0].stem]
        row = watch(*program, limit=arguments.limit)
        keep_row(arguments.keep, row)
        return row

    with tempfile.TemporaryDirectory() as folder:
        programs = build(arguments.ward, Path(folder), records)
        if arguments.only:
            programs = [(script, record) for script, record in programs if script.stem in arguments.only]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            rows = list(pool.map(run, programs))
    summary = summarise(rows)
    show(rows, summary)
    record = {"limit_seconds": arguments.limit, "summary": summary, "rows": rows}
    print(write_results("ward-part" if arguments.only else "ward", record))


def build(ward: Path, folder: Path, records: list[dict[str, Any]]) -> list[tuple[Path, dict[str, Any]]]:
    """Write the programs into a folder, and pair each with its record."""
    command = [sys.executable, str(ward / "build.py"), str(ward / "ward.jsonl"), str(folder), "--fixed"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    pairs = [(folder / f"{record['id']}.py", record) for record in records]
    fixed = [(folder / f"{record['id']}__fixed.py", record) for record in records if record.get("fixed")]
    return [*pairs, *fixed]


def watch(script: Path, record: dict[str, Any], *, limit: float) -> dict[str, Any]:
    """Run one program under observation, and say what was found."""
    found = script.with_suffix(".findings.json")
    command = [sys.executable, "-m", "goodfit", "watch", "--json", str(found), str(script)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=script.parent
    )
    is_whole = True
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        is_whole = False
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
    told = json.loads(found.read_text(encoding="utf-8")) if found.exists() else None
    row = {
        "id": script.stem,
        "kind": kind_of(script, record, out),
        "is_whole": is_whole,
        "metric": last_metric(out),
        "findings": [f"{f['code']} {f['severity']}" for f in told["findings"]] if told else None,
        **verdict(told, record.get("truth") or ()),
        "overhead": told["overhead"] if told else None,
        "verdicts": record.get("verdicts") or {},
    }
    if told is None or "a fault in goodfit" in err:
        row["error"] = err[-500:]
    print(
        f"{row['kind']:12} {row['id']:40} {'' if is_whole else 'cut '}{row['metric']} {row['findings']}",
        flush=True,
    )
    return row


def verdict(told: dict[str, Any] | None, truth: Sequence[str]) -> dict[str, bool]:
    """Say whether a program is flagged at all, and by a finding that fits its recorded faults."""
    severe = {f["code"] for f in told["findings"] if f["severity"] in SEVERE} if told else set()
    fitting = {code for fault in truth for code in FITTING[fault].split()}
    return {"is_flagged": bool(severe), "is_fitting": bool(severe & fitting if truth else severe)}


def kind_of(script: Path, record: dict[str, Any], out: str) -> str:
    """Name the group that a program is counted in."""
    if script.stem.endswith("__fixed"):
        name, value = last_metric(out) or ("", 0.0)
        return "fixed" if value >= LEARNT.get(name, float("inf")) else "fixed in vain"
    if record["kind"] == "healthy":
        return "healthy"
    return "trains fine" if record.get("trains_fine") else "faulty"


def last_metric(out: str) -> tuple[str, float] | None:
    """Read the last training metric that a program printed."""
    values = re.findall(r"  (acc|r2|mae) (-?[\d.]+|nan|-?inf)", out)
    return (values[-1][0], float(values[-1][1])) if values else None


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count flagged programs of each group, and those that other tools saw."""
    groups = {}
    for kind in ("faulty", "healthy", "fixed", "fixed in vain", "trains fine"):
        group = [row for row in rows if row["kind"] == kind]
        counts = {name: sum(row[f"is_{name}"] for row in group) for name in ("flagged", "fitting")}
        groups[kind] = {"programs": len(group), **counts}
    faulty = [row for row in rows if row["kind"] == "faulty"]
    tools = {
        name: {
            "judged": sum(row["verdicts"].get(code) is not None for row in faulty),
            "flagged": sum(bool(row["verdicts"].get(code)) for row in faulty),
        }
        for code, name in TOOLS.items()
    }
    judged = [row for row in faulty if any(row["verdicts"].get(code) is not None for code in TOOLS)]
    tools["goodfit on these"] = {"judged": len(judged), "flagged": sum(row["is_flagged"] for row in judged)}
    overheads = [row["overhead"] for row in rows if row["overhead"] is not None]
    return {
        "groups": groups,
        "tools_on_faulty": tools,
        "faults_in_goodfit": sum("error" in row for row in rows),
        "median_overhead": sorted(overheads)[len(overheads) // 2] if overheads else None,
    }


def show(rows: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print the counts, the other tools' verdicts, and every program that went the wrong way."""
    table = Table(title="programs flagged with a warning or an error")
    for column in ("group", "flagged", "fitting the fault", "programs"):
        table.add_column(column)
    for kind, counts in summary["groups"].items():
        cells = (counts["flagged"], counts["fitting"] if kind == "faulty" else "", counts["programs"])
        table.add_row(f"goodfit: {kind}", *map(str, cells))
    for name, counts in summary["tools_on_faulty"].items():
        table.add_row(f"{name}: faulty", str(counts["flagged"]), "", str(counts["judged"]))
    console = Console()
    console.print(table)
    for row in rows:
        is_wrong = row["is_flagged"] != (row["kind"] == "faulty")
        if is_wrong and row["kind"] in ("faulty", "healthy", "fixed"):
            console.print(f"{row['kind']}: {row['id']}: {row['findings']}, {row['metric']}", markup=False)
    console.print(f"median overhead {summary['median_overhead']}; faults {summary['faults_in_goodfit']}")


if __name__ == "__main__":
    main()
