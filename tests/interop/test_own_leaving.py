"""Networks of the user's own leave: of every kind of row and target, after every kind of surgery."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from tests.procedure import own_networks as own
from tests.procedure.test_own import places_of_pixels, places_of_steps, several_labels, several_numbers, waves
from torch import nn

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.engine.construction import sizes_of
from goodfit.interop.eject import eject
from goodfit.interop.export import export
from goodfit.procedure.final import predictor_of
from goodfit.procedure.fitted import Fitted
from goodfit.procedure.own import ignored_class
from goodfit.procedure.start import Wanted, own_plan
from goodfit.store.folder import load

onnxruntime = pytest.importorskip("onnxruntime")


@dataclasses.dataclass
class Weights:
    """What `predictor_of` takes of a trained member."""

    weights: dict[str, torch.Tensor]


@pytest.fixture
def leaving(flat):
    """Make a finished run of a user's own network without training it: what leaves are random weights."""
    record = load(flat[0]).run

    def make(source, model, loss=None, *, members=1, ignored=None, changes=(), **edits):
        split = load_own(
            source,
            Wishes(seed=0),
            ignored=ignored_class(loss),
            standardised=loss is None or isinstance(loss, str),
        )
        wanted = Wanted(model=model, loss=loss, batch_size=16, epochs=2)
        plan, split = own_plan(wanted, split)
        plan = dataclasses.replace(plan, network=dataclasses.replace(plan.network, **edits), **dict(changes))
        sizes = sizes_of(plan, split)
        torch.manual_seed(0)
        modules = [plan.network.build(sizes, dropout=plan.dropout) for _ in range(members)]
        for module in modules:
            for name, buffer in module.named_buffers():
                if name.endswith("running_var"):
                    buffer.mul_(1.5).add_(0.2)
        weights = [Weights(module.state_dict()) for module in modules]
        treated = dataclasses.replace(record, treated_plan=plan.describe(sizes), verdicts=())
        return Fitted(run=treated, predictor=predictor_of(plan, weights, split))

    return make


def outputs_of(fitted, rows):
    frame = fitted.predict(rows)
    shares = [name for name in frame if name.startswith("probability_")]
    if shares:
        return frame[shares].to_numpy(dtype=float)
    return np.stack([np.asarray(value, dtype=float) for value in frame["prediction"]])


def assert_same(script, fitted, rows, here, folder, arrays):
    """The script, run on a file, predicts what the run does of the same rows."""
    np.savez(folder / "rows.npz", **arrays)
    is_shaped = bool(fitted.predictor.task.shape)
    out = folder / ("out.npz" if is_shaped else "out.csv")
    here(script, folder / "rows.npz", "--out", out)
    frame = fitted.predict(rows)
    if is_shaped:
        found = np.load(out)
        np.testing.assert_allclose(found["prediction"], np.stack(frame["prediction"].to_list()), rtol=1e-5)
        return
    found = pd.read_csv(out)
    assert list(found) == list(frame)
    for name in frame:
        np.testing.assert_allclose(found[name].astype(float), frame[name].astype(float), rtol=1e-5, atol=1e-7)


CASES = {
    "lstm": (waves, own.Recurrent, nn.CrossEntropyLoss()),
    "gru, two units": (waves, functools.partial(own.Recurrent, nn.GRU), "cross-entropy"),
    "resnet": (lambda: own.images(3), own.ResNet, nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0]))),
    "a class a step": (places_of_steps, own.Tagger, nn.CrossEntropyLoss(label_smoothing=0.1)),
    "a class a pixel": (places_of_pixels, own.Segmenter, nn.CrossEntropyLoss()),
    "labels": (several_labels, functools.partial(nn.Linear, 6, 4), nn.BCEWithLogitsLoss()),
    "weighted labels": (
        several_labels,
        functools.partial(nn.Linear, 6, 4),
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 3.0, 4.0])),
    ),
    "numbers": (several_numbers, functools.partial(nn.Linear, 6, 2), F.smooth_l1_loss),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_target_leaves_as_a_script_that_predicts_and_trains(name, leaving, tmp_path, here):
    rows, model, loss = CASES[name]
    x, y = rows()
    fitted = leaving(own.loader(x, y), model, loss, members=2)
    script, weights = eject(fitted, tmp_path / "leaves.py")
    arrays = {"x": x.numpy(), "y": y.numpy()}
    assert_same(script, fitted, x, here, tmp_path, arrays)
    before = weights.read_bytes()
    here(script, "--train", tmp_path / "rows.npz")
    assert weights.read_bytes() != before
    assert max(map(len, script.read_text().splitlines())) <= 120


IDS, MASK, SAID = own.sentences()


def by_name(ids, mask, label):
    return {"input_ids": ids, "attention_mask": mask, "labels": label}


@pytest.mark.parametrize("edits", [{}, {"activation": "silu", "normalisation": "layer"}], ids=str)
def test_inputs_by_name_leave_under_their_names(edits, leaving, tmp_path, here):
    fitted = leaving(own.batches_of(by_name, IDS, MASK, SAID), own.Reader, nn.CrossEntropyLoss(), **edits)
    script, _ = eject(fitted, tmp_path / "leaves.py")
    arrays = {"input_ids": IDS.numpy(), "attention_mask": MASK.numpy(), "labels": SAID.numpy()}
    assert_same(script, fitted, {"input_ids": IDS, "attention_mask": MASK}, here, tmp_path, arrays)
    here(script, "--train", tmp_path / "rows.npz")
    assert "self.module(input_ids=input_ids, attention_mask=attention_mask)" in script.read_text()


@pytest.mark.parametrize("inputs", ["raw", "scaled"])
def test_inputs_by_place_leave_in_their_order_and_scaled_as_in_the_run(inputs, leaving, tmp_path, here):
    image, (numbers, y) = own.images()[0], own.flat()
    changes = {"inputs": inputs, "mixup": 0.2, "input_noise": 0.1, "input_dropout": 0.2, "dropout": 0.1}
    fitted = leaving(
        own.loader(image, 5 * numbers + 9, y),
        own.Both,
        changes=changes,
        activation="maxout",
        initialisation="he",
    )
    script, _ = eject(fitted, tmp_path / "leaves.py")
    arrays = {"input_0": image.numpy(), "input_1": (5 * numbers + 9).numpy(), "y": y.numpy()}
    assert_same(script, fitted, (image, 5 * numbers + 9), here, tmp_path, arrays)
    here(script, "--train", tmp_path / "rows.npz")
    written = export(fitted, "onnx", tmp_path / "net.onnx", rows=(image[:9], 5 * numbers[:9] + 9))
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    assert [place.name for place in session.get_inputs()] == ["input_0", "input_1"]
    given = {"input_0": image[:5].numpy(), "input_1": (5 * numbers[:5] + 9).numpy()}
    wanted = outputs_of(fitted, (image[:5], 5 * numbers[:5] + 9))
    np.testing.assert_allclose(session.run(None, given)[0], wanted, rtol=1e-4, atol=1e-5)


EDITS = {
    "maxout": {"activation": "maxout", "initialisation": "he"},
    "wider maxout of three": {"widening": 1.5, "activation": "maxout", "pieces": 3, "plain_output": True},
    "batch norm, skips, one more layer": {
        "normalisation": "batch",
        "skip": True,
        "deepening": 1,
        "initialisation": "orthogonal",
    },
    "layer norm, two more layers": {"normalisation": "layer", "deepening": 2, "activation": "prelu"},
    "torch's own start": {"initialisation": "torch", "activation": "gelu"},
}


class Calling(nn.Module):
    """Activations and dropout as functions, a helper of the file, and a softmax that does not belong there."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, 8), nn.Linear(8, 8)
        self.last = nn.Linear(8, outputs, bias=False)

    def forward(self, x):
        h = F.dropout(torch.relu(self.first(x)), 0.2, self.training)
        return F.softmax(self.last(self.second(halved(h)).tanh()), dim=1)


def halved(x):
    return x / 2


def stacked(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 8),
        nn.Sigmoid(),
        nn.Linear(8, 8),
        nn.Sigmoid(),
        nn.Linear(8, outputs),
        nn.Softmax(1),
    )


def lazily(inputs, outputs):
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(outputs))


TREATED = {
    "layers": (own.flat, stacked),
    "functions": (own.flat, Calling),
    "lazy layers": (own.flat, lazily),
    "convolutions": (own.images, own.cnn),
    "a resnet": (lambda: own.images(3), own.ResNet),
    "pixels": (places_of_pixels, own.Segmenter),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", TREATED)
def test_every_surgery_leaves_as_lines_of_the_script(name, edit, leaving, tmp_path, here):
    rows, model = TREATED[name]
    x, y = rows()
    fitted = leaving(own.loader(x, y), model, nn.CrossEntropyLoss(), changes={"dropout": 0.3}, **EDITS[edit])
    script, _ = eject(fitted, tmp_path / "leaves.py")
    assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})
    here(script, "--train", tmp_path / "rows.npz")


@pytest.mark.parametrize("name", TREATED)
def test_every_surgery_leaves_as_a_graph_for_any_number_of_rows(name, leaving, tmp_path):
    rows, model = TREATED[name]
    x, y = rows()
    edits = EDITS["maxout"] | EDITS["batch norm, skips, one more layer"]
    fitted = leaving(own.loader(x, y), model, nn.CrossEntropyLoss(), members=2, **edits)
    graph = torch.export.load(export(fitted, "torch", tmp_path / "net.pt2", rows=x[:7])).module()
    written = export(fitted, "onnx", tmp_path / "net.onnx", rows=x[:7])
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    (place,) = session.get_inputs()
    for count in (1, 3, 50):
        wanted = fitted.predictor.outputs(x[:count])
        np.testing.assert_allclose(graph(x[:count]).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)
        found = session.run(None, {place.name: x[:count].numpy()})[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_networks_leave_as_graphs(kind, leaving, tmp_path):
    x, y = waves()
    fitted = leaving(own.loader(x, y), functools.partial(own.Recurrent, kind))
    for format in ("torch", "onnx"):
        export(fitted, format, tmp_path / f"net.{format}", rows=x[:7])


def test_tokens_leave_as_a_graph_whose_inputs_have_their_names(leaving, tmp_path):
    fitted = leaving(own.batches_of(by_name, IDS, MASK, SAID), own.Reader, nn.CrossEntropyLoss())
    rows = {"input_ids": IDS, "attention_mask": MASK}
    written = export(
        fitted, "onnx", tmp_path / "net.onnx", rows={name: part[:9] for name, part in rows.items()}
    )
    session = onnxruntime.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    found = session.run(None, {name: part[:5].numpy() for name, part in rows.items()})[0]
    wanted = outputs_of(fitted, {name: part[:5] for name, part in rows.items()})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
