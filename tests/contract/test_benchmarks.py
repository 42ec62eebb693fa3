"""Every benchmark can be loaded: what it takes from the package and from its neighbours is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LOAD = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def test_every_benchmark_loads():
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py"))
    assert "bar" in names
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *names], cwd=BENCHMARKS, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
