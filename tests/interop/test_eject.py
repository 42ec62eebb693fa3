from __future__ import annotations

import ast
import dataclasses
import runpy

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import goodfit
from goodfit.cli.app import app
from goodfit.errors import PlanError, RunFolderError
from goodfit.interop.eject import eject, write_script
from goodfit.store.folder import load


@pytest.mark.parametrize("kind", ["words", "images"])
def test_a_script_predicts_what_the_run_predicts_where_goodfit_is_not(
    kind, request, tmp_path, python, assert_predicts
):
    run, path = request.getfixturevalue(kind)
    script, _ = eject(run, tmp_path / "leaves.py")
    python(script, path, "--out", tmp_path / "predictions.csv")
    assert_predicts(load(run), path, tmp_path / "predictions.csv")


@pytest.mark.parametrize("kind", ["numbers", "flat"])
def test_a_script_predicts_what_the_run_predicts(kind, request, tmp_path, here, assert_predicts):
    run, path = request.getfixturevalue(kind)
    script, _ = eject(run, tmp_path / "leaves.py")
    here(script, path, "--out", tmp_path / "predictions.csv")
    assert_predicts(load(run), path, tmp_path / "predictions.csv")


def test_a_script_reads_new_cells_as_the_run_does(words, tmp_path, here, assert_predicts):
    run, path = words
    rows = pd.read_csv(path).head(6).astype({"age": object, "since": object, "member": object})
    rows.loc[0, ["age", "city"]] = ["1,040.5", "Atlantis"]
    rows.loc[1, ["age", "since"]] = ["unknown", None]
    rows.loc[2, ["member", "street"]] = ["No", "  street 3 "]
    rows.loc[3, ["age", "city", "street"]] = [float("inf"), "?", None]
    rows.to_csv(tmp_path / "new.csv", index=False)
    script, _ = eject(run, tmp_path / "leaves.py")
    here(script, tmp_path / "new.csv", "--out", tmp_path / "predictions.csv")
    assert_predicts(load(run), tmp_path / "new.csv", tmp_path / "predictions.csv")


@pytest.mark.parametrize("kind", ["words", "numbers", "images"])
def test_a_script_trains_anew_and_predicts_by_what_it_has_learnt(kind, request, tmp_path, here):
    run, path = request.getfixturevalue(kind)
    script, weights = eject(run, tmp_path / "leaves.py")
    before = weights.read_bytes()
    here(script, "--train", path, path, "--out", tmp_path / "predictions.csv")
    assert weights.read_bytes() != before
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == len(load_rows(path))


VARIED = (("input noise", "0.1"), ("mixup", "0.4"))


@pytest.mark.parametrize(
    ("kind", "words_of_plan"),
    [
        ("words", (*VARIED, ("tail averaging", "0.25"))),
        ("numbers", VARIED),
        ("images", (*VARIED, ("shift", "0.2"), ("mirror", "0.5"))),
    ],
)
def test_a_script_varies_the_rows_it_learns_from(kind, words_of_plan, request, tmp_path, here):
    run, path = request.getfixturevalue(kind)
    fitted = load(run)
    record = dataclasses.replace(fitted.run, treated_plan=(*fitted.run.treated_plan, *words_of_plan))
    script, _ = eject(dataclasses.replace(fitted, run=record), tmp_path / "leaves.py")
    assert ("def moved" in script.read_text()) == (kind == "images")
    here(script, "--train", path, path, "--out", tmp_path / "predictions.csv")
    predicted = pd.read_csv(tmp_path / "predictions.csv")
    assert predicted.notna().all(axis=None)
    assert len(predicted) == len(load_rows(path))


def test_a_script_moves_images_as_the_engine_does(images, tmp_path):
    run, _ = images
    fitted = load(run)
    moves = (*fitted.run.treated_plan, ("shift", "0.25"), ("mirror", "0.5"))
    record = dataclasses.replace(fitted.run, treated_plan=moves)
    script, _ = eject(dataclasses.replace(fitted, run=record), tmp_path / "leaves.py")
    moved = runpy.run_path(str(script))["moved"]
    image = torch.arange(2 * 4 * 5.0).view(1, 2, 4, 5).repeat(400, 1, 1, 1)
    padded = np.pad(image[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    possible = [padded[:, 1 - d : 5 - d, 1 - r : 6 - r] for d in (-1, 0, 1) for r in (-1, 0, 1)]
    possible = {place.tobytes() for one in possible for place in (one, one[..., ::-1].copy())}
    assert {one.contiguous().numpy().tobytes() for one in moved(image)} == possible


def test_rows_without_a_target_are_left_out_and_strange_labels_are_refused(words, tmp_path, here):
    run, path = words
    rows = pd.read_csv(path)
    rows.loc[3, "stays"] = None
    rows.to_csv(tmp_path / "rows.csv", index=False)
    script, _ = eject(run, tmp_path / "leaves.py")
    here(script, "--train", tmp_path / "rows.csv")
    rows.loc[4, "stays"] = "perhaps"
    rows.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(SystemExit, match="perhaps"):
        here(script, "--train", tmp_path / "rows.csv")


def test_trained_anew_the_score_lies_in_the_reported_interval(tmp_path, here):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    rows["target"] = (rows["a"] * rows["b"] + 0.5 * rng.normal(size=400) > 0).astype(int)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    fitted = goodfit.fit(tmp_path / "rows.csv", target="target", max_trainings=4, num_seeds=2, epochs=30)
    held_out = pd.DataFrame({"a": rng.normal(size=1000), "b": rng.normal(size=1000)})
    truth = (held_out["a"] * held_out["b"] + 0.5 * rng.normal(size=1000) > 0).astype(int)
    held_out.to_csv(tmp_path / "new.csv", index=False)
    script, _ = eject(fitted, tmp_path / "leaves.py")
    here(script, "--train", tmp_path / "rows.csv", tmp_path / "new.csv", "--out", tmp_path / "out.csv")
    score = (pd.read_csv(tmp_path / "out.csv")["prediction"] == truth).mean()
    assert fitted.run.test.score.low <= score <= fitted.run.test.score.high


def test_a_script_is_plain_python_without_goodfit(words):
    text = write_script(load(words[0]), name="leaves.py")
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        str(node.module).partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
    }
    assert "goodfit" not in imported
    assert {"torch", "numpy", "pandas"} <= imported
    assert max(map(len, text.splitlines())) <= 120


def test_the_command_says_where_script_and_weights_are(flat, tmp_path):
    done = CliRunner().invoke(app, ["eject", str(flat[0]), str(tmp_path / "leaves.py")])
    assert done.exit_code == 0, done.stderr
    assert "leaves.pt" in done.stdout
    again = CliRunner().invoke(app, ["eject", str(flat[0]), str(tmp_path / "leaves.py")])
    assert again.exit_code == 2
    assert "exists" in again.stderr
    replaced = CliRunner().invoke(app, ["eject", str(flat[0]), str(tmp_path / "leaves.py"), "--replace"])
    assert replaced.exit_code == 0


def test_a_wrong_name_and_a_wrong_folder_are_refused(flat, tmp_path):
    with pytest.raises(PlanError, match="to be called"):
        eject(flat[0], tmp_path / "leaves.txt")
    with pytest.raises(RunFolderError, match="no folder"):
        eject(flat[0], tmp_path / "nowhere" / "leaves.py")
    with pytest.raises(RunFolderError, match="is not a run"):
        eject(tmp_path, tmp_path / "leaves.py")


def load_rows(path):
    return np.load(path)["x"] if path.suffix == ".npz" else pd.read_csv(path)
