"""The scripts of ``examples/``, each with a small budget of trainings."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goodfit.cli.app import app

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = {"max_trainings": 4, "num_seeds": 1, "epochs": 2}


def main_of(name):
    return runpy.run_path(str(EXAMPLES / name), run_name="example")["main"]


def test_there_are_five_scripts_of_under_eighty_lines():
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in EXAMPLES.glob("*.py")
    }
    assert len(lengths) == 5
    assert max(lengths.values()) < 80


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("table.py", {}, "lines of plain PyTorch"),
        ("own_cnn.py", {"num_rows": 200}, "accuracy was"),
        ("sequences.py", {"num_rows": 150}, "probability_2"),
        ("evidence.py", {}, "trainings"),
    ],
)
def test_an_example_runs_and_tells(name, options, said, capsys):
    main_of(name)(**options, **QUICK)
    assert said in capsys.readouterr().out


def test_the_watched_script_runs_and_is_ill(capsys):
    assert main_of("watching.py")(epochs=1) < 0.3
    assert "epoch 1" in capsys.readouterr().out


def test_the_watch_command_finds_the_illness(tmp_path):
    report = tmp_path / "findings.json"
    CliRunner().invoke(app, ["watch", "--json", str(report), str(EXAMPLES / "watching.py")])
    assert "vanishing" in report.read_text(encoding="utf-8")
