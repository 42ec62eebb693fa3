"""Tiny training scripts, healthy unless a piece is replaced, run under observation in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goodfit.watch.runner import run
from goodfit.watch.session import Session

# behind everything else: what is called profile there is not Python's
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from mistakes import written


class Watched:
    """A session that is over, how its script ended, and the script."""

    def __init__(self, session, ending, path):
        self.session, self.ending, self.path = session, ending, path

    @property
    def severe(self):
        return {found.name for found in self.session.findings if found.severity != "info"}

    @property
    def named(self):
        return {found.name for found in self.session.findings}

    def sighting(self, name):
        return next(seen for seen in self.session.sightings if seen.finding.name == name)


@pytest.fixture
def write(tmp_path):
    """Write a script from pieces, or from a whole text."""

    def to_file(text=None, **pieces):
        path = tmp_path / "train.py"
        path.write_text(text if text is not None else written(pieces), encoding="utf-8")
        return path

    return to_file


@pytest.fixture
def watched(write):
    """Run a script made of pieces under observation."""

    def call(text=None, *, quiet=True, arguments=(), **pieces):
        path = write(text, **pieces)
        session = Session(quiet=quiet)
        with session:
            ending = run(str(path), arguments, as_module=False)
            session.close(is_whole=ending.is_whole)
        return Watched(session, ending, path)

    return call
