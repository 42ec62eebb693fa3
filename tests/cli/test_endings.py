"""Scripts that end badly or train nothing: their behaviour is kept, and one sentence says what there was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap

import pytest

TRAIN = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 4)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))
rule = torch.optim.Adam(model.parameters(), lr=0.03)

def train(steps=40):
    for step in range(steps):
        rule.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        rule.step()
"""
NO_TRAINING = "there was no training to watch"
SO_FAR = "this is what was seen until then"


@pytest.fixture
def start(tmp_path, environment):
    """Start ``goodfit watch`` on a text as a process of its own."""

    def call(text, *options):
        (tmp_path / "train.py").write_text(textwrap.dedent(text), encoding="utf-8")
        command = [sys.executable, "-m", "goodfit", "watch", *options, "train.py"]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return call


@pytest.mark.parametrize(
    ("text", "code", "out", "said"),
    [
        ("a,b\n1,two words\n", 1, "", ("SyntaxError", "train.py could not be read as Python")),
        ("print('hello'); raise SystemExit(7)", 7, "hello\n", (NO_TRAINING,)),
        (
            "import torch; torch.nn.Linear(2, 1)(torch.ones(1, 2))",
            0,
            "",
            ("modules were called", NO_TRAINING),
        ),
        (
            TRAIN + "train(); print('on'); {}['x']",
            1,
            "on\n",
            ("KeyError: 'x'", "ended with KeyError", SO_FAR, "GF010"),
        ),
        (TRAIN + "train(); import sys; sys.exit('enough')", 1, "", ("enough\n", "GF010", "40 steps")),
        (TRAIN + "import threading; threading.Thread(target=train).start()", 0, "", ("GF010", "40 steps")),
        (TRAIN + "train(); import sys; sys.stdout.close()", 0, "", ("GF010",)),
    ],
    ids=["no Python", "no torch", "no training", "an error", "sys.exit", "a thread", "a closed output"],
)
def test_a_script_keeps_its_behaviour(start, text, code, out, said):
    process = start(text)
    printed, told = process.communicate(timeout=300)
    assert (process.returncode, printed) == (code, out), told
    for words in said:
        assert words in told
    assert "fault in goodfit" not in told


def test_a_closed_standard_error_hears_nothing(start):
    process = start(TRAIN + "import sys; sys.stderr.close(); train(); print('done')")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (0, "done\n", "")


def test_a_fork_is_told_of_once(start, tmp_path):
    text = TRAIN + textwrap.dedent("""
        import os, sys
        child = os.fork()
        train(40 if child else 5)
        if child:
            print("child ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        sys.exit(0 if child else 3)
    """)
    process = start(text, "--json", "found.json")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "child ended with 3\n")
    assert err.count("error GF010") == 1
    assert "in 40 steps" in err
    assert json.loads((tmp_path / "found.json").read_text())["findings"][0]["code"] == "GF010"


def test_hooks_and_wrappers_of_the_script_stay_its_own(start):
    text = TRAIN + textwrap.dedent("""
        calls = {"hook": 0, "loss": 0}
        original = nn.functional.cross_entropy
        def counted(*arguments, **options):
            calls["loss"] += 1
            return original(*arguments, **options)
        def hook(*_):
            calls["hook"] += 1
        nn.functional.cross_entropy = counted
        nn.modules.module.register_module_forward_hook(hook)
        import goodfit
        with goodfit.watch(model, rule) as inner:
            train()
        print(calls, [found.code for found in inner.findings], nn.functional.cross_entropy is counted)
    """)
    process = start(text)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0
    # two modules and their container, in each of 40 steps
    assert out == "{'hook': 120, 'loss': 40} ['GF010', 'GF115'] True\n", err
    assert err.count("error GF010") == 1
    assert "watched already" in err


def test_ctrl_c_ends_a_script_as_it_would_without_watching(start, tmp_path):
    text = TRAIN + "train(); print('begun', flush=True)\nwhile True: train(1)"
    process = start(text, "--json", "found.json")
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert "interrupted; " + SO_FAR in err
    assert json.loads((tmp_path / "found.json").read_text())["findings"][0]["code"] == "GF010"


def test_ctrl_c_that_a_script_handles_is_its_own(start):
    text = TRAIN + textwrap.dedent("""
        import sys
        try:
            train()
            print("begun", flush=True)
            while True:
                train(1)
        except KeyboardInterrupt:
            print("saved")
            sys.exit(5)
    """)
    process = start(text)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (5, "saved\n")
    assert "GF010" in err
