"""What every benchmark writes beside its numbers: the machine, the versions, the date."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def describe_machine() -> dict[str, Any]:
    """Say where and with what a benchmark ran."""
    import torch

    names = ("goodfit", "torch", "numpy", "scikit-learn", "pandas")
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in names},
    }


def write_results(name: str, record: dict[str, Any]) -> Path:
    """Write one benchmark's record to ``benchmarks/results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": describe_machine(), **record}, indent=1) + "\n")
    return path


def kept_rows(path: Path | None) -> list[dict[str, Any]]:
    """Read the rows that an earlier run kept; none where nothing is to be kept."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def keep_row(path: Path | None, row: dict[str, Any]) -> None:
    """Write a row at once, if rows are to be kept, so that a run that is cut off can go on later."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def data_folder() -> Path:
    """Find the data for benchmarks: ``GOODFIT_DATA``, or the folder ``shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("GOODFIT_DATA", beside))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
