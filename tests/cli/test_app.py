import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.store.record import load_run

FILES = {
    "network.json",
    "preparation.json",
    "prescription.json",
    "preparation.skops",
    "report.html",
    "run.json",
    "weights.safetensors",
}


def test_fit_prints_one_json_object_and_nothing_else(fit_once):
    _, done = fit_once
    values = json.loads(done.out)
    assert values["good_on_training"] is True
    assert values["test"]["metric"] == "accuracy"
    assert values["test"]["low"] <= values["test"]["value"] <= values["test"]["high"]
    assert values["run"] == "run"
    assert done.code == (0 if values["good_on_testing"] else 1)


def test_fit_tells_what_happens_on_standard_error_without_colour(fit_once):
    _, done = fit_once
    assert "Good results on training data?" in done.err
    assert "\x1b" not in done.err


def test_a_run_folder_is_whole_and_nothing_else_is_left(fit_once, saved):
    folder, _ = fit_once
    assert {path.name for path in saved.iterdir()} == FILES
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_record_holds_what_was_typed(saved):
    record = json.loads((saved / "run.json").read_text(encoding="utf-8"))
    assert record["command"].startswith("goodfit fit ")
    assert "--target species" in record["command"]
    assert record["seed"] == 1


def test_predict_writes_one_row_for_each_row(run, tmp_path, saved, rows):
    rows.drop(columns="species").sample(frac=1, random_state=0).to_csv(tmp_path / "new.csv", index=False)
    done = run("predict", saved, "new.csv", "--out", "pred.csv")
    assert done.code == 0, done.err
    predicted = pd.read_csv(tmp_path / "pred.csv")
    assert len(predicted) == len(rows)
    assert list(predicted) == [
        "prediction",
        *(f"probability_{name}" for name in sorted(set(rows["species"]))),
    ]
    truth = rows["species"].sample(frac=1, random_state=0).to_numpy()
    assert (predicted["prediction"].to_numpy() == truth).mean() > 0.8


def test_predict_that_fails_leaves_no_file(run, tmp_path, saved, rows):
    rows.drop(columns="petal width (cm)").to_csv(tmp_path / "new.csv", index=False)
    done = run("predict", saved, "new.csv", "--out", "pred.csv")
    assert done.code == 2
    assert "petal width" in done.err
    assert os.listdir(tmp_path) == ["new.csv"]


def test_predict_into_a_missing_folder_is_two_lines(run, saved, irises):
    done = run("predict", saved, irises, "--out", "nowhere/pred.csv")
    assert done.code == 2
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["error", "fix"]


def test_report_writes_the_page_again_and_needs_no_torch(tmp_path, saved, environment):
    code = (
        "import sys; from goodfit.cli.app import app;"
        f"app(['report', {str(saved)!r}, '--out', 'page.html'], standalone_mode=False);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_bytes() == (saved / "report.html").read_bytes()
    assert b"Sealed test" in done.stdout


def test_report_can_print_the_object_again(run, fit_once, saved):
    done = run("report", saved, "--out", "page.html", "--json")
    before = json.loads(fit_once[1].out)
    assert json.loads(done.out) == before | {"run": str(saved)}


@pytest.mark.parametrize("command", [("fit",), ("demo",)])
def test_a_gpu_that_is_not_there_is_two_lines(run, irises, command, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    rows = (irises, "--target", "species") if command == ("fit",) else ()
    done = run(*command, *rows, "--device", "cuda", "--quiet")
    assert done.code == 2
    error, fix = done.err.splitlines()
    assert "'cuda'" in error
    assert '"cpu"' in fix


@pytest.mark.parametrize("command", ["report", "predict"])
def test_a_folder_that_is_no_run_is_refused(run, irises, command):
    words = (irises.parent, irises) if command == "predict" else (irises.parent,)
    done = run(command, *words)
    assert done.code == 2
    assert "is not a run" in done.err
    assert done.out == ""


def test_a_run_that_is_there_is_refused_before_any_training(run, tmp_path, irises):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    started = time.monotonic()
    done = run("fit", irises, "--target", "species", "--out", "mine", "--replace")
    assert time.monotonic() - started < 3
    assert done.code == 2
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "spezies"), "species"),
        (("--target", "species", "--budget", "soon"), "'soon'"),
        (("--target", "species", "--hidden", "wide"), "'wide'"),
        (("--target", "species", "--target-metric", "f1=0.9"), "'f1'"),
        (("--target", "species", "--target-metric", "r2=0.9", "--task", "classes"), "r2=0.9"),
        (("--target", "species", "--rule", "magic"), "magic"),
        (("--target", "species", "--model", "absent.py:make"), "absent.py"),
        (("--target", "species", "--optimizer", "adam"), "optimizer is 'adam'"),
        (("--target", "species", "--optimizer", "absent.py:make"), "absent.py"),
        (("--target", "species", "--optimizer", "torch.optim:LBFGS"), "LBFGS cannot take steps"),
        (("--target", "species", "--max-trainings", "1"), "1"),
    ],
)
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_what_cannot_be_examined_is_two_lines_and_exit_code_two(
    run, tmp_path, irises, options, said, json_too
):
    done = run("fit", irises, *options, *json_too, "--quiet")
    assert done.code == 2
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["error", "fix"]
    assert said in done.err
    assert done.out == ""
    assert os.listdir(tmp_path) == []


def test_a_missing_file_is_named(run, tmp_path):
    done = run("fit", "absent.csv", "--target", "y")
    assert done.code == 2
    assert "absent.csv" in done.err
    assert os.listdir(tmp_path) == []


def test_findings_that_remain_are_exit_code_one(run, tmp_path, irises, quick):
    options = ("--target", "species", "--target-metric", "1.0", "--rule", "gradient-descent", "--lr", "1e-6")
    done = run("fit", irises, *options, *quick[:4], "--epochs", "2", "--quiet")
    assert done.code == 1, done.err
    assert "Not good on training data" in done.out
    assert {path.name for path in (tmp_path / "goodfit-run").iterdir()} == FILES
    assert done.err == ""


def test_control_c_is_exit_code_130_and_leaves_nothing(tmp_path, irises, environment):
    command = [sys.executable, "-m", "goodfit", "fit", irises, "--target", "species", "--budget", "5m"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if "Good results" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.rstrip().endswith("interrupted; nothing was written")
    assert out == ""
    assert os.listdir(tmp_path) == []


def test_a_budget_is_kept_from_start_to_end(run, irises):
    started = time.monotonic()
    done = run(
        "fit", irises, "--target", "species", "--target-metric", "1.0", "--budget", "12s", "--json", "--quiet"
    )
    seconds = time.monotonic() - started
    assert done.code in (0, 1), done.err
    assert seconds < 1.1 * 12 + 1  # one second for the interpreter itself, on a busy machine


def test_the_same_seed_gives_the_same_numbers(run, fit_once, irises, quick):
    options = ("--target", "species", "--target-metric", "0.6", "--json", "--seed", "1", "--quiet")
    values = json.loads(run("fit", irises, *options, *quick).out)
    before = json.loads(fit_once[1].out)
    assert values["test"] == before["test"]
    assert [v["effect"] for v in values["prescription"]] == [v["effect"] for v in before["prescription"]]
    assert set(values) == set(before)


def test_the_demo_runs_and_shows_its_patient(run, tmp_path):
    done = run("demo", "--patient", "overfit", "--budget", "6s", "--out", "cured", "--json", "--quiet")
    assert done.code in (0, 1), done.err
    assert json.loads(done.out)["good_on_training"] is True
    assert "Training remedies" in (tmp_path / "cured" / "report.html").read_text(encoding="utf-8")


def test_a_users_own_network_is_trained_and_predicts(run, tmp_path, irises, quick):
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def make(inputs, outputs):\n"
        "    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))\n"
        "def steps(model):\n"
        "    slow = {'params': model[0].parameters(), 'lr': 0.01}\n"
        "    return torch.optim.RAdam([slow, {'params': model[2].parameters()}], lr=0.05)\n"
    )
    options = ("--target", "species", "--model", "net.py:make", "--out", "run", "--quiet")
    done = run("fit", irises, *options, "--optimizer", "net.py:steps", *quick)
    assert done.code in (0, 1), done.err
    assert dict(load_run(tmp_path / "run").plan)["rule"] == "RAdam"
    (tmp_path / "net.py").unlink()
    assert run("predict", "run", irises).code == 0
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 150


def test_explain_prints_the_page_of_a_finding(run):
    done = run("explain", "GF101")
    assert done.code == 0, done.err
    assert "gradient" in done.out.lower()
    unknown = run("explain", "GF999")
    assert unknown.code == 2
    assert "GF999" in unknown.err


def test_findings_lists_every_finding(run):
    done = run("findings")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(CATALOGUE)
    assert all(CATALOGUE[line.split()[0]].sign in line for line in lines)


def test_the_version_is_printed(run):
    done = run("--version")
    assert (done.code, done.out) == (0, "goodfit 0.1.0\n")


def test_help_answers_at_once_and_loads_nothing_heavy():
    code = (
        "import sys, goodfit.cli; "
        "print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    fastest = min(_seconds_for_help() for _ in range(5))
    assert fastest < 0.5


def _seconds_for_help():
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "goodfit", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


@pytest.mark.parametrize("command", ["demo", "fit", "predict", "report", "explain", "findings"])
def test_every_command_explains_itself(run, command):
    done = run(command, "--help")
    assert done.code == 0
    assert "Usage: goodfit" in done.out


@pytest.mark.skipif(os.name != "posix", reason="pipes are closed otherwise elsewhere")
def test_a_reader_that_has_seen_enough_is_no_error(environment):
    command = [sys.executable, "-u", "-m", "goodfit", "findings"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 141
