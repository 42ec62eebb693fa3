import json
import sys

import pandas as pd
import pytest
import torch
from torch import nn

from goodfit.data import tables
from goodfit.errors import GoodfitError, ModelError, RunFolderError
from goodfit.nets.given import Given
from goodfit.store.folder import load, save

FILES = ["network.json", "preparation.json", "preparation.skops", "run.json", "weights.safetensors"]
MODEL = """
from torch import nn

def make(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 4), nn.ReLU(), nn.Linear(4, outputs))
"""


def test_a_run_comes_back_and_predicts_the_same(tmp_path, fitted, table):
    save(fitted, tmp_path / "run")
    back = load(tmp_path / "run")
    assert back.run == fitted.run
    pd.testing.assert_frame_equal(back.predict(table), fitted.predict(table))


def test_a_run_folder_holds_what_it_should_and_no_pickle(tmp_path, fitted):
    folder = save(fitted, tmp_path / "run", pages={"report.html": "<p>page</p>"})
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*FILES, "prescription.json", "report.html"]
    )
    assert not [path for path in folder.iterdir() if path.read_bytes()[:2] == b"\x80\x04"]


def test_a_run_can_be_moved(tmp_path, fitted, table):
    save(fitted, tmp_path / "run").rename(tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(load(tmp_path / "elsewhere").predict(table), fitted.predict(table))


@pytest.mark.parametrize("name", FILES)
def test_a_run_without_one_of_its_files_is_refused(tmp_path, fitted, name):
    folder = save(fitted, tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(RunFolderError) as caught:
        load(folder)
    assert caught.value.fix


@pytest.mark.parametrize("name", FILES)
def test_a_run_with_a_damaged_file_is_refused(tmp_path, fitted, name):
    folder = save(fitted, tmp_path / "run")
    text = (folder / name).read_bytes()
    (folder / name).write_bytes(text[: len(text) // 2])
    with pytest.raises(RunFolderError):
        load(folder)


def test_weights_of_another_network_are_refused(tmp_path, fitted, make):
    one, other = save(fitted, tmp_path / "one"), save(make(num_members=1), tmp_path / "other")
    record = json.loads((other / "network.json").read_text())
    record["network"]["widths"] = [99]
    (one / "network.json").write_text(json.dumps(record))
    with pytest.raises(RunFolderError, match="do not fit"):
        load(one)


def test_a_network_of_an_unknown_kind_is_refused(tmp_path, fitted):
    folder = save(fitted, tmp_path / "run")
    record = json.loads((folder / "network.json").read_text())
    record["network"]["kind"] = "quantum"
    (folder / "network.json").write_text(json.dumps(record))
    with pytest.raises(GoodfitError, match="quantum"):
        load(folder)


def test_a_run_that_is_there_is_replaced_only_when_asked(tmp_path, fitted):
    save(fitted, tmp_path / "run")
    with pytest.raises(RunFolderError, match="already"):
        save(fitted, tmp_path / "run")
    save(fitted, tmp_path / "run", replace=True)
    assert load(tmp_path / "run").run == fitted.run


def test_the_users_own_file_travels_with_the_run(tmp_path, make, table):
    (tmp_path / "net.py").write_text(MODEL)
    fitted = make(network=Given(factory=f"{tmp_path / 'net.py'}:make"))
    expected = fitted.predict(table)
    folder = save(fitted, tmp_path / "run")
    (tmp_path / "net.py").unlink()
    pd.testing.assert_frame_equal(load(folder.rename(tmp_path / "moved")).predict(table), expected)


def test_a_users_file_that_is_broken_since_is_a_model_error(tmp_path, make):
    (tmp_path / "net.py").write_text(MODEL)
    folder = save(make(network=Given(factory=f"{tmp_path / 'net.py'}:make")), tmp_path / "run")
    (folder / "model.py").write_text("import nothing_of_that_name")
    with pytest.raises(ModelError):
        load(folder)


def make_linear(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 4), nn.ReLU(), nn.Linear(4, outputs))


def test_a_function_of_a_module_is_found_again_by_name(tmp_path, make, table, monkeypatch):
    (tmp_path / "my_nets.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    import my_nets

    fitted = make(network=Given(factory=my_nets.make))
    folder = save(fitted, tmp_path / "run")
    monkeypatch.delitem(sys.modules, "my_nets")
    pd.testing.assert_frame_equal(load(folder).predict(table), fitted.predict(table))


def test_a_function_that_nobody_can_find_again_is_refused_and_nothing_is_written(tmp_path, make):
    fitted = make(network=Given(factory=lambda inputs, outputs: make_linear(inputs, outputs)))
    with pytest.raises(RunFolderError, match="no other process can find"):
        save(fitted, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_predictions_stream_from_a_saved_run(tmp_path, fitted, table):
    table.to_csv(tmp_path / "rows.csv", index=False)
    back = load(save(fitted, tmp_path / "run"))
    chunks = [back.predict(rows) for rows in tables.read_chunks(tmp_path / "rows.csv", rows=7)]
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), fitted.predict(table))


def test_loading_leaves_torchs_random_state_alone(tmp_path, fitted):
    folder = save(fitted, tmp_path / "run")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load(folder)
    torch.testing.assert_close(torch.rand(1), expected, rtol=0, atol=0)
