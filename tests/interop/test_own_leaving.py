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
from tests.procedure.test_own import (
    places_of_pixels,
    places_of_steps,
    several_labels,
    several_numbers,
    waves,
    yes_or_no_as_floats,
)
from torch import nn

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.engine.ways.construction import sizes_of
from goodfit.errors import ModelError
from goodfit.interop.eject import eject
from goodfit.interop.export import ExportError, export
from goodfit.procedure.fit import fit
from goodfit.procedure.fitted import Fitted, predictor_of
from goodfit.procedure.own import ignored_class
from goodfit.procedure.start import Wanted, own_plan
from goodfit.rules.from_torch import rule_of
from goodfit.rules.schedules import Cosine
from goodfit.store.folder import load, save

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


def squares_of_shares(outputs, classes):
    """Squared error of one-hot targets, which asks for probabilities and takes any numbers."""
    return F.mse_loss(outputs, F.one_hot(classes.long(), outputs.shape[1]).float())


class Twice(nn.Module):
    """Shares of three classes, twice as large as they should be, and some below zero."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        return 2 * self.last(x).softmax(1) - 0.3


CASES = {
    "yes or no beyond 0 and 1": (yes_or_no_as_floats, functools.partial(nn.Linear, 6, 1), nn.MSELoss()),
    "labels beyond 0 and 1": (several_labels, functools.partial(nn.Linear, 6, 4), nn.MSELoss()),
    "shares beyond 0 and 1": (own.flat, Twice, squares_of_shares),
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


def by_layers(model, *, lr=0.05):
    slow = {"params": model.first.parameters(), "lr": lr / 10, "momentum": 0.5}
    rest = [*model.second.parameters(), *model.last.parameters()]
    return torch.optim.SGD([slow, {"params": rest}], lr=lr, momentum=0.8)


class Signs(torch.optim.Optimizer):
    """A rule of the user's own: steps of one length."""

    def __init__(self, params, lr=0.1, fade=1.0):
        super().__init__(params, {"lr": lr, "fade": fade})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(group["fade"]).sub_(group["lr"] * parameter.grad.sign())


OPTIMIZERS = {
    "groups": (by_layers, ['"share": 0.1', '"momentum": 0.5', '"momentum": 0.8', "torch.optim.SGD(groups)"]),
    "one of torch's": (
        lambda p: torch.optim.NAdam(p, lr=0.01, momentum_decay=0.01),
        ["torch.optim.NAdam(network.parameters(), lr=LR, momentum_decay=0.01)"],
    ),
    "one's own": (
        lambda p: Signs(p, lr=0.001, fade=0.99),
        ["class Signs(torch.optim.Optimizer):", "Signs(network.parameters(), lr=LR, fade=0.99)"],
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("edits", [{}, {"normalisation": "batch", "plain_output": True}], ids=str)
def test_an_optimizer_of_ones_own_leaves_with_its_settings(name, edits, leaving, tmp_path, here):
    make, texts = OPTIMIZERS[name]
    (x, y), model = own.flat(), functools.partial(Calling, 6, 3)
    rule, _ = rule_of(make, model())
    schedule = Cosine(warmup=0.0)
    fitted = leaving(own.loader(x, y), model, changes={"rule": rule, "schedule": schedule}, **edits)
    script, weights = eject(fitted, tmp_path / "leaves.py")
    for text in texts:
        assert text in script.read_text()
    assert max(map(len, script.read_text().splitlines())) <= 120
    assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})
    before = weights.read_bytes()
    here(script, "--train", tmp_path / "rows.npz")
    assert weights.read_bytes() != before


def test_an_optimizer_made_on_the_spot_cannot_leave_and_says_so(leaving, tmp_path):
    class Here(Signs):
        pass

    (x, y), model = own.flat(), functools.partial(Calling, 6, 3)
    rule, _ = rule_of(Here, model())
    fitted = leaving(own.loader(x, y), model, changes={"rule": rule})
    with pytest.raises(ModelError, match="optimizer was made on the spot") as caught:
        eject(fitted, tmp_path / "leaves.py")
    assert "top of a file" in caught.value.fix
    assert not (tmp_path / "leaves.py").exists()


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
    "scaled outputs": {"plain_output": True, "output_scale": ((5.0, -2.0, 0.0), (2.0, 3.0, 0.5))},
}


class Calling(nn.Module):
    """Activations and dropout as functions, a helper of the file, and a softmax at the end."""

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


LOSSES = """
import goodfit
import torch
from torch import nn

SHARPNESS = 2.0


def make(inputs, outputs):
    return nn.Linear(inputs, outputs)


def sharp(outputs, targets):
    return ((outputs - targets).abs() ** SHARPNESS).mean()


raise SystemExit("the rest of the file is not to run")
"""


def defined_in(text, path):
    """Functions of a file whose end must not run, as in a script that trains."""
    path.write_text(text, encoding="utf-8")
    names = {"__name__": "mine"}
    exec(compile(text.partition("raise SystemExit")[0], str(path), "exec"), names)
    return names


def test_a_loss_of_the_users_own_is_pasted_and_kept_in_the_run_folder(leaving, tmp_path, here):
    x, y = several_numbers()
    names = defined_in(LOSSES, tmp_path / "mine.py")
    fitted = leaving(own.loader(x, y), names["make"], names["sharp"])
    (tmp_path / "again").mkdir()
    kept = dataclasses.replace(fitted.predictor.network, factory="torch.nn:Linear")
    kept = dataclasses.replace(fitted, predictor=dataclasses.replace(fitted.predictor, network=kept))
    for leaver, place in ((fitted, tmp_path), (load(save(kept, tmp_path / "run")), tmp_path / "again")):
        script, _ = eject(leaver, place / "leaves.py")
        text = script.read_text()
        assert "SHARPNESS = 2.0" in text
        assert "import goodfit" not in text
        assert_same(script, leaver, x, here, place, {"x": x.numpy(), "y": y.numpy()})
        here(script, "--train", place / "rows.npz")


def test_a_loss_made_on_the_spot_leaves_a_script_that_says_where_to_write_it(leaving, tmp_path, here):
    x, y = several_numbers()
    fitted = leaving(own.loader(x, y), functools.partial(nn.Linear, 6, 2), lambda o, t: (o - t).abs().mean())
    script, _ = eject(fitted, tmp_path / "leaves.py")
    assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})
    with pytest.raises(SystemExit, match="loss_of is to be written"):
        here(script, "--train", tmp_path / "rows.npz")
    assert "Before it can train anew, loss_of is to be written" in script.read_text()


def test_a_network_made_inside_a_function_leaves_with_what_it_takes_from_there(leaving, tmp_path, here):
    width, kind = 7, nn.Tanh

    def make(inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, width), kind(), nn.Linear(width, outputs))

    x, y = own.flat()
    for model in (
        make,
        lambda i, o: make(i, o),
        lambda i, o: nn.Sequential(nn.Linear(i, width), nn.Linear(width, o)),
    ):
        fitted = leaving(own.loader(x, y), model)
        script, _ = eject(fitted, tmp_path / "leaves.py", replace=True)
        assert "width = 7" in script.read_text()
        assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})


def test_what_cannot_be_written_is_refused_and_leaves_no_file(leaving, tmp_path):
    x, y = own.flat()
    made = {"width": torch.tensor(7)}
    fitted = leaving(own.loader(x, y), lambda i, o: nn.Linear(i, o) if made else None)
    with pytest.raises(ModelError, match="cannot be written into a script"):
        eject(fitted, tmp_path / "leaves.py")
    assert not list(tmp_path.glob("leaves.*"))


BATCH = 3


def uses_a_name_of_the_script(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, BATCH), nn.Linear(BATCH, outputs))


def test_a_name_that_the_script_needs_itself_is_refused(leaving, tmp_path):
    fitted = leaving(own.loader(*own.flat()), uses_a_name_of_the_script)
    with pytest.raises(ModelError, match="both define BATCH"):
        eject(fitted, tmp_path / "leaves.py")


def test_an_ignored_class_is_left_out_by_the_script_too(leaving, tmp_path, here):
    steps, tags = places_of_steps()
    tags = tags.masked_fill(tags < 0, 255)
    pixels, classes = places_of_pixels()
    weighted = nn.CrossEntropyLoss(ignore_index=255, weight=torch.tensor([1.0, 2.0, 1.0]))
    classes[:, :2] = 255
    for x, y, model, loss in (
        (steps, tags, own.Tagger, nn.CrossEntropyLoss(ignore_index=255)),
        (pixels, classes, own.Segmenter, weighted),
    ):
        fitted = leaving(own.loader(x, y), model, loss)
        script, _ = eject(fitted, tmp_path / "leaves.py", replace=True)
        assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})
        here(script, "--train", tmp_path / "rows.npz")
        assert ("y.masked_fill(y == 255, -100)" in script.read_text()) == (model is own.Tagger)


def test_scores_are_found_in_whatever_a_network_returns(leaving, tmp_path, here):
    x, y = own.flat()
    for place, wanted in (("tuple", "[0]"), ("dict", '["logits"]'), ("object", ".logits")):
        fitted = leaving(own.loader(x, y), functools.partial(Returning, place))
        script, _ = eject(fitted, tmp_path / "leaves.py", replace=True)
        assert f"self.module(inputs){wanted}".replace('"', "'") in script.read_text().replace('"', "'")
        assert_same(script, fitted, x, here, tmp_path, {"x": x.numpy(), "y": y.numpy()})


@dataclasses.dataclass
class Said:
    logits: torch.Tensor


class Returning(nn.Module):
    def __init__(self, place):
        super().__init__()
        self.last, self.place = nn.Linear(6, own.CLASSES), place

    def forward(self, x):
        scores = self.last(x)
        return {"tuple": (scores,), "dict": {"logits": scores, "x": x}, "object": Said(scores)}[self.place]


def test_single_rows_and_wrong_shapes_are_refused_by_a_graph(leaving, tmp_path):
    image, (numbers, y) = own.images()[0], own.flat()
    fitted = leaving(own.loader(image, numbers, y), own.Both)
    with pytest.raises(ExportError, match="1 row"):
        export(fitted, "torch", tmp_path / "net.pt2", rows=(image[:1], numbers[:1]))
    export(fitted, "torch", tmp_path / "net.pt2")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["by place", "steps"])
def test_trained_anew_where_goodfit_is_not_the_score_lies_in_the_reported_interval(kind, tmp_path, python):
    generator = own.stream()
    x = torch.randn(1400, own.STEPS, 4, generator=generator)
    marks = torch.randn(1400, 6, generator=generator)
    if kind == "by place":
        y = (x.mean((1, 2)) + marks[:, 0] + 0.3 * torch.randn(1400, generator=generator) > 0).long()
        parts, model, names = (x, marks), Twofold, ("input_0", "input_1")
    else:
        y = (x[..., 0] + 0.3 * torch.randn(1400, own.STEPS, generator=generator) > 0).long()
        y[:, 0] = 2
        parts, model, names = (x,), own.Tagger, ("x",)
    fitted = fit(
        own.loader(*(part[:400] for part in parts), y[:400]),
        model=model,
        loss=nn.CrossEntropyLoss(),
        optimizer=lambda p: torch.optim.Adam(p, lr=0.01),
        max_trainings=4,
        num_seeds=2,
        epochs=12,
    )
    script, _ = eject(fitted, tmp_path / "leaves.py")
    for file, rows in (("learn", slice(400)), ("new", slice(400, None))):
        arrays = {name: part[rows].numpy() for name, part in zip(names, parts, strict=True)}
        np.savez(tmp_path / f"{file}.npz", **arrays, y=y[rows].numpy())
    out = tmp_path / ("out.csv" if kind == "by place" else "out.npz")
    python(script, tmp_path / "new.npz", "--out", out)
    before = said(out)
    raw = tuple(part[400:] for part in parts)
    np.testing.assert_array_equal(
        before, np.stack(fitted.predict(raw if len(raw) > 1 else raw[0])["prediction"])
    )
    python(script, "--train", tmp_path / "learn.npz", tmp_path / "new.npz", "--out", out)
    score = (said(out) == y[400:].numpy()).mean()
    assert fitted.run.test.score.low <= score <= fitted.run.test.score.high


def said(path):
    return (
        pd.read_csv(path)["prediction"].to_numpy() if path.suffix == ".csv" else np.load(path)["prediction"]
    )


class Twofold(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(own.STEPS * 4 + 6, 16), nn.Linear(16, 2)

    def forward(self, x, marks):
        return self.last(torch.tanh(self.first(torch.cat([x.flatten(1), marks], 1))))
