"""A trial compares arms of the same seeds, and says what was shown."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_iris

from goodfit.data.sources import load
from goodfit.data.synthetic import digits_split
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.evidence import trial as trial_module
from goodfit.evidence.arms import CONTROL, TrainedArm, train_arms
from goodfit.evidence.judging import holm, judge
from goodfit.evidence.statistics import paired_effect
from goodfit.evidence.trial import try_out
from goodfit.nets.mlp import MLP
from goodfit.recipe.order import RECIPE
from goodfit.recipe.remedy import Remedy, Treatment
from goodfit.rules.base import rule_named

BY_CODE = {remedy.code: remedy for remedy in RECIPE}
SEEDS = (4, 1, 7)
PLAN = Plan(
    network=MLP(widths=(8,)),
    loss=Loss(name="cross-entropy", kind="classes", num_outputs=3),
    rule=rule_named("adam", lr=0.01),
    epochs=4,
    batch_size=16,
)
NOTHING = Remedy(code="nothing", question="training", sentence="do nothing", edit=lambda plan, dose: plan)


@pytest.fixture(scope="module")
def split():
    x_ND, y_N = load_iris(return_X_y=True)
    return load(x_ND, y_N)


@pytest.fixture(scope="module")
def control(split):
    (arm,) = train_arms([(CONTROL, PLAN)], split, seeds=SEEDS)
    return arm


def treatment_of(code, plan=PLAN, *, dose=None):
    remedy = BY_CODE[code]
    dose = remedy.doses[0] if dose is None else dose
    return Treatment(remedy=remedy, dose=dose, plan=remedy.treat(plan, dose))


@pytest.fixture(scope="module")
def trial(split, control):
    treatments = [treatment_of("lr-up"), treatment_of("ensemble"), treatment_of("lr-down", dose=0.1)]
    return try_out(treatments, control, split, question="testing", round=3)


def with_predictions(arm, predicted_SNO):
    """The arm, its members replaced by ones that predict this on validation rows."""
    members = tuple(
        dataclasses.replace(member, predicted_NO=predicted_NO)
        for member, predicted_NO in zip(arm.members, predicted_SNO, strict=True)
    )
    return dataclasses.replace(arm, members=members)


class TestArms:
    def test_an_arm_holds_one_member_a_seed_in_their_order(self, split):
        treated = treatment_of("lr-up").plan
        arms = train_arms([(CONTROL, PLAN), ("lr-up 3", treated)], split, seeds=SEEDS)
        assert [arm.name for arm in arms] == [CONTROL, "lr-up 3"]
        for arm, plan in zip(arms, (PLAN, treated), strict=True):
            assert arm.plan == plan
            assert [member.candidate.seed for member in arm.members] == list(SEEDS)
            assert {member.candidate.plan for member in arm.members} == {plan}
            assert [history.arm for history in arm.histories] == [arm.name] * 3

    def test_control_and_treated_start_from_the_same_networks(self, trial):
        for arm in trial.arms:
            seeds = [member.candidate.seed for member in arm.members]
            assert seeds == list(SEEDS)
            for before, after in zip(trial.control.histories, arm.histories, strict=True):
                assert after.train_loss[0] == pytest.approx(before.train_loss[0], rel=1e-5)

    def test_an_arm_costs_the_sum_of_its_members(self, control):
        assert control.seconds == pytest.approx(sum(history.seconds for history in control.histories))
        assert control.seconds > 0

    def test_scores_are_right_and_wrong_rows_of_the_part_that_is_asked_for(self, split, control):
        for question, part in (("training", "train"), ("testing", "validation")):
            scores_SN = control.scores_SN(question)
            assert scores_SN.shape == (3, len(split.rows(part)))
            assert set(np.unique(scores_SN)) <= {0.0, 1.0}
            for scores_N, history in zip(scores_SN, control.histories, strict=True):
                curve = history.train_score if question == "training" else history.validation_score
                assert scores_N.mean() == pytest.approx(curve[-1], abs=1e-6)

    def test_what_diverged_scores_as_a_blind_guess(self, control):
        scores_N = np.array([np.nan, -np.inf, 0.5])
        members = [replace(member, validation_scores_N=scores_N) for member in control.members]
        arm = TrainedArm(name="sick", plan=PLAN, members=tuple(members))
        assert arm.scores_SN("testing")[0].tolist() == [0.0, -1e3, 0.5]


class TestEnsemble:
    def test_a_vote_is_that_of_all_others(self, split, control):
        """Three seeds see two rows: what each vote says is worked out by hand."""
        y_N = split.rows("validation").y_N[:2].numpy()
        right_N3 = np.eye(3)[y_N]
        wrong_N3 = np.roll(right_N3, 1, axis=1)
        sure, unsure, mistaken = 0.9 * right_N3, 0.2 * right_N3, 0.5 * wrong_N3
        arm = with_predictions(control, [sure, unsure, mistaken])

        class TwoRows:
            task = split.task

            def rows(self, part):
                return dataclasses.replace(split.rows(part), y_N=split.rows(part).y_N[:2])

        # without the first 0.2 right against 0.5 wrong; without the second 0.9 against 0.5; without the
        # third nothing wrong is left
        votes_SN = arm.ensemble_scores_SN("testing", TwoRows())
        assert votes_SN.tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]

    @pytest.mark.parametrize("question", ["training", "testing"])
    def test_the_votes_of_a_real_arm_leave_their_own_seed_out(self, split, control, question):
        is_training = question == "training"
        predicted_SNO = [m.predicted_train_NO if is_training else m.predicted_NO for m in control.members]
        y_N = control.members[0].train_y_N if is_training else split.rows("validation").y_N.numpy()
        votes_SN = control.ensemble_scores_SN(question, split)
        for seed, votes_N in enumerate(votes_SN):
            others_NO = np.mean([p for s, p in enumerate(predicted_SNO) if s != seed], axis=0)
            assert np.array_equal(votes_N, others_NO.argmax(1) == y_N)

    def test_a_member_that_diverged_does_not_spoil_the_vote_without_it(self, split, control):
        predicted_SNO = [member.predicted_NO for member in control.members]
        sick = with_predictions(control, [np.full_like(predicted_SNO[0], np.nan), *predicted_SNO[1:]])
        healthy_SN = control.ensemble_scores_SN("testing", split)
        assert np.array_equal(sick.ensemble_scores_SN("testing", split)[0], healthy_SN[0])

    def test_a_vote_is_judged_beside_the_control_and_costs_nothing(self, split, trial):
        verdict = trial.verdicts[1]
        votes_SN = trial.control.ensemble_scores_SN("testing", split)
        effect, p_value = paired_effect(trial.control.scores_SN("testing"), votes_SN)
        assert (verdict.effect, verdict.p_value) == (effect, p_value)
        assert verdict.treated == pytest.approx(votes_SN.mean())
        assert verdict.seconds == 0.0
        assert trial.arms[1].members == trial.control.members
        assert trial.arms[1].plan.ensemble


class TestVerdicts:
    def test_each_field_follows_from_the_arms(self, split, trial):
        before_SN = trial.control.scores_SN("testing")
        adjusted = holm([verdict.p_value for verdict in trial.verdicts])
        for place in (0, 2):
            arm, treatment, verdict = trial.arms[place], trial.treatments[place], trial.verdicts[place]
            after_SN = arm.scores_SN("testing")
            effect, p_value = paired_effect(before_SN, after_SN)
            assert (verdict.effect, verdict.p_value) == (effect, p_value)
            assert verdict.p_adjusted == adjusted[place]
            assert verdict.outcome == judge(effect, adjusted[place])
            assert verdict.control == pytest.approx(before_SN.mean())
            assert verdict.treated == pytest.approx(after_SN.mean())
            assert verdict.effect.value == pytest.approx(verdict.treated - verdict.control)
            assert (verdict.num_seeds, verdict.num_rows) == (3, len(split.rows("validation")))
            assert verdict.seconds == arm.seconds
            assert verdict.sentence == treatment.remedy.say(treatment.dose)
            assert (verdict.epochs, verdict.round, verdict.kept) == (4, 3, False)
        assert [verdict.remedy for verdict in trial.verdicts] == ["lr-up", "ensemble", "lr-down"]
        assert [arm.name for arm in trial.arms] == ["lr-up 3", "ensemble", "lr-down 0.1"]

    @pytest.mark.parametrize(
        ("question", "metric"), [("training", "training accuracy"), ("testing", "validation accuracy")]
    )
    def test_the_question_decides_the_rows(self, split, control, question, metric):
        treatment = Treatment(remedy=NOTHING, dose=0.0, plan=PLAN)
        (verdict,) = try_out([treatment], control, split, question=question, round=1).verdicts
        part = "train" if question == "training" else "validation"
        assert (verdict.question, verdict.metric) == (question, metric)
        assert verdict.num_rows == len(split.rows(part))

    @pytest.mark.parametrize("question", ["training", "testing"])
    def test_a_remedy_that_changes_nothing_is_not_shown_to_help(self, split, control, question):
        treatment = Treatment(remedy=NOTHING, dose=0.0, plan=PLAN)
        (verdict,) = try_out([treatment], control, split, question=question, round=1).verdicts
        assert verdict.outcome == "not shown"
        assert (verdict.effect.value, verdict.p_value) == (0.0, 1.0)
        assert verdict.control == verdict.treated

    def test_a_difference_in_the_seventh_digit_is_none_however_sure(self, split, control, monkeypatch):
        def almost_the_same(plans, split, **_):
            rows = control.members
            return [
                dataclasses.replace(
                    control,
                    name=name,
                    plan=plan,
                    members=tuple(
                        dataclasses.replace(member, train_scores_N=member.train_scores_N.astype(float) + 1e-7)
                        for member in rows
                    ),
                )
                for name, plan in plans
            ]

        monkeypatch.setattr(trial_module, "train_arms", almost_the_same)
        treatment = treatment_of("lr-down", dose=0.1)
        (verdict,) = try_out([treatment], control, split, question="training", round=1).verdicts
        assert verdict.p_adjusted < 0.05
        assert verdict.effect.value == pytest.approx(1e-7, rel=0.5)
        assert verdict.outcome == "not shown"

    def test_treatments_tried_before_make_the_correction_stronger(self, split, control):
        treatment = treatment_of("lr-down", dose=0.1)
        for tried in (0, 9):
            trial = try_out([treatment], control, split, question="training", round=1, tried=tried)
            (verdict,) = trial.verdicts
            assert verdict.p_adjusted == pytest.approx(min(1.0, (1 + tried) * verdict.p_value))
        assert verdict.p_value < 0.1

    def test_no_treatments_make_an_empty_trial(self, split, control):
        trial = try_out([], control, split, question="training", round=1)
        assert (trial.arms, trial.verdicts) == ((), ())


def test_a_deep_sigmoid_network_is_helped_by_relu_and_harmed_by_almost_no_rate():
    """Six sigmoid layers and gradient descent: the first layers get no gradient, and it stays at guessing."""
    split = digits_split(0)
    sick = Plan(
        network=MLP(widths=(32,) * 6, activation="sigmoid"),
        loss=Loss(name="cross-entropy", kind="classes", num_outputs=10),
        rule=rule_named("gradient-descent", lr=0.1),
        epochs=8,
        batch_size=32,
    )
    (control,) = train_arms([(CONTROL, sick)], split, seeds=range(4))
    assert control.scores_SN("training").mean() < 0.2
    relu = treatment_of("relu", sick)
    assert relu.plan.network == MLP(widths=(32,) * 6, activation="relu", initialisation="he")
    first = try_out([relu, treatment_of("lr-down", sick)], control, split, question="training", round=1)
    helped, idle = first.verdicts
    assert helped.outcome == "helped"
    assert helped.treated > 0.85
    assert helped.effect.low > 0.5
    assert helped.p_adjusted < 0.01
    assert idle.outcome == "not shown"
    almost_none = Treatment(
        remedy=BY_CODE["lr-down"], dose=1e-4, plan=BY_CODE["lr-down"].treat(relu.plan, 1e-4)
    )
    (harmed,) = try_out([almost_none], first.arms[0], split, question="training", round=2).verdicts
    assert harmed.outcome == "harmed"
    assert harmed.effect.high < 0


def diverged_at(arm, places):
    """An arm whose seeds at some places diverged: they are right on no row."""
    members = tuple(
        replace(
            member,
            validation_scores_N=np.zeros_like(member.validation_scores_N),
            history=replace(member.history, ending="diverged"),
        )
        if place in places
        else member
        for place, member in enumerate(arm.members)
    )
    return replace(arm, members=members)


@pytest.mark.parametrize(
    ("control_at", "treated_at", "is_harm"),
    [
        pytest.param({3}, {3}, False, id="the seed diverges with and without it"),
        pytest.param({3}, set(), False, id="without it alone"),
        pytest.param(set(), {3}, True, id="with it alone"),
        pytest.param({2}, {3}, True, id="each in another seed"),
    ],
)
def test_a_seed_counts_against_a_treatment_only_if_it_diverges_with_it_alone(
    split, monkeypatch, control_at, treated_at, is_harm
):
    (four,) = train_arms([(CONTROL, PLAN)], split, seeds=range(4))
    treated = replace(diverged_at(four, treated_at), name="lr-up 3")
    monkeypatch.setattr("goodfit.evidence.trial.train_arms", lambda *args, **means: (treated,))
    trial = try_out(
        [treatment_of("lr-up")], diverged_at(four, control_at), split, question="testing", round=1
    )
    effect = trial.verdicts[0].effect.value
    assert effect < -0.1 if is_harm else abs(effect) < 0.1
