"""Curves, guesses and references: each against numbers from a plainer computation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from goodfit.engine.checks.graph import operations
from goodfit.engine.looks import probes
from goodfit.watch.judging.standing import is_guessing, least_lead
from goodfit.watch.notes import layers
from goodfit.watch.notes.comparison import RIDGES, linear_score, neighbours_score, score, truth_of
from goodfit.watch.notes.curve import MOST_BINS, CourseOf
from goodfit.watch.notes.guesses import guess
from goodfit.watch.notes.networks import inputs_of
from goodfit.watch.observation import Comparison


def test_a_curve_of_any_length_keeps_its_mean_and_stays_short():
    numbers = torch.arange(3000, dtype=torch.float64)
    course = CourseOf()
    for number in numbers:
        course.add(number)
    values = course.values()
    assert len(values) <= MOST_BINS
    assert values[0] == numbers[: round(3000 / len(values))].mean() == pytest.approx(3.5)
    assert course.num_values == 3000


def test_a_curve_remembers_where_it_stopped_being_a_number():
    course = CourseOf()
    for number in (1.0, 2.0, float("nan"), 4.0, float("inf")):
        course.add(torch.tensor(number))
    assert course.values() == (1.0, 2.0, 4.0)
    assert course.first_nonfinite == 3


@pytest.mark.parametrize(
    ("function", "candidates"),
    [
        ("mse_loss", np.linspace(-3, 3, 601)),
        ("l1_loss", np.linspace(-3, 3, 601)),
        ("binary_cross_entropy", np.linspace(0.001, 0.999, 999)),
    ],
)
def test_a_guess_is_the_loss_of_the_best_constant(function, candidates):
    generator = np.random.default_rng(0)
    y = generator.normal(size=200) if "cross" not in function else (generator.random(200) < 0.3).astype(float)
    loss = getattr(torch.nn.functional, function)
    target = torch.tensor(y)
    best = min(float(loss(torch.full_like(target, value), target)) for value in candidates)
    assert guess(function, y, is_class_index=False) == pytest.approx(best, abs=2e-4)


def test_the_guess_of_classes_is_their_entropy():
    y = np.array([0, 0, 0, 1])
    scores = torch.log(torch.tensor([0.75, 0.25])).expand(4, 2)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    assert guess("cross_entropy", y, is_class_index=True) == pytest.approx(float(loss))


def test_a_loss_without_a_known_constant_has_no_guess():
    assert guess("kl_div", np.ones(3), is_class_index=False) is None


def test_the_straight_line_is_judged_on_rows_it_has_not_seen():
    generator = np.random.default_rng(1)
    z_ND = generator.normal(size=(40, 3))
    y_NT = z_ND[:, :1] + generator.normal(size=(40, 1))
    scores = []
    for ridge in RIDGES:
        answers = np.zeros_like(y_NT)
        for i in range(40):
            kept = np.arange(40) != i
            kernel = z_ND[kept] @ z_ND[kept].T + 1.0
            dual = np.linalg.solve(kernel + ridge * np.eye(39), y_NT[kept] - y_NT.mean(0))
            answers[i] = (z_ND[i] @ z_ND[kept].T + 1.0) @ dual + y_NT.mean(0)
        scores.append(score(answers, y_NT, task="numbers"))
    assert linear_score(z_ND, y_NT, task="numbers") == pytest.approx(max(scores))


def test_the_nearest_neighbours_are_other_rows():
    z_ND = np.repeat(np.eye(2) * 5, 8, axis=0) + np.random.default_rng(0).normal(size=(16, 2)) * 0.1
    labels_NT = np.repeat(np.eye(2), 8, axis=0)
    alone_NT = np.eye(16)
    assert neighbours_score(z_ND, labels_NT, task="classes") == 1.0
    assert neighbours_score(z_ND, alone_NT, task="classes") == 0.0


@pytest.mark.parametrize(
    ("targets", "num_outputs", "is_index", "task"),
    [
        (np.array([0, 1, 2]), 3, True, "classes"),
        (np.array([[0.0], [1.0]]), 1, False, "classes"),
        (np.eye(3), 3, False, "classes"),
        (np.array([[1.0, 1.0], [0.0, 1.0]]), 2, False, "numbers"),
        (np.array([0.3, 2.0]), 1, False, "numbers"),
        (np.array([0, 5]), 3, True, None),
        (np.array([0.3, 2.0]), 2, False, None),
    ],
)
def test_targets_are_read_as_what_they_are(targets, num_outputs, is_index, task):
    truth = truth_of(targets, num_outputs=num_outputs, is_class_index=is_index)
    assert (truth.task if truth else None) == task


def test_the_scales_of_inputs_leave_rare_indicators_alone():
    generator = np.random.default_rng(0)
    x_ND = generator.normal(size=(200, 3)) * [1.0, 50.0, 1.0]
    x_ND[:, 2] = np.arange(200) == 7
    inputs = inputs_of(x_ND, num_nonfinite=0)
    assert inputs.std_max == pytest.approx(x_ND[:, 1].std())
    assert inputs.std_min == pytest.approx(x_ND[:, 0].std())


def test_operations_end_at_a_layer_with_weights():
    layer = torch.nn.Linear(3, 2)
    a = torch.relu(layer(torch.ones(4, 3)))
    assert operations(torch.log(a / a.sum(1, keepdim=True)).reshape(-1)) == ("log", "div", "relu", "addmm")


def test_rows_fewer_than_columns_take_the_other_way_to_the_same_line():
    generator = np.random.default_rng(2)
    z_ND = generator.normal(size=(40, 60))
    y_NT = z_ND[:, :1] + 0.1 * generator.normal(size=(40, 1))
    kernel_NN = z_ND @ z_ND.T + 1.0
    centred_NT = y_NT - y_NT.mean(0)
    scores = []
    for ridge in RIDGES:
        hat_NN = np.linalg.solve(kernel_NN + ridge * np.eye(40), kernel_NN)
        rest_NT = (centred_NT - hat_NN @ centred_NT) / (1 - np.diag(hat_NN))[:, None]
        scores.append(score(y_NT - rest_NT, y_NT, task="numbers"))
    assert linear_score(z_ND, y_NT, task="numbers") == pytest.approx(max(scores))


@pytest.mark.parametrize(
    ("task", "guess", "best", "least"),
    [("classes", 0.4, 1.0, 0.2), ("classes", 0.8, 0.95, 0.1), ("numbers", 0.0, 0.9, 0.1)],
)
def test_a_network_two_thirds_of_the_way_to_the_references_is_not_behind(task, guess, best, least):
    found = Comparison(
        task=task,
        num_rows=10_000,
        num_answers=10_000,
        network=0.5,
        validation=None,
        num_validation=0,
        guess=guess,
        linear=best,
        neighbours=0.0,
    )
    assert least_lead(found) == pytest.approx(least)


def test_saturation_means_the_same_in_a_script_and_in_a_run():
    assert layers.NEAR_BOUND == probes.NEAR_BOUND


@pytest.mark.parametrize(
    ("mean", "scatter", "is_guess"),
    [(0.98, 0.0, True), (0.96, 0.0, False), (0.96, 0.1, True), (0.9, 0.1, False), (0.9, 10.0, False)],
)
def test_a_loss_within_a_standard_error_of_a_guess_is_one(mean, scatter, is_guess):
    # the last tenth of 400 points is 40 of them: an error of 0.1 / sqrt(40)
    curve = tuple(mean + scatter * (-1) ** i for i in range(400))
    loss = SimpleNamespace(guess=1.0, num_calls=400, curve=curve)
    observation = SimpleNamespace(losses=[loss], optimizers=[None], is_whole=True, comparison=None)
    assert is_guessing(observation) == is_guess
