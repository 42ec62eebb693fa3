"""Runs made by hand: the patient with vanishing gradients, and variations to the extreme."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import Harness, History, LayerHistory, curve
from goodfit.evidence.verdict import Interval, Verdict
from goodfit.procedure.run import Answer, Arm, DataSummary, Reference, Run, TestResult
from goodfit.report.html import render

EPOCHS = tuple(range(0, 61, 2))
HOSTILE = '<script>alert("x")</script>&\x1b[31m'


def interval(value, half=0.01):
    return Interval(value=value, low=value - half, high=value + half, level=0.95)


def make_layers(*, num_layers=11, activation="sigmoid", shrink=0.2, seed=0):
    noise = np.random.default_rng(seed).normal(1, 0.05, (num_layers, len(EPOCHS)))
    time = 1 / (1 + np.arange(len(EPOCHS)) / 20)
    is_sigmoid = activation == "sigmoid"

    def layer(place):
        depth = num_layers - 1 - place
        is_last = depth == 0
        return LayerHistory(
            layer=f"layers.{place}",
            activation=None if is_last else activation,
            num_weights=1024,
            gradient_norm=curve(0.5 * shrink**depth * noise[place] * time),
            weight_norm=curve(5 + noise[place]),
            update_ratio=curve(1e-3 * shrink**depth * noise[place]),
            output_mean=curve(0.5 * noise[place]),
            output_std=curve((0.1 if is_sigmoid else 0.8) * noise[place]),
            zero_share=curve(np.full(len(EPOCHS), 0.0 if is_sigmoid else 0.5)),
            dead_share=curve(np.full(len(EPOCHS), 0.0 if is_sigmoid else 0.03)),
            saturated_share=curve(np.full(len(EPOCHS), 0.02 if is_sigmoid else 0.0) * (1 + place)),
        )

    return tuple(layer(place) for place in range(num_layers))


def make_history(arm, *, seed=0, top=0.98, diverged=False, **layer_options):
    epochs = np.array(EPOCHS)
    score = 0.1 + (top - 0.1) * (1 - np.exp(-epochs / (9 + seed)))
    loss = 2.3 * (1.02 - score)
    if diverged:
        score, loss = np.where(epochs > 10, np.nan, score), np.where(epochs > 10, np.inf, loss)
    return History(
        arm=arm,
        seed=seed,
        structure="64-32x10-10 sigmoid",
        rule="gradient-descent",
        lr=0.1,
        metric="accuracy",
        num_parameters=12_000,
        num_rows=1078,
        num_validation_rows=359,
        batch_size=32,
        steps_per_epoch=33,
        epochs=EPOCHS,
        train_loss=curve(loss),
        train_score=curve(score),
        validation_loss=curve(1.1 * loss),
        validation_score=curve(score - 0.02),
        probed_epochs=EPOCHS,
        layers=make_layers(seed=seed, **layer_options),
        best_epoch=40,
        ending="diverged" if diverged else "finished",
        seconds=1.4,
    )


def make_arm(name, *, round=1, question="training", num_seeds=4, **options):
    histories = tuple(make_history(name, seed=seed, **options) for seed in range(num_seeds))
    return Arm(name=name, round=round, question=question, histories=histories)


def make_verdict(remedy="relu", sentence="use ReLU in the hidden layers", **changes):
    values = {
        "question": "training",
        "outcome": "helped",
        "effect": interval(0.85),
        "p_value": 1e-6,
        "p_adjusted": 4e-6,
        "metric": "training accuracy",
        "control": 0.11,
        "treated": 0.96,
        "num_seeds": 4,
        "num_rows": 1078,
        "epochs": 60,
        "seconds": 5.6,
        "kept": False,
        "round": 1,
    }
    return Verdict(remedy=remedy, sentence=sentence, **(values | changes))


def make_verdicts():
    none = {"outcome": "not shown", "effect": interval(0.002), "p_value": 0.61, "p_adjusted": 1.0}
    return (
        make_verdict(kept=True),
        make_verdict("adam", "update by Adam at lr 0.001", effect=interval(0.61), treated=0.72),
        make_verdict("momentum", "update by Momentum at lr 0.1", **none),
        make_verdict(
            "lr-up",
            "multiply the learning rate by 10",
            **none | {"outcome": "harmed", "effect": interval(-0.06)},
        ),
        make_verdict(
            "adam",
            "update by Adam at lr 0.001",
            round=2,
            kept=True,
            effect=interval(0.031, 0.008),
            control=0.96,
        ),
        make_verdict(
            "dropout",
            "silence a share of 0.25 of the hidden units at each step",
            round=3,
            question="testing",
            metric="validation accuracy",
            **none,
        ),
        make_verdict(
            "ensemble",
            "let all seeds vote instead of one",
            round=3,
            question="testing",
            metric="validation accuracy",
            effect=interval(0.014, 0.006),
            control=0.958,
            treated=0.972,
            kept=True,
        ),
    )


def make_arms():
    return (
        make_arm("as it is", top=0.11),
        make_arm("relu", top=0.96, activation="relu", shrink=0.9),
        make_arm("adam 0.001", top=0.72),
        make_arm("momentum 0.1", top=0.115),
        make_arm("lr-up 10", top=0.1, diverged=True),
        make_arm("adam", round=2, top=0.99, activation="relu", shrink=0.9),
        make_arm("dropout 0.25", round=3, question="testing", top=0.98, activation="relu", shrink=0.9),
        make_arm("final", round=3, question="final", top=0.99, activation="relu", shrink=0.9),
    )


def make_answer(question="training", *, round=1, good=False, score=0.112, bar=0.961):
    comparison = "reaches" if good else "is below"
    return Answer(
        question=question,
        round=round,
        good=good,
        score=interval(score),
        bar=bar,
        bar_from="gradient boosting",
        reason=f"{score:.3f} on {question} rows {comparison} what gradient boosting reaches, {bar:.3f}",
    )


def make_run(**changes):
    """The patient of the demo, after three rounds; fields are replaced by ``changes``."""
    values = {
        "goodfit": "0.1.0",
        "versions": (("python", "3.11.2"), ("torch", "2.13.0"), ("numpy", "2.4.6")),
        "machine": "x86_64, 2 cores, 2 threads, no GPU used",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "goodfit demo",
        "seed": 0,
        "data": make_data(),
        "metric": "accuracy",
        "plan": (("network", "64-32x10-10 sigmoid"), ("loss", "squared"), ("rule", "gradient-descent")),
        "treated_plan": (("network", "64-32x10-10 relu"), ("loss", "squared"), ("rule", "adam")),
        "references": tuple(
            Reference(name=name, train_score=train, validation_score=score, num_rows=1078, seconds=0.4)
            for name, train, score in (
                ("majority", 0.103, 0.100),
                ("linear", 0.996, 0.950),
                ("k nearest neighbours", 1.0, 0.958),
                ("gradient boosting", 1.0, 0.961),
            )
        ),
        "harness": make_harness(),
        "answers": (
            make_answer(),
            make_answer(round=2, score=0.957),
            make_answer(round=3, score=0.99, good=True),
            make_answer("testing", round=3, score=0.958),
            make_answer(round=4, score=0.99, good=True),
            make_answer("testing", round=4, score=0.972, good=True),
        ),
        "findings": (make_finding(),),
        "verdicts": make_verdicts(),
        "untried": (("maxout", "no time left"), ("wider", "no time left")),
        "not_checked": (("sample leak", "the network has no batch statistics"),),
        "arms": make_arms(),
        "test": make_test(),
        "good_on_training": True,
        "good_on_testing": True,
        "stopped_because": "both answers are yes",
        "budget_seconds": 120.0,
        "num_trainings": 33,
        "seconds": 71.4,
    }
    return Run(**(values | changes))


def make_data(**changes):
    data = DataSummary(
        name="digits",
        kind="arrays",
        num_train=1078,
        num_validation=359,
        num_test=360,
        target="digit",
        task="classes",
        labels=tuple((str(digit), 100 + digit) for digit in range(10)),
        columns=(),
        num_inputs=64,
        notes=("3 pixels never change and were dropped",),
    )
    return dataclasses.replace(data, **changes)


def make_harness():
    return Harness(
        initial_loss=0.091,
        expected_loss=0.09,
        one_batch_rows=16,
        one_batch_score=0.19,
        one_batch_steps=500,
        input_std_min=0.2,
        input_std_max=1.1,
        input_abs_max=16.0,
        num_constant_inputs=0,
        num_nonfinite_inputs=0,
        num_repeated_rows=0,
        num_validation_rows=359,
        majority_share=0.103,
        sample_leak=None,
        unused_parameters=(),
    )


def make_test(**changes):
    test = TestResult(
        metric="accuracy",
        score=Interval(value=0.975, low=0.958, high=0.989, level=0.95),
        others=(("balanced accuracy", 0.974), ("log loss", 0.113)),
        num_rows=360,
        openings=1,
        references=(("majority", 0.1), ("linear", 0.953), ("gradient boosting", 0.964)),
        plan_as_it_was=0.1,
    )
    return dataclasses.replace(test, **changes)


def make_finding(**changes):
    finding = Finding(
        code="GF101",
        name="vanishing-gradients",
        severity="error",
        question="training",
        message="the first layer's gradient is 1.0e-07 of the last layer's; below 1.0e-03 it does not learn",
        evidence=(
            Evidence(
                what="gradient norm, first over last layer",
                value=1.02e-7,
                limit=1e-3,
                layer="layers.0",
                epoch=0,
            ),
            Evidence(what="gradient norm", value=5.1e-8, limit=1e-4, layer="layers.0", epoch=2),
        ),
        remedies=("relu", "adam", "batch-norm"),
    )
    return dataclasses.replace(finding, **changes)


def hostile_run():
    """Every text that comes from a user holds markup and a terminal's escape code."""
    return make_run(
        command=f"goodfit fit {HOSTILE}",
        data=make_data(
            name=HOSTILE,
            kind="table",
            target=HOSTILE,
            labels=((HOSTILE, 20), ("'\"", 30)),
            columns=((HOSTILE, "category", HOSTILE),),
            notes=(HOSTILE,),
        ),
        findings=(make_finding(message=HOSTILE),),
        plan=(("network", HOSTILE),),
        untried=((HOSTILE, HOSTILE),),
        stopped_because=HOSTILE,
        arms=(make_arm(HOSTILE),),
    )


def endless_run():
    """Sixty verdicts in twelve rounds, a hundred classes, forty columns, long words."""
    long = "x" * 120
    verdicts = tuple(
        make_verdict(
            f"remedy-{i}", f"do number {i} {long if i == 7 else ''}", round=1 + i // 5, kept=i % 5 == 0
        )
        for i in range(60)
    )
    return make_run(
        verdicts=verdicts,
        arms=tuple(make_arm(v.remedy, round=v.round, num_seeds=2, num_layers=2) for v in verdicts),
        data=make_data(
            name=long,
            labels=tuple((f"class {i} {long if i == 3 else ''}", 11) for i in range(100)),
            columns=tuple((f"{long} {i}", "number", "") for i in range(40)),
        ),
        answers=tuple(make_answer(round=r) for r in range(1, 13)),
        findings=tuple(make_finding(code=f"GF1{i:02}", message=long) for i in range(12)),
        untried=tuple((f"untried-{i}", "no time left") for i in range(30)),
        good_on_training=False,
        good_on_testing=False,
        stopped_because=f"no remedy for training data is shown to help further {long}",
    )


def bare_run():
    """Nothing was tried, and the sealed test stayed shut."""
    return make_run(
        arms=(),
        verdicts=(),
        test=None,
        findings=(),
        answers=(),
        references=(),
        untried=(),
        not_checked=(),
        good_on_training=False,
        good_on_testing=False,
        stopped_because="the budget is spent",
    )


def numbers_run():
    """A regression on a table of the user's, without remedies: good at once."""
    arms = (make_arm("as it is", top=0.91), make_arm("final", question="final", top=0.91))
    return make_run(
        metric="r2",
        arms=arms,
        verdicts=(),
        findings=(),
        answers=(make_answer(good=True, score=0.93), make_answer("testing", good=True, score=0.9)),
        data=make_data(task="numbers", labels=(), kind="table", columns=(("age", "number", ""),)),
        test=make_test(metric="r2", others=(("root mean squared error", 31250.4),)),
    )


RUNS = {
    "patient": make_run,
    "hostile": hostile_run,
    "endless": endless_run,
    "bare": bare_run,
    "numbers": numbers_run,
    "diverged": lambda: make_run(arms=(make_arm("as it is", diverged=True),)),
}


@pytest.fixture(params=RUNS)
def any_run(request):
    return RUNS[request.param]()


@pytest.fixture(scope="session", params=RUNS)
def any_page(request):
    return render(RUNS[request.param]())


@pytest.fixture
def patient():
    return make_run()


@pytest.fixture
def report():
    """The makers of this file, for tests that need a run of their own."""
    return sys.modules[__name__]
