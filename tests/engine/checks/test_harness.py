"""Every field of the harness on a planted case and on its healthy twin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from torch import nn

from goodfit.data.split import Rows
from goodfit.diagnosis.before import findings
from goodfit.diagnosis.unchecked import before_training
from goodfit.engine.checks.harness import ONE_BATCH_ROWS, ONE_BATCH_STEPS, check_harness
from goodfit.engine.goodness.losses import Loss
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP

NUMBERS = Loss(name="squared", kind="numbers", num_outputs=1)


class Planted(nn.Module):
    """One linear layer behind whatever ``before`` does to the batch."""

    def __init__(self, inputs, outputs, *, before=lambda x: x, scale=1.0):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.before, self.scale = before, scale

    def forward(self, x):
        return self.scale * self.linear(self.before(x))


class Forgetful(nn.Module):
    """A layer that is made and never used."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.used = nn.Linear(inputs, outputs)
        self.forgotten = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.used(x)


def harness_of(module=None, *, split=None, **changes):
    if module is not None:
        changes["network"] = Given(factory=module)
    return check_harness(make_plan(**changes), split or make_split())


def planted(**settings):
    return lambda inputs, outputs: Planted(inputs, outputs, **settings)


def with_inputs(split, change):
    x_ND = split.train.x.clone()
    change(x_ND)
    return replace(split, train=Rows(x=x_ND, codes_NC=split.train.codes_NC, y_N=split.train.y_N))


class TestStart:
    @pytest.mark.parametrize("num_classes", [2, 3, 10])
    def test_a_fresh_network_has_about_the_loss_of_knowing_nothing(self, num_classes):
        loss = Loss(name="cross-entropy", kind="classes", num_outputs=num_classes)
        harness = harness_of(split=make_split(num_classes=num_classes), loss=loss)
        assert harness.expected_loss == pytest.approx(math.log(num_classes))
        assert harness.initial_loss == pytest.approx(harness.expected_loss, rel=0.15)

    def test_a_network_with_huge_scores_starts_far_above_it(self):
        harness = harness_of(planted(scale=100.0))
        assert harness.initial_loss > 10 * harness.expected_loss

    def test_a_loss_beyond_all_numbers_is_none(self):
        harness = harness_of(planted(scale=1e30), loss=NUMBERS, split=make_split(numbers=True))
        assert harness.initial_loss is None

    def test_it_is_the_mean_over_three_fresh_networks(self):
        torch.manual_seed(0)
        harness = harness_of(network=MLP(widths=(7, 6)))
        again = harness_of(network=MLP(widths=(7, 6)))
        assert harness.initial_loss == again.initial_loss


class TestOneBatch:
    def test_a_healthy_network_learns_it_by_heart(self):
        harness = harness_of(network=MLP(widths=(32,)), lr=0.02)
        assert harness.one_batch_rows == ONE_BATCH_ROWS
        assert harness.one_batch_score == 1.0
        assert harness.one_batch_steps < ONE_BATCH_STEPS  # learnt before: more would tell nothing

    def test_one_that_does_not_has_all_steps_unless_the_time_is_over(self):
        dull = {"network": MLP(widths=(32,)), "lr": 1e-9}
        harness = harness_of(**dull)
        assert harness.one_batch_steps == ONE_BATCH_STEPS
        assert harness.one_batch_score < 0.9
        hurried = check_harness(make_plan(**dull), make_split(), seconds=0.0)
        assert 0 < hurried.one_batch_steps < ONE_BATCH_STEPS
        assert hurried.one_batch_score is None
        assert "time was over" in before_training(hurried)["GF002 one-batch-not-learnt"]
        assert not any(found.code == "GF002" for found in findings(hurried))

    def test_a_network_that_does_not_see_its_inputs_gets_no_further_than_one_class(self):
        harness = harness_of(planted(before=torch.zeros_like), lr=0.02)
        assert 1 / 3 <= harness.one_batch_score < 0.8

    def test_a_rate_of_zero_learns_nothing(self):
        harness = harness_of(network=MLP(widths=(32,)), lr=0.0)
        assert harness.one_batch_score < 0.8

    def test_numbers_are_scored_by_r_squared(self):
        split = make_split(numbers=True)
        assert (
            harness_of(split=split, loss=NUMBERS, network=MLP(widths=(32,)), lr=0.02).one_batch_score > 0.95
        )
        blind = harness_of(planted(before=torch.zeros_like), split=split, loss=NUMBERS, lr=0.02)
        assert blind.one_batch_score == pytest.approx(0, abs=0.05)

    def test_a_divergence_is_a_score_of_nothing_learnt(self):
        split = make_split(numbers=True)
        harness = harness_of(planted(), split=split, loss=NUMBERS, rule="gradient-descent", lr=1e6)
        assert harness.one_batch_score <= 0

    def test_a_part_smaller_than_a_batch_is_taken_whole(self):
        assert harness_of(split=make_split(num_train=9)).one_batch_rows == 9


class TestInputs:
    def test_scales_are_those_of_the_training_rows(self):
        def change(x_ND):
            x_ND[:, 1] *= 1000
            x_ND[:, 3] *= 0.001

        split = with_inputs(make_split(), change)
        harness, std_D = harness_of(split=split), split.train.x.std(0, unbiased=False)
        assert harness.input_std_min == pytest.approx(float(std_D[3]))
        assert harness.input_std_max == pytest.approx(float(std_D[1]))
        assert harness.input_abs_max == pytest.approx(float(split.train.x.abs().max()))
        assert (harness.num_constant_inputs, harness.num_nonfinite_inputs) == (0, 0)

    @pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
    def test_inputs_that_never_change_are_counted_and_have_no_scale(self, value):
        def change(x_ND):
            x_ND[:, [0, 4]] = value

        split = with_inputs(make_split(num_train=300), change)
        harness = harness_of(split=split)
        assert harness.num_constant_inputs == 2
        std_D = split.train.x[:, 1:4].std(0, unbiased=False)
        assert harness.input_std_min == pytest.approx(float(std_D.min()))

    def test_without_a_varying_input_there_is_no_scale(self):
        harness = harness_of(split=with_inputs(make_split(), lambda x_ND: x_ND.fill_(0.3)))
        assert (harness.input_std_min, harness.input_std_max) == (None, None)
        assert harness.num_constant_inputs == 5

    def test_values_that_are_no_numbers_are_counted_and_left_out(self):
        def change(x_ND):
            x_ND[0, 0], x_ND[5, 2], x_ND[6, 2] = math.nan, math.inf, -math.inf

        harness = harness_of(split=with_inputs(make_split(), change))
        assert harness.num_nonfinite_inputs == 3
        assert math.isfinite(harness.input_abs_max)
        assert math.isfinite(harness.input_std_max)


class TestRepeatedRows:
    def copied(self, split, count):
        x_ND, codes = split.validation.x.clone(), split.validation.codes_NC
        x_ND[:count] = split.train.x[:count]
        if codes is not None:
            codes = codes.clone()
            codes[:count] = split.train.codes_NC[:count]
        return replace(split, validation=Rows(x=x_ND, codes_NC=codes, y_N=split.validation.y_N))

    @pytest.mark.parametrize("cardinalities", [(), (4, 9)], ids=["plain", "codes"])
    @pytest.mark.parametrize("count", [0, 7])
    def test_validation_rows_that_stand_in_training_are_counted(self, count, cardinalities):
        split = self.copied(make_split(cardinalities=cardinalities), count)
        harness = harness_of(split=split)
        assert (harness.num_repeated_rows, harness.num_validation_rows) == (count, 24)

    def test_rows_that_differ_in_their_codes_are_not_repeated(self):
        split = self.copied(make_split(cardinalities=(4, 9)), 7)
        split.validation.codes_NC[:2, 1] = (split.validation.codes_NC[:2, 1] + 1) % 9
        assert harness_of(split=split).num_repeated_rows == 5


class TestMajority:
    def test_it_is_the_share_of_the_most_frequent_class(self):
        split = make_split()
        counts = np.bincount(split.train.y_N.numpy())
        assert harness_of(split=split).majority_share == pytest.approx(counts.max() / 48)

    def test_numbers_have_none(self):
        assert harness_of(split=make_split(numbers=True), loss=NUMBERS).majority_share is None


class TestSampleLeak:
    def test_samples_that_do_not_see_each_other_leak_nothing(self):
        assert harness_of(planted()).sample_leak == 0

    def test_batch_normalisation_leaks_nothing_in_evaluation_mode(self):
        assert harness_of(network=MLP(widths=(7,), normalisation="batch")).sample_leak == 0

    def test_subtracting_the_batch_mean_leaks_a_seventh(self):
        """Of 8 rows, the own one has weight 7/8 and each other one 1/8."""
        harness = harness_of(planted(before=lambda x: x - x.mean(0)))
        assert harness.sample_leak == pytest.approx(1 / 7, rel=1e-4)

    @pytest.mark.parametrize("before", [lambda x: x.cumsum(0), lambda x: x.flip(0).cumsum(0).flip(0)])
    def test_a_row_that_sees_only_those_on_one_side_is_noticed(self, before):
        assert harness_of(planted(before=before)).sample_leak == pytest.approx(1, rel=1e-4)

    def test_a_row_that_sees_others_only_leaks_without_end(self):
        assert harness_of(planted(before=lambda x: x.roll(1, 0))).sample_leak == pytest.approx(1e6, rel=1e-4)

    def test_without_any_gradient_for_the_inputs_nothing_can_be_said(self):
        assert harness_of(planted(before=torch.zeros_like)).sample_leak is None


class TestUnusedParameters:
    def test_those_that_the_loss_does_not_depend_on_are_named(self):
        assert harness_of(Forgetful).unused_parameters == ("forgotten.weight", "forgotten.bias")

    def test_a_network_that_uses_all_has_none(self):
        assert harness_of(network=MLP(widths=(7,), activation="prelu")).unused_parameters == ()

    def test_frozen_parameters_are_not_expected_to_learn(self):
        def frozen(inputs, outputs):
            module = Forgetful(inputs, outputs)
            return module.requires_grad_(False) and module.used.requires_grad_() and module

        assert harness_of(frozen).unused_parameters == ()


def test_the_network_that_is_trained_later_is_not_changed_by_the_checks():
    split, plan = make_split(), make_plan()
    before = split.train.x.clone()
    assert check_harness(plan, split) == check_harness(plan, split)
    assert torch.equal(split.train.x, before)


def test_a_short_time_holds_no_checks_that_train_networks_or_trees(monkeypatch):
    def training(*_, **__):
        raise AssertionError("something was trained")

    for name in ("_learn_one_batch", "input_signal", "parts_apart"):
        monkeypatch.setattr(f"goodfit.engine.checks.harness.{name}", training)
    plan, split = make_plan(), make_split()
    short = check_harness(plan, split, is_short=True)
    monkeypatch.undo()
    whole = check_harness(plan, split)
    left_out = {
        "one_batch_steps": 0,
        "one_batch_score": None,
        "twin_layers": (),
        "input_signal": None,
        "parts_apart": None,
    }
    assert short == replace(whole, **left_out)
