"""A run in TensorBoard, MLflow and Weights & Biases, read back by what these packages read."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.report.conftest import RUNS, make_run

from goodfit.errors import PlanError, RunFolderError
from goodfit.interop import tracking
from goodfit.interop.entries import entries_of, record_of
from goodfit.procedure.fitted import Fitted
from goodfit.store.record import RUN_FILE, encode_run

NEAR = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="module")
def run():
    """Two arms and two verdicts: enough to tell what belongs where."""
    whole = make_run()
    kept = replace(whole.verdicts[0], steps=(("relu", 0.0),))
    return replace(whole, arms=whole.arms[:2], verdicts=(kept, whole.verdicts[3]))


@pytest.fixture
def no_network(monkeypatch):
    """Let every connection fail but those of this machine with itself."""
    import socket

    connect = socket.socket.connect

    def refuse(self, address):
        is_far = self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in NEAR
        if is_far:
            raise AssertionError(f"connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


class TestEntries:
    def test_curves_are_means_over_seeds_at_their_epochs(self, run):
        entries = entries_of(run)
        assert len(entries.curves) == 2 * 4
        (curve,) = (c for c in entries.curves if (c.name, c.arm) == ("train_score", "round 1 training, relu"))
        seeds = [history.train_score for history in run.arms[1].histories]
        assert [epoch for epoch, _ in curve.points] == list(run.arms[1].histories[0].epochs)
        means = [sum(column) / 4 for column in zip(*seeds, strict=True)]
        assert [value for _, value in curve.points] == pytest.approx(means)

    def test_scores_bars_and_words_of_both_plans_are_there(self, run):
        entries = entries_of(run)
        assert entries.numbers["testing accuracy"] == 0.972
        assert entries.numbers["sealed test accuracy"] == 0.975
        assert entries.numbers["sealed test accuracy as it was"] == 0.1
        assert entries.settings["as it came/network"] == "64-32x10-10 sigmoid"
        assert entries.settings["as prescribed/rule"] == "adam"
        assert entries.settings["findings"] == "GF101 vanishing-gradients"
        assert json.loads(entries.texts["prescription.json"])["prescription"][0]["remedy"] == "relu"

    @pytest.mark.parametrize("name", RUNS)
    def test_every_number_is_finite_in_any_run(self, name):
        entries = entries_of(RUNS[name]())
        values = [*entries.numbers.values(), *(value for c in entries.curves for _, value in c.points)]
        assert all(math.isfinite(value) for value in values)

    def test_a_run_comes_as_a_record_from_fit_or_from_a_folder(self, run, tmp_path):
        (tmp_path / RUN_FILE).write_bytes(encode_run(run))
        assert record_of(run) == record_of(Fitted(run=run, predictor=None)) == record_of(tmp_path) == run
        with pytest.raises(RunFolderError):
            record_of(tmp_path / "nowhere")


@pytest.mark.usefixtures("no_network")
def test_tensorboard_reads_every_curve_back(run, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(name):
        accumulator = EventAccumulator(str(tmp_path / name), size_guidance={"tensors": 0, "scalars": 0})
        return accumulator.Reload()

    assert tracking.to_tensorboard(run, tmp_path) == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {
        "result", "round 1 training  as it is", "round 1 training  relu",
    }  # fmt: skip
    entries = entries_of(run)
    for curve in entries.curves:
        events = read(tracking._plain(curve.arm)).Scalars(curve.name)
        assert [(event.step, event.value) for event in events] == [
            (epoch, pytest.approx(value, rel=1e-6)) for epoch, value in curve.points
        ]
    result = read("result")
    assert result.Scalars("sealed test accuracy")[0].value == pytest.approx(0.975)
    (verdicts,) = result.Tensors("verdicts/text_summary")
    text = verdicts.tensor_proto.string_val[0].decode()
    assert "| use ReLU in the hidden layers | helped | True | 0.85 |" in text
    assert "multiply the learning rate by 10" in text


@pytest.mark.usefixtures("no_network")
def test_mlflow_reads_parameters_metrics_and_artifacts_back(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    run_id = tracking.to_mlflow(run, experiment="digits", uri=uri)
    again = tracking.to_mlflow(run, experiment="digits", uri=uri, name="again")
    client = mlflow.MlflowClient(tracking_uri=uri)
    logged = client.get_run(run_id)
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "digits digit")
    assert client.get_run(again).info.experiment_id == logged.info.experiment_id
    assert logged.data.params["as prescribed/rule"] == "adam"
    assert logged.data.metrics["sealed test accuracy"] == 0.975
    curve = next(c for c in entries_of(run).curves if c.name == "validation_loss" and "relu" in c.arm)
    points = client.get_metric_history(run_id, tracking._plain(f"{curve.name}/{curve.arm}"))
    assert sorted((point.step, point.value) for point in points) == list(curve.points)
    folder = tmp_path / "artifacts"
    folder.mkdir()
    client.download_artifacts(run_id, "verdicts.json", str(folder))
    verdicts = json.loads((folder / "verdicts.json").read_text())
    assert [(v["remedy"], v["outcome"]) for v in verdicts] == [("relu", "helped"), ("lr-up", "harmed")]
    client.download_artifacts(run_id, "report.html", str(folder))
    assert "A good fit" in (folder / "report.html").read_text()


def records_in(log):
    """Read a log of the form that LevelDB writes: blocks of 32 kB, records in pieces with heads."""
    place, whole = 7, b""
    while place + 7 <= len(log):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", log[place : place + 7])
        whole += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield whole
            whole = b""


@pytest.mark.usefixtures("no_network")
def test_weights_and_biases_writes_a_run_for_later_without_a_connection(run, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    run_id = tracking.to_wandb(run, project="digits", mode="offline", folder=tmp_path)
    (written,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert run_id in written.name
    records = [wandb_internal_pb2.Record.FromString(data) for data in records_in(written.read_bytes())]
    configured = {
        item.key or ".".join(item.nested_key): json.loads(item.value_json)
        for record in records
        for update in (record.run.config, record.config)
        for item in update.update
    }
    assert configured["as prescribed/rule"] == "adam"
    rows = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    curve = next(c for c in entries_of(run).curves if c.name == "train_loss" and "relu" in c.arm)
    key = tracking._plain(f"{curve.name}/{curve.arm}")
    assert [(row["epoch"], row[key]) for row in rows if key in row] == [
        (epoch, pytest.approx(value)) for epoch, value in curve.points
    ]
    assert any("verdicts" in row for row in rows)


@pytest.mark.parametrize(
    ("door", "name"), [("to_tensorboard", "tensorboard"), ("to_mlflow", "mlflow"), ("to_wandb", "wandb")]
)
def test_without_the_package_it_says_what_to_install(door, name, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, tracking.PACKAGES[name], None)
    with pytest.raises(PlanError, match=f"{name} is not installed") as caught:
        getattr(tracking, door)(run, *([tmp_path] if name == "tensorboard" else []))
    assert caught.value.fix == f'pip install "goodfit[{name}]"'


def test_names_keep_what_every_tracker_takes():
    assert tracking._plain("round 1, relu <b>é:0.1/x") == "round 1  relu  b   0.1/x"


def test_the_doors_import_none_of_the_packages_themselves():
    code = (
        "import sys, goodfit.interop.tracking; "
        "sys.exit(bool({'tensorboard', 'mlflow', 'wandb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
