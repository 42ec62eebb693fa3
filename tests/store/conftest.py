"""A small trained network with its record, made without the procedure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from goodfit.data.preparation import Preparation
from goodfit.data.task import Task
from goodfit.engine.history import Harness
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes
from goodfit.procedure.fitted import Fitted, Predictor
from goodfit.procedure.run import DataSummary, Run


def make_run(**changes):
    data = DataSummary(
        name="pets",
        kind="table",
        num_train=60,
        num_validation=20,
        num_test=20,
        target="pet",
        task="classes",
        labels=(("cat", 30), ("dog", 30)),
        columns=(("weight", "number", ""),),
        num_inputs=1,
        notes=(),
    )
    values = {
        "goodfit": "0.1.0",
        "versions": (("torch", torch.__version__),),
        "machine": "any",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "goodfit fit pets.csv",
        "seed": 0,
        "data": data,
        "metric": "accuracy",
        "plan": (("network", "1-8-2 relu"),),
        "treated_plan": (("network", "1-8-2 relu"),),
        "references": (),
        "harness": Harness(
            initial_loss=0.7,
            expected_loss=None,
            one_batch_rows=16,
            one_batch_score=1.0,
            one_batch_steps=200,
            input_std_min=0.5,
            input_std_max=0.5,
            input_abs_max=1.0,
            num_constant_inputs=0,
            num_nonfinite_inputs=0,
            num_repeated_rows=0,
            num_validation_rows=20,
            majority_share=0.5,
            sample_leak=None,
            unused_parameters=(),
        ),
        "answers": (),
        "findings": (),
        "verdicts": (),
        "untried": (),
        "not_checked": (),
        "arms": (),
        "test": None,
        "good_on_training": True,
        "good_on_testing": False,
        "stopped_because": "the budget is spent",
        "budget_seconds": None,
        "num_trainings": 2,
        "seconds": 1.5,
    }
    return Run(**(values | changes))


def make_table(num_rows=100):
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "weight": draw.normal(5, 2, num_rows),
            "colour": draw.choice(["black", "white", "tabby"], num_rows),
            "born": pd.date_range("2020-01-01", periods=num_rows).astype(str),
        }
    )


def make_fitted(*, network=None, num_members=2):
    table = make_table()
    preparation = Preparation.fit(table, np.arange(60))
    network = network or MLP(widths=(8,))
    sizes = Sizes(
        inputs=preparation.input_shape("scaled"), cardinalities=preparation.cardinalities, outputs=2
    )
    torch.manual_seed(1)
    weights = tuple(network.build(sizes).state_dict() for _ in range(num_members))
    predictor = Predictor(
        network=network,
        sizes=sizes,
        inputs="scaled",
        link="softmax",
        weights=weights,
        preparation=preparation,
        task=Task(kind="classes", target="pet", labels=("cat", "dog")),
    )
    return Fitted(run=make_run(), predictor=predictor)


@pytest.fixture
def table():
    return make_table()


@pytest.fixture
def fitted():
    return make_fitted()


@pytest.fixture
def make():
    return make_fitted
