"""``goodfit watch`` on the command line."""

from __future__ import annotations

import json

import pytest

from goodfit.cli import observing, watching

TRAINING = """
import sys
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = (x[:, 0] > 0).long()
model = torch.nn.Sequential(torch.nn.Linear(4, 2){})
rule = torch.optim.Adam(model.parameters(), lr=0.03)
for step in range(60):
    rule.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    rule.step()
print("done", sys.argv[1:])
"""


@pytest.fixture
def scripts(run, tmp_path):
    """A healthy script and an ill one, in the folder that ``run`` works in."""
    (tmp_path / "healthy.py").write_text(TRAINING.format(""))
    (tmp_path / "ill.py").write_text(TRAINING.format(", torch.nn.Softmax(dim=1)"))
    return tmp_path


def test_a_healthy_script_passes(run, scripts):
    done = run("watch", "--fail-on", "warning", "healthy.py", "--lr", "3")
    assert (done.code, done.out) == (0, "done ['--lr', '3']\n")
    assert "nothing wrong was seen in 60 steps" in done.err


def test_findings_fail_only_when_asked(run, scripts):
    assert run("watch", "ill.py").code == 0
    assert run("watch", "--fail-on", "error", "ill.py").code == 1
    assert (
        run("watch", "--fail-on", "error", "--ignore", "gf010", "--select", "GF010,GF011", "ill.py").code == 0
    )


def test_findings_are_written_to_files(run, scripts):
    run("watch", "--json", "found.json", "--sarif", "found.sarif", "ill.py")
    found = json.loads((scripts / "found.json").read_text())["findings"][0]
    assert (found["code"], found["line"]) == ("GF010", 12)
    assert json.loads((scripts / "found.sarif").read_text())["runs"][0]["results"]


def test_a_module_is_watched_by_name(run, scripts):
    assert run("watch", "-m", "healthy", "--epochs", "3").out == "done ['--epochs', '3']\n"


def test_a_script_that_trains_nothing_is_told_so(run, scripts):
    (scripts / "idle.py").write_text("raise SystemExit(7)")
    done = run("watch", "idle.py")
    assert done.code == 7
    assert "there was no training to watch" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("watch", "none.py"), "there is no script 'none.py'"),
        (("watch", "--select", "GF999", "healthy.py"), "there is no finding 'GF999'"),
        (("watch", "--json", "nowhere/found.json", "healthy.py"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(run, scripts, words, said):
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "fix:" in done.err
    assert "goodfit:" not in done.err


PROJECT = """
[tool.goodfit.watch]
ignore = ["GF010"]
fail-on = "error"
"""


def test_a_project_says_which_findings_count(run, scripts):
    (scripts / "pyproject.toml").write_text(PROJECT.replace("ignore", "select"))
    assert run("watch", "ill.py").code == 1
    (scripts / "pyproject.toml").write_text(PROJECT)
    done = run("watch", "--json", "found.json", "ill.py")
    assert "GF010" not in {
        found["code"] for found in json.loads((scripts / "found.json").read_text())["findings"]
    }
    assert (done.code, "GF010" in done.err) == (0, False)


def test_the_command_line_goes_before_the_project(run, scripts):
    (scripts / "pyproject.toml").write_text(PROJECT)
    assert run("watch", "--ignore", "GF113", "ill.py").code == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool.goodfit.watch]\nselct = ['GF010']", "holds 'selct'"),
        ("[tool.goodfit.watch]\nignore = 'GF010'", "holds ignore = 'GF010'"),
        ("[tool.goodfit.watch]\nfail-on = 'info'", "holds fail-on = 'info'"),
        ("[tool.goodfit.watch]\nselect = ['GF999']", "there is no finding 'GF999'"),
        ("[tool.goodfit", "is no TOML"),
    ],
)
def test_a_project_that_cannot_be_read_is_refused(run, scripts, table, said):
    (scripts / "pyproject.toml").write_text(table)
    done = run("watch", "healthy.py")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "fix:" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("train.py",),
        ("train.py", "--json", "its own", "-m"),
        ("-m", "package.train", "--lr", "1"),
        ("--json", "found.json", "--sarif=found.sarif", "--fail-on", "warning", "train.py"),
        ("--select=GF010,GF011", "--ignore", "gf004", "-m", "train"),
        ("--ignore", "--json", "train.py"),
    ],
)
def test_plain_words_are_read_as_the_whole_command_line_reads_them(run, monkeypatch, words):
    read = []
    monkeypatch.setattr(watching, "observe", lambda words, **options: read.append((words, options)) or 0)
    assert run("watch", *words).code == 0
    ((script, options),) = read
    given = {key: value for key, value in options.items() if value not in (None, False)}
    assert observing.plain_words(("watch", *words)) == {"words": script, **given}


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fit", "table.csv"),
        ("watch",),
        ("watch", "--help"),
        ("watch", "--fail-on", "info", "train.py"),
        ("watch", "--jsn", "found.json", "train.py"),
        ("watch", "--json"),
        ("watch", "-m"),
        ("watch", "--", "train.py"),
    ],
)
def test_other_words_are_left_to_the_whole_command_line(words):
    assert observing.plain_words(words) is None
