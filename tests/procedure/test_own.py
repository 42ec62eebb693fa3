"""Networks of the user's own through the whole procedure: every kind of batch, target, loss and metric."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from tests.procedure import own_networks as own
from torch import nn

from goodfit.data.assembly import Wishes
from goodfit.data.own_rows import load_own
from goodfit.engine.candidate import Candidate
from goodfit.engine.history import Choice
from goodfit.engine.training.choice import choose
from goodfit.engine.training.loop import train
from goodfit.engine.training.wave import train_wave
from goodfit.errors import ModelError, PlanError
from goodfit.procedure.fit import fit
from goodfit.procedure.start import Wanted, own_plan
from goodfit.recipe.order import RECIPE
from goodfit.report.html import render
from goodfit.store.folder import load, save

QUICK = {"max_trainings": 4, "num_seeds": 2, "epochs": 2}


def adam(parameters):
    return torch.optim.Adam(parameters, lr=5e-3)


def test_a_loader_a_loss_an_optimizer_and_a_metric_are_all_it_takes():
    x, y = own.flat()
    fitted = fit(
        own.loader(x[:90], y[:90]),
        validation=own.loader(x[90:], y[90:]),
        model=own.mlp,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8, weight_decay=1e-3),
        metric="f1",
        **QUICK,
    )
    plan = dict(fitted.run.plan)
    assert (plan["loss"], plan["label smoothing"], plan["batch size"]) == ("cross-entropy", "0.1", "16")
    assert (plan["rule"], plan["lr"], plan["L2"]) == ("momentum", "0.2", "0.001")
    assert (plan["inputs"], fitted.run.metric, fitted.run.test.metric) == ("raw", "f1", "f1")
    assert fitted.run.data.num_validation == 30
    assert fitted.run.test.score.low < fitted.run.test.score.value < fitted.run.test.score.high
    assert list(fitted.predict(x[:5]).columns) == ["prediction", *(f"probability_{c}" for c in range(3))]


def test_groups_of_parameters_keep_their_rates_and_remedies_change_them_in_proportion():
    x, y = own.flat()

    def make(model):
        slow = {"params": model[0].parameters(), "lr": 1e-4}
        return torch.optim.SGD([slow, {"params": model[2].parameters()}], lr=1e-3, momentum=0.9)

    fitted = fit(own.loader(x, y), model=own.mlp, optimizer=make, **QUICK | {"max_trainings": 60})
    (plan, treated), run = (dict(p) for p in (fitted.run.plan, fitted.run.treated_plan)), fitted.run
    assert (plan["rule"], plan["lr"]) == ("SGD", "0.001")
    groups = [group["settings"]["lr"] for group in json.loads(plan["optimizer"])["groups"]]
    assert groups == [1e-4, 1e-3]
    tried = {verdict.remedy: verdict for verdict in run.verdicts}
    assert {"lr-up", "lr-down"} & set(tried)
    if "optimizer" in treated:
        rates = [group["settings"]["lr"] for group in json.loads(treated["optimizer"])["groups"]]
        assert rates == pytest.approx([float(treated["lr"]) / 10, float(treated["lr"])])


IDS, MASK, SAID = own.sentences()


@pytest.mark.parametrize(
    "source",
    [
        own.batches_of(lambda i, m, y: {"input_ids": i, "attention_mask": m, "labels": y}, IDS, MASK, SAID),
        own.batches_of(lambda *parts: own.Batch(*parts), IDS, MASK, SAID),
        own.batches_of(
            lambda i, m, y: own.Encoding(input_ids=i, attention_mask=m, labels=y, idx=y, text="a"),
            IDS,
            MASK,
            SAID,
        ),
        own.batches_of(lambda i, m, y: ({"input_ids": i, "attention_mask": m}, y), IDS, MASK, SAID),
    ],
    ids=["dict", "dataclass", "encoding", "dict and target"],
)
def test_tokens_and_their_mask_reach_a_transformer_by_name(source):
    fitted = fit(source, model=own.Reader, loss=nn.CrossEntropyLoss(), optimizer=adam, **QUICK)
    assert dict(fitted.run.plan)["loss"] == "cross-entropy"
    assert fitted.run.harness.input_abs_max is None  # the size of a token's number says nothing
    assert "scale-inputs" not in {verdict.remedy for verdict in fitted.run.verdicts}
    rows = {"input_ids": IDS[:4], "attention_mask": MASK[:4], "idx": SAID[:4]}
    module = fitted.predictor.modules[0].module
    expected = module(IDS[:4], MASK[:4])["logits"].softmax(1)
    found = fitted.predict(rows)[["probability_0", "probability_1"]].to_numpy()
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5)


def test_a_run_of_several_inputs_is_saved_read_back_and_reported(tmp_path):
    x, y = places_of_steps()
    fitted = fit(own.loader(x, y), model=own.Tagger, optimizer=adam, metric="f1", **QUICK)
    again = load(save(fitted, tmp_path / "run"))
    for row, same in zip(fitted.predict(x[:4]).prediction, again.predict(x[:4]).prediction, strict=True):
        np.testing.assert_array_equal(row, same)
    page = render(again.run)
    assert "3 classes in every place" in page
    assert "f1" in page


def test_several_inputs_in_a_tuple_are_handed_over_by_place():
    image, (numbers, y) = own.images()[0], own.flat()
    fitted = fit(own.loader(image, numbers, y), model=own.Both, optimizer=adam, **QUICK)
    assert fitted.run.data.num_inputs == 64 + 6
    assert len(fitted.predict((image[:3], numbers[:3]))) == 3


def places_of_steps():
    x = torch.randn(own.ROWS, own.STEPS, 4, generator=own.stream())
    y = x[..., :3].argmax(-1)
    y[:, -2:] = -100
    return x, y


def places_of_pixels():
    x = torch.randn(own.ROWS, 1, 8, 8, generator=own.stream())
    return x, ((x[:, 0] > 0).long() + (x[:, 0] > 1).long())


def waves():
    x = torch.randn(own.ROWS, own.STEPS, 4, generator=own.stream())
    return x, (x[:, -1, 0] > 0).long()


def several_numbers():
    x = own.flat()[0]
    return x, torch.stack([3 * x[:, 0] + 100, x[:, 1]], 1)


def several_labels():
    x = own.flat()[0]
    return x, (x[:, :4] > 0).float()


def one_number_in_a_column():
    x = own.flat()[0]
    return x, 10 * x[:, :1] + 50


def yes_or_no_as_floats():
    x = own.flat()[0]
    return x, (x[:, :1] > 0).float()


CASES = {
    "mlp": (own.flat, own.mlp, nn.CrossEntropyLoss(), "balanced accuracy"),
    "cnn with batch-norm": (own.images, own.cnn, F.cross_entropy, "roc auc"),
    "lstm": (waves, own.Recurrent, nn.CrossEntropyLoss(), "accuracy"),
    "gru": (waves, lambda: own.Recurrent(nn.GRU), None, "log loss"),
    "resnet": (lambda: own.images(3), own.ResNet, nn.CrossEntropyLoss(), "accuracy"),
    "a class a step": (
        places_of_steps,
        lambda: own.Recurrent(outputs=3, every_step=True),
        lambda out, y: F.cross_entropy(out.flatten(0, 1), y.flatten()),
        "f1",
    ),
    "a class a pixel": (places_of_pixels, own.Segmenter, nn.CrossEntropyLoss(), "iou"),
    "labels": (several_labels, lambda: nn.Linear(6, 4), nn.BCEWithLogitsLoss(), "exact match"),
    "numbers": (several_numbers, lambda: nn.Linear(6, 2), nn.MSELoss(), "r2"),
    "a number": (one_number_in_a_column, lambda: nn.Linear(6, 1), nn.L1Loss(), "mae"),
    "yes or no": (yes_or_no_as_floats, lambda: nn.Linear(6, 1), nn.BCEWithLogitsLoss(), "accuracy"),
    "shares": (
        yes_or_no_as_floats,
        lambda: nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()),
        nn.BCELoss(),
        "accuracy",
    ),
}


METRICS = {"gru": "neg log loss", "a number": "neg mae"}
"""What is minimised is negated, and said so."""


@pytest.fixture(scope="module", params=CASES, ids=str)
def treated(request):
    rows, model, loss, metric = CASES[request.param]
    x, y = rows()
    options = QUICK | ({"epochs": 8} if request.param in ("shares", "yes or no", "a number") else {})
    fitted = fit(own.loader(x, y), model=model, loss=loss, optimizer=adam, metric=metric, **options)
    return request.param, fitted, x, y


def test_every_kind_of_network_and_target_goes_the_whole_way(treated):
    name, fitted, x, y = treated
    run = fitted.run
    assert run.metric == run.test.metric == METRICS.get(name, CASES[name][3])
    assert all(np.isfinite(run.arms[0].histories[0].train_loss))
    assert run.num_trainings <= 4
    assert run.references
    assert len(run.answers) >= 1
    predicted = fitted.predict(x[:6])
    assert len(predicted) == 6
    if y.dim() > 1 and y.shape[1] > 1:
        assert predicted.prediction[0].shape == tuple(y.shape[1:])


def test_numbers_are_learnt_and_predicted_in_the_units_of_the_loader():
    x, y = one_number_in_a_column()
    options = QUICK | {"epochs": 150}
    fitted = fit(
        own.loader(x, y),
        model=lambda: nn.Linear(6, 1),
        loss=nn.MSELoss(),
        optimizer=lambda p: torch.optim.Adam(p, lr=0.3),
        metric="mae",
        target_metric=5.0,
        **options,
    )
    np.testing.assert_allclose(fitted.predict(x).prediction, y[:, 0], atol=3.0)
    assert fitted.run.answers[0].bar == -5.0  # less is better, so scores are negated
    assert -3.0 < fitted.run.test.score.value < 0


def test_any_metric_of_torchmetrics_judges():
    torchmetrics = pytest.importorskip("torchmetrics")
    x, y = own.flat()
    metric = torchmetrics.classification.MulticlassF1Score(num_classes=3, average="macro")
    fitted = fit(own.loader(x, y), model=own.mlp, optimizer=adam, metric=metric, **QUICK)
    assert fitted.run.metric == "MulticlassF1Score"
    metric = torchmetrics.MeanAbsoluteError()
    fitted = fit(own.loader(*one_number_in_a_column()), model=lambda: nn.Linear(6, 1), metric=metric, **QUICK)
    assert fitted.run.metric == "neg MeanAbsoluteError"
    assert fitted.run.test.score.value < -1  # in the loader's units, though training is standardised


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"loss": nn.CosineEmbeddingLoss()}, PlanError, "target"),
        ({"loss": nn.MSELoss()}, PlanError, "every output with every target"),
        ({"loss": nn.NLLLoss(reduction="none"), "model": lambda: nn.Linear(6, 2)}, ModelError, "(2,)"),
        ({"loss": lambda out: out.sum()}, PlanError, "fewer than two"),
        ({"metric": "f2"}, PlanError, "f2"),
        ({"metric": 3}, PlanError, "3"),
        ({"optimizer": lambda p: torch.optim.LBFGS(p)}, PlanError, "LBFGS"),
        ({"optimizer": lambda p: torch.optim.Adam(p, maximize=True)}, PlanError, "maximize"),
        ({"optimizer": lambda p: torch.optim.Adam(p[:1])}, PlanError, "0.bias"),
        ({"optimizer": lambda p: None}, PlanError, "NoneType"),
        ({"optimizer": adam, "rule": "adam"}, PlanError, "optimizer and rule"),
        ({"model": own.mlp()}, ModelError, "one Sequential"),
        ({"model": lambda: nn.LSTM(6, 3)}, ModelError, "several outputs"),
        ({"model": own.Both}, ModelError, "raises TypeError"),
        ({"model": lambda: own.mlp().to("meta")}, ModelError, "meta"),
        ({"model": None, "loss": nn.CrossEntropyLoss()}, PlanError, "CrossEntropyLoss"),
    ],
)
def test_what_does_not_fit_is_said_with_a_fix(arguments, error, word):
    x, y = own.flat()
    with pytest.raises(error) as caught:
        fit(own.loader(x, y), **({"model": own.mlp} | arguments | QUICK))
    assert word in caught.value.message
    assert caught.value.fix


def doubled(outputs, targets):
    return 2 * F.mse_loss(outputs.squeeze(-1), targets.float().squeeze(-1))


CHAINS = {
    "cross-entropy": (own.flat, 3, nn.CrossEntropyLoss()),
    "smoothed": (own.flat, 3, nn.CrossEntropyLoss(label_smoothing=0.2)),
    "margins": (own.flat, 3, nn.MultiMarginLoss()),
    "labels": (several_labels, 4, nn.BCEWithLogitsLoss()),
    "labels as numbers": (several_labels, 4, nn.MSELoss()),
    "numbers": (several_numbers, 2, nn.MSELoss()),
    "a number": (one_number_in_a_column, 1, nn.L1Loss()),
    "yes or no": (yes_or_no_as_floats, 1, nn.BCEWithLogitsLoss()),
    "a function": (yes_or_no_as_floats, 1, doubled),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_learns_by_hand_what_it_learns_alone_whatever_its_loss(name):
    rows, outputs, loss = CHAINS[name]
    split = load_own(own.loader(*rows()), Wishes(seed=0), standardised=False)
    wanted = Wanted(
        model=lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs)),
        loss=loss,
        optimizer=adam,
        epochs=3,
        batch_size=16,
    )
    plan, split = own_plan(wanted, split)
    members = [Candidate(arm="a", seed=seed, plan=plan) for seed in range(2)]
    assert choose(members, split, measure=False).way == "stacked"
    by_hand, alone = (
        train_wave(
            members,
            split,
            Choice(way=way, reason="it is compared"),
            deadline=math.inf,
            progress=lambda share: None,
        )
        for way in ("stacked", "one by one")
    )
    for one, other in zip(by_hand, alone, strict=True):
        for weight_name, weight in other.weights.items():
            torch.testing.assert_close(one.weights[weight_name], weight, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=1e-4, atol=1e-5)


ANSWERS = {
    "squared error": (nn.Sigmoid(), nn.MSELoss(), True),
    "absolute error, no activation": (nn.Identity(), nn.L1Loss(), True),
    "a function of shares": (nn.Sigmoid(), lambda p, y: -(y * (p + 1e-7).log()).mean() + p.mean(), True),
    "a function of cut shares": (
        nn.Sigmoid(),
        lambda p, y: F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), y),
        True,
    ),
    "a function of scores": (
        nn.Identity(),
        lambda s, y: F.binary_cross_entropy_with_logits(s, y) * 2,
        False,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_an_own_loss_is_given_is_read_as_it_is_meant(name):
    last, loss, is_share = ANSWERS[name]
    x, y = yes_or_no_as_floats()
    split = load_own(own.loader(x, y), Wishes(seed=0), standardised=False)
    plan, _ = own_plan(Wanted(model=lambda: nn.Sequential(nn.Linear(6, 1), last), loss=loss), split)
    assert plan.loss.is_share == is_share
    certain = torch.tensor([[0.9], [0.1]]) if is_share else torch.tensor([[2.0], [-2.0]])
    assert plan.loss.predict(certain).argmax(1).tolist() == [1, 0]


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.Sigmoid(), nn.Identity()], ids=lambda last: str(last))
def test_the_usual_loss_of_scores_takes_the_place_of_one_of_shares(last):
    x, y = yes_or_no_as_floats()
    split = load_own(own.loader(x, y), Wishes(seed=0), standardised=False)
    plan, split = own_plan(
        Wanted(
            model=lambda: nn.Sequential(nn.Linear(6, 1), last),
            loss=nn.BCELoss(),
            optimizer=lambda p: torch.optim.Adam(p, lr=0.05),
        ),
        split,
    )
    (usual,) = (remedy for remedy in RECIPE if remedy.code == "usual-loss")
    treated = usual.treat(plan, 0.0)
    assert (treated.loss.name, treated.loss.link) == ("binary-cross-entropy", "sigmoid")
    (trained,) = train([Candidate(arm="a", seed=0, plan=dataclasses.replace(treated, epochs=40))], split)
    assert trained.train_scores_N.mean() > 0.9


def test_one_unit_behind_softmax_is_repaired():
    x = torch.randn(600, 6, generator=own.stream())
    fitted = fit(
        own.loader(x, (x[:, :1] > 0).float()),
        model=lambda: nn.Sequential(nn.Linear(6, 1), nn.Softmax(dim=1)),
        loss=nn.BCELoss(),
        optimizer=adam,
        max_trainings=12,
        num_seeds=3,
        epochs=20,
    )
    assert fitted.run.test.plan_as_it_was < 0.6
    assert fitted.run.test.score.value > 0.9
    assert "GF014" in [finding.code for finding in fitted.run.findings]
    assert [verdict.remedy for verdict in fitted.run.verdicts if verdict.round == 1] == ["usual-loss"]


@pytest.mark.parametrize(
    # steps of thousands saturate some units or others, and what is left may follow the prices a little
    ("rule", "most"),
    [pytest.param(adam, 0, id="adam"), pytest.param(lambda p: torch.optim.SGD(p, lr=0.01), 0.5, id="sgd")],
)
def test_prices_in_the_thousands_are_learnt_by_scaling_what_the_last_layer_puts_out(rule, most):
    x = torch.randn(600, 6, generator=own.stream())
    prices = 4000 + 500 * (x[:, :1] + x[:, 1:2] * x[:, 2:3])
    fitted = fit(
        own.loader(x, prices),
        model=lambda: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1)),
        loss=nn.MSELoss(),
        optimizer=rule,
        max_trainings=60,
        num_seeds=3,
        epochs=20,
    )
    assert fitted.run.test.plan_as_it_was < most
    assert fitted.run.test.score.value > 0.8
    assert "scale-targets" in [code for verdict in fitted.run.prescription for code, _ in verdict.steps]
    found = fitted.predict(x[:5]).prediction.to_numpy()
    assert (abs(found - prices[:5, 0].numpy()) < 2000).all()  # in the units of the data


def test_a_function_that_makes_another_network_by_now_is_read_anew():
    made = {"width": 8, "activation": nn.ReLU}

    def make():
        width, activation = made["width"], made["activation"]
        return nn.Sequential(nn.Linear(6, width), activation(), nn.Linear(width, 3))

    source = own.loader(*own.flat())
    for width, activation in ((8, nn.ReLU), (5, nn.Tanh), (5, nn.Identity)):
        made |= {"width": width, "activation": activation}
        fitted = fit(source, model=make, optimizer=adam, **QUICK)
        trained = fitted.predictor.modules[0]
        assert trained[0].out_features == width
        assert type(trained[1]) is activation
        way = fitted.run.arms[0].histories[0].choice.way
        assert way == ("one by one" if activation is nn.Identity else "stacked")


LOSSES_OF_NUMBERS = {
    "absolute": (nn.L1Loss(), True),
    "shares of the target": (lambda out, y: ((out - y) / (y.abs() + 1)).abs().mean(), True),
    "a quantile": (lambda out, y: torch.maximum(0.9 * (y - out), 0.1 * (out - y)).mean(), True),
    "likelihood of a spread": (lambda out, y: F.gaussian_nll_loss(out, y, torch.ones_like(y)), True),
    "a sign turned": (lambda out, y: -F.mse_loss(out, y), False),
    "a loss of shares": (nn.BCEWithLogitsLoss(), False),
    "a lone class": (nn.CrossEntropyLoss(), False),
    "one that raises": (lambda out, y: F.mse_loss(out, y) if out.requires_grad else 1 / 0, True),
}


@pytest.mark.parametrize("name", LOSSES_OF_NUMBERS)
def test_a_loss_of_numbers_is_asked_whether_it_prefers_the_targets(name):
    loss, is_fitting = LOSSES_OF_NUMBERS[name]
    split = load_own(own.loader(*one_number_in_a_column()), Wishes(seed=0), standardised=False)
    plan, _ = own_plan(Wanted(model=lambda: nn.Linear(6, 1), loss=loss), split)
    assert plan.loss.contract.is_fitting == is_fitting
    assert (plan.loss.usual is None) == is_fitting


def test_targets_that_begin_alike_do_not_speak_against_a_loss():
    x = torch.randn(600, 6, generator=own.stream())
    y = torch.cat([torch.zeros(400, 1), 5 * torch.rand(200, 1, generator=own.stream())])
    split = load_own(own.loader(x, y), Wishes(seed=0), standardised=False)
    plan, _ = own_plan(Wanted(model=lambda: nn.Linear(6, 1), loss=nn.L1Loss()), split)
    assert plan.loss.contract.is_fitting
