"""Small finished runs, each trained once, that many tests look at."""

from __future__ import annotations

import dataclasses
import os
import runpy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import goodfit
from goodfit.data.sources import read_new
from goodfit.engine.checks import harness
from goodfit.evidence import bench
from goodfit.store.folder import save

QUICK = {"max_trainings": 2, "num_seeds": 1, "epochs": 4}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


def quick_examination(patch):
    """Spend less on what stands around a training; nothing here depends on how good references are."""
    patch.setattr(bench, "BOOSTING_ROUNDS", 2)
    patch.setattr(harness, "ONE_BATCH_STEPS", 2)


def fit_quickly(source, **options):
    with pytest.MonkeyPatch.context() as patch:
        quick_examination(patch)
        return goodfit.fit(source, **QUICK | options)


@pytest.fixture(autouse=True)
def _quick_examination(monkeypatch):
    quick_examination(monkeypatch)


def make_table(num_rows=160):
    """Numbers, switches, times, categories of few and of many levels, long tails, and missing cells."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, num_rows).round(1),
            "city": rng.choice(["Rome", "Oslo", 'Bonn "am Rhein"'], num_rows),
            "street": rng.choice([f"street {i}" for i in range(14)], num_rows),
            "income": np.exp(rng.normal(0, 3, num_rows)),
            "member": rng.choice(["yes", "no"], num_rows),
            "since": pd.date_range("2020-01-01", periods=num_rows, freq="3D").strftime("%Y-%m-%d"),
            "year": 1e6 + rng.random(num_rows),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::9, "city"] = None
    table["stays"] = np.where((table["city"] == "Rome") | (table["member"] == "yes"), "stays", "leaves")
    table["spends"] = table["income"].pow(0.1) + 0.02 * table["age"].fillna(40)
    return table


@pytest.fixture(scope="session")
def table():
    return make_table()


@pytest.fixture(scope="session")
def words(table, tmp_path_factory):
    """A run on a table of every kind of column, read back from its folder, and the table's file."""
    folder = tmp_path_factory.mktemp("words")
    table.drop(columns="spends").to_csv(folder / "table.csv", index=False)
    fitted = fit_quickly(folder / "table.csv", target="stays")
    return save(fitted, folder / "run"), folder / "table.csv"


@pytest.fixture(scope="session")
def numbers(table, tmp_path_factory):
    """The same for a target of numbers."""
    folder = tmp_path_factory.mktemp("numbers")
    table.drop(columns="stays").to_csv(folder / "table.csv", index=False)
    fitted = fit_quickly(folder / "table.csv", target="spends")
    return save(fitted, folder / "run"), folder / "table.csv"


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A run on digits as images, with a file of them."""
    folder = tmp_path_factory.mktemp("images")
    x, y = load_digits(return_X_y=True)
    x = x[:300].reshape(-1, 8, 8)
    np.savez(folder / "digits.npz", x=x, y=y[:300])
    fitted = fit_quickly(folder / "digits.npz", epochs=2)
    return save(fitted, folder / "run"), folder / "digits.npz"


@pytest.fixture(scope="session")
def flat(tmp_path_factory):
    """A run on digits as flat rows, whose columns share one scale."""
    folder = tmp_path_factory.mktemp("flat")
    x, y = load_digits(return_X_y=True)
    np.savez(folder / "digits.npz", x=x[:300], y=y[:300])
    fitted = fit_quickly(folder / "digits.npz")
    return save(fitted, folder / "run"), folder / "digits.npz"


@pytest.fixture
def python():
    """Run a script in a process of its own, where goodfit cannot be imported."""

    def run(script, *words):
        hook = "import sys; sys.modules['goodfit'] = None; import runpy; sys.argv = sys.argv[1:]; "
        hook += "runpy.run_path(sys.argv[0], run_name='__main__')"
        command = [sys.executable, "-c", hook, script, *words]
        done = subprocess.run(
            list(map(str, command)), env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def here(monkeypatch):
    """Run a script in this process, which saves the seconds that importing torch takes."""

    def run(script, *words):
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, words)])
        runpy.run_path(str(script), run_name="__main__")

    return run


def predicted(fitted, path):
    return pd.concat([fitted.predict(rows) for rows in read_new(path)], ignore_index=True)


def assert_predicts(fitted, path, predictions, rtol=1e-5):
    """A file of predictions holds what the run says of the same rows."""
    found, wanted = pd.read_csv(predictions), predicted(fitted, path)
    assert list(found) == list(wanted)
    for name in wanted:
        if pd.api.types.is_float_dtype(wanted[name].dtype):
            np.testing.assert_allclose(found[name], wanted[name], rtol=rtol, atol=1e-7, err_msg=name)
        else:
            assert found[name].astype(str).tolist() == wanted[name].astype(str).tolist()


def treated(fitted, words, **changes):
    """The same run with another plan in its record, and other parts in its predictor."""
    plan = dict(fitted.run.treated_plan) | words
    return dataclasses.replace(
        fitted,
        run=dataclasses.replace(fitted.run, treated_plan=tuple(plan.items())),
        predictor=dataclasses.replace(fitted.predictor, **changes),
    )


@pytest.fixture(name="assert_predicts", scope="session")
def _assert_predicts():
    return assert_predicts


@pytest.fixture(name="treated", scope="session")
def _treated():
    return treated
