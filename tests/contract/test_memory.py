"""How often the data lies in memory while networks are trained, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MEASURED = """
import numpy as np
from goodfit.data.sources import load
from goodfit.engine.training.workers import hired
from goodfit.evidence.references import references

def held():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

def run(num_rows):
    stream, shape = np.random.default_rng(0), (num_rows, 400)
    drawn_ND = {drawn}
    split = load(drawn_ND, stream.integers(2, size=num_rows))
    del drawn_ND
    with hired(split, count=1):
        kept = references(split, seconds=1.0), split
        return held(), kept

first, _ = run(600)
second, _ = run(40_000)
print((second - first) / (4 * 40_000 * 400))
"""


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("drawn", "most"),
    [
        ("stream.normal(size=shape).astype(np.float32)", 1.4),
        ("stream.integers(256, size=shape).astype(np.uint8)", 0.6),
    ],
    ids=["numbers", "bytes"],
)
def test_the_data_lies_in_memory_once_beside_the_file_of_all_processes(drawn, most):
    """Once as read, and there are a sample for a reference and what allocators keep; bytes take a quarter."""
    text = MEASURED.format(drawn=drawn)
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert float(done.stdout) < most
