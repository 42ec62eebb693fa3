"""The command line as a process of its own, on small tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner

from goodfit.cli.app import app

QUICK = ("--max-trainings", "6", "--seeds", "2", "--epochs", "15")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


class Done(NamedTuple):
    code: int
    out: str
    err: str


def goodfit(*words, cwd):
    command = [sys.executable, "-m", "goodfit", *map(str, words)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call ``goodfit`` in an empty folder, in this process."""

    def call(*words):
        done = CliRunner().invoke(app, [str(word) for word in words], prog_name="goodfit")
        return Done(done.exit_code, done.stdout, done.stderr)

    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture(scope="session")
def environment():
    return ENVIRONMENT


@pytest.fixture(scope="session")
def quick():
    """Options for a procedure of a second or two."""
    return QUICK


@pytest.fixture(scope="session")
def irises(tmp_path_factory):
    """A table on disk, its target a column of words."""
    data = load_iris(as_frame=True)
    table = data.data.assign(species=[data.target_names[code] for code in data.target])
    path = tmp_path_factory.mktemp("irises") / "irises.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def fit_once(irises):
    """One fit that many tests look at: the folder it ran in, and what it said."""
    folder = irises.parent
    options = (
        "--target",
        "species",
        "--target-metric",
        "accuracy=0.6",
        "--out",
        "run",
        "--json",
        "--seed",
        "1",
    )
    return folder, goodfit("fit", irises, *options, *QUICK, cwd=folder)


@pytest.fixture(scope="session")
def saved(fit_once) -> Path:
    folder, done = fit_once
    assert done.code in (0, 1), done.err
    return folder / "run"


@pytest.fixture(scope="session")
def rows(irises):
    return pd.read_csv(irises)
