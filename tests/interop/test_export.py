from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import goodfit
from goodfit.errors import PlanError
from goodfit.interop import export as door
from goodfit.interop.export import ExportError, export
from goodfit.store.folder import load

HAS_ONNX = all(importlib.util.find_spec(name) for name in door.ONNX_PACKAGES)


def outputs_of(fitted, raw):
    """What a graph must return, made of the run's own frame."""
    frame = fitted.predict(raw)
    shares = [name for name in frame if name.startswith("probability_")]
    return frame[shares or ["prediction"]].to_numpy(dtype=float)


def prepared(fitted, raw):
    x, codes_NC = fitted.predictor.preparation.transform(raw, inputs=fitted.predictor.inputs)
    return [torch.from_numpy(part) for part in (x, codes_NC) if part is not None]


@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_a_torch_graph_predicts_real_rows_of_any_number(kind, request, tmp_path):
    run, path = request.getfixturevalue(kind)
    fitted, raw = load(run), pd.read_csv(path)
    written = export(run, "torch", tmp_path / "net.pt2", rows=raw.head(7))
    graph = torch.export.load(written).module()
    for count in (1, 3, 50):
        found = graph(*prepared(fitted, raw.head(count))).detach().numpy()
        np.testing.assert_allclose(found, outputs_of(fitted, raw.head(count)), rtol=1e-5, atol=1e-6)


def test_a_torch_graph_of_images_is_checked_on_made_up_rows(images, tmp_path):
    run, path = images
    fitted, raw = load(run), np.load(path)["x"][:4, None]
    graph = torch.export.load(goodfit.export(fitted, "torch", tmp_path / "net.pt2")).module()
    found = graph(*prepared(fitted, raw)).detach().numpy()
    np.testing.assert_allclose(found, outputs_of(fitted, raw), rtol=1e-5, atol=1e-6)


def test_a_graph_that_predicts_otherwise_is_removed(flat, tmp_path, monkeypatch):
    monkeypatch.setattr(door, "_read_torch", lambda path, given: np.zeros((5, 10)))
    with pytest.raises(ExportError, match="predicts otherwise"):
        export(flat[0], "torch", tmp_path / "net.pt2")
    assert not (tmp_path / "net.pt2").exists()


def test_unknown_formats_and_too_few_rows_are_refused(flat, tmp_path):
    with pytest.raises(PlanError, match="'tflite'"):
        export(flat[0], "tflite", tmp_path / "net")
    with pytest.raises(ExportError, match="1 row"):
        export(flat[0], "torch", tmp_path / "net", rows=np.zeros((1, 64)))


def test_without_its_packages_onnx_is_refused_by_name(flat, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match="needs the package onnx") as refused:
        export(flat[0], "onnx", tmp_path / "net.onnx")
    assert "goodfit[onnx]" in refused.value.fix


@pytest.mark.parametrize("kind", ["words", "numbers", "images"])
@pytest.mark.skipif(not HAS_ONNX, reason="onnx, onnxscript and onnxruntime are extras")
def test_an_onnx_graph_predicts_real_rows(kind, request, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    run, path = request.getfixturevalue(kind)
    fitted = load(run)
    raw = np.load(path)["x"][:9, None] if kind == "images" else pd.read_csv(path).head(9)
    written = export(run, "onnx", tmp_path / "net.onnx", rows=raw)
    session = runtime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    names = [place.name for place in session.get_inputs()]
    given = {
        name: tensor.numpy()[:5] for name, tensor in zip(names, prepared(fitted, raw), strict=True)
    }  # another number of rows than it was written with
    np.testing.assert_allclose(session.run(None, given)[0], outputs_of(fitted, raw[:5]), rtol=1e-4, atol=1e-5)
