"""In heats, arms that cannot win leave after one seed, and nothing is proven by leaving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from goodfit.data.synthetic import digits_split
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import CONTROL, train_arms
from goodfit.evidence.heats import (
    BEATEN,
    DEAR,
    MOST_ON,
    relative_cost,
    too_dear,
    train_in_heats,
    who_goes_on,
)
from goodfit.evidence.judging import holm
from goodfit.evidence.statistics import paired_effect
from goodfit.evidence.trial import try_out
from goodfit.nets.mlp import MLP
from goodfit.recipe.order import RECIPE
from goodfit.recipe.remedy import Treatment
from goodfit.rules.base import rule_named

BY_CODE = {remedy.code: remedy for remedy in RECIPE}
PLAN = Plan(
    network=MLP(widths=(16,)),
    loss=Loss(name="cross-entropy", kind="classes", num_outputs=10),
    rule=rule_named("gradient-descent", lr=0.02),
    epochs=2,
    batch_size=32,
)
CODES = ("lr-down", "adam", "lr-up", "momentum", "clip", "adagrad")


def treatment_of(code):
    remedy = BY_CODE[code]
    return Treatment(remedy=remedy, dose=remedy.doses[0], plan=remedy.treat(PLAN, remedy.doses[0]))


@pytest.fixture(scope="module")
def split():
    return digits_split(0)


@pytest.fixture(scope="module")
def control(split):
    return train_arms([(CONTROL, PLAN)], split, seeds=(3, 1, 2))[0]


@pytest.fixture(scope="module")
def trials(split, control):
    treatments = [treatment_of(code) for code in CODES]
    whole, in_heats = (
        try_out(treatments, control, split, question="training", round=1, in_heats=heats)
        for heats in (False, True)
    )
    return whole, in_heats


def test_some_leave_after_one_seed_and_the_others_run_with_all(trials):
    _, in_heats = trials
    sizes = [len(arm.members) for arm in in_heats.arms]
    assert {1, 3} <= set(sizes) <= {1, 2, 3}
    assert 1 <= sizes.count(3) <= MOST_ON[1]
    assert sizes.count(2) + sizes.count(3) <= MOST_ON[0]
    assert [verdict.num_seeds for verdict in in_heats.verdicts] == sizes


def test_who_goes_on_gets_the_numbers_of_the_whole_trial(trials):
    whole, in_heats = trials
    for before, after in zip(whole.arms, in_heats.arms, strict=True):
        assert [m.candidate.seed for m in after.members] == [3, 1, 2][: len(after.members)]
        for member, twin in zip(after.members, before.members, strict=False):
            assert np.array_equal(member.train_scores_N, twin.train_scores_N)


def test_the_best_arm_of_the_whole_trial_is_still_there(trials):
    whole, in_heats = trials
    best = max(range(len(CODES)), key=lambda place: whole.verdicts[place].treated)
    assert in_heats.verdicts[best].num_seeds == 3
    assert in_heats.verdicts[best].outcome == "helped"


def test_who_left_is_neither_shown_to_help_nor_to_harm(trials):
    _, in_heats = trials
    left = [verdict for verdict in in_heats.verdicts if verdict.num_seeds < 3]
    assert left
    assert {verdict.outcome for verdict in left} == {"not shown"}
    assert {verdict.p_adjusted for verdict in left} == {1.0}


def test_who_left_still_counts_in_the_correction(trials):
    whole, in_heats = trials
    for before, after in zip(whole.verdicts, in_heats.verdicts, strict=True):
        if after.num_seeds == 3:
            assert after.p_value == before.p_value
            assert after.p_adjusted >= before.p_adjusted


def arm_like(control, rows_N, name="arm"):
    members = tuple(dataclasses.replace(member, train_scores_N=rows_N) for member in control.members[:1])
    return dataclasses.replace(control, name=name, members=members)


def test_an_arm_leaves_that_the_control_or_the_best_arm_beats_beyond_the_chance_of_its_rows(control):
    right_of_400 = {"control": 200, "best": 320, "near": 318, "beaten": 240, "harmed": 100}
    arms = {name: arm_like(control, (np.arange(400) < n).astype(float)) for name, n in right_of_400.items()}
    rivals = list(arms.values())[1:]
    assert who_goes_on(rivals, arms["control"], "training", most=4) == [0, 1]
    assert who_goes_on(rivals, arms["control"], "training", most=4, among=[1, 2]) == [1]
    assert who_goes_on(rivals[3:], arms["control"], "training", most=4) == []
    assert who_goes_on(rivals[2:], arms["control"], "training", most=4) == [0]


def test_the_best_that_is_not_too_dear_stays_though_a_dear_one_beats_it(control):
    cheap, dear, poor = (
        with_seconds(arm_like(control, (np.arange(4000) < right).astype(float)), seconds)
        for right, seconds in ((3900, 1.0), (3990, 9.0), (3000, 1.0))
    )
    untreated = arm_like(control, np.zeros(4000))
    assert who_goes_on([cheap, dear, poor], untreated, "training", most=4) == [0]


def with_seconds(arm, seconds):
    (member,) = arm.members
    timed = dataclasses.replace(member, history=dataclasses.replace(member.history, seconds=seconds))
    return dataclasses.replace(arm, members=(timed,))


def test_of_many_equals_a_few_go_on_in_the_order_given(control):
    arms = [arm_like(control, (np.arange(400) < 300 + i % 2).astype(float)) for i in range(8)]
    going_on = who_goes_on(arms, arm_like(control, np.zeros(400)), "training", most=3)
    assert going_on == [1, 3, 5]


def test_of_two_arms_of_nearly_one_effect_the_much_slower_leaves():
    assert too_dear([0.50, 0.49], [DEAR * 1.1, 1.0]) == [0]
    assert too_dear([0.50, 0.49], [DEAR * 0.9, 1.0]) == []
    assert too_dear([0.50, 0.40], [DEAR * 1.1, 1.0]) == []


def test_none_is_too_dear_where_none_helps():
    assert too_dear([-0.1, -0.2], [9.0, 1.0]) == []
    assert too_dear([], []) == []


def test_what_costs_nothing_is_not_dear():
    assert too_dear([0.5], [0.0]) == []


@pytest.mark.parametrize("num_arms", [1, 3, 4, 12])
@pytest.mark.parametrize("num_seeds", [2, 4, 8])
def test_the_cost_is_one_seed_for_all_and_the_others_for_a_few(num_arms, num_seeds):
    to_the_second, to_all = (min(num_arms, most) for most in MOST_ON)
    trainings = num_arms + to_the_second + to_all * (num_seeds - 2)
    assert relative_cost(num_arms, num_seeds=num_seeds) * num_arms * num_seeds == pytest.approx(trainings)


def test_what_an_arm_trained_before_it_left_is_not_trained_again(split, control, trials, monkeypatch):
    whole, in_heats = trials
    left = [place for place, arm in enumerate(in_heats.arms) if len(arm.members) < 3][: MOST_ON[1]]
    begun = [in_heats.arms[place] for place in left]
    untreated = dataclasses.replace(
        control,
        members=tuple(
            dataclasses.replace(m, train_scores_N=np.zeros_like(m.train_scores_N)) for m in control.members
        ),
    )
    seeds_of = {}
    original = train_arms

    def train(plans, split, *, seeds, **means):
        for name, _ in plans:
            seeds_of.setdefault(name, []).extend(seeds)
        return original(plans, split, seeds=seeds, **means)

    monkeypatch.setattr("goodfit.evidence.heats.train_arms", train)
    plans = [(arm.name, arm.plan) for arm in begun]
    arms = train_in_heats(plans, untreated, split, question="training", begun=begun)
    for arm, before, place in zip(arms, begun, left, strict=True):
        trained = seeds_of.get(arm.name, [])
        assert trained == [3, 1, 2][len(before.members) : len(arm.members)]
        assert [m.candidate.seed for m in arm.members] == [3, 1, 2][: len(arm.members)]
        for member, twin in zip(arm.members, whole.arms[place].members, strict=False):
            assert np.array_equal(member.train_scores_N, twin.train_scores_N)
    assert max(len(arm.members) for arm in arms) == 3


def test_progress_goes_from_nothing_to_all_without_turning_back(split, control):
    told = []
    plans = [(code, treatment_of(code).plan) for code in CODES]
    train_in_heats(plans, control, split, question="training", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_without_any_effect_a_trial_in_heats_shows_none_more_often_than_it_may():
    """Six arms that differ from the control by seeds and rows alone, 400 times over."""
    stream = np.random.default_rng(0)
    shown = 0
    for _ in range(400):
        row_N = 0.9 + 0.1 * stream.normal(size=300)
        scores_ASN = row_N + 0.02 * stream.normal(size=(7, 4, 1)) + 0.2 * stream.normal(size=(7, 4, 300))
        shown += _shows_an_effect(scores_ASN)
    assert shown / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def _shows_an_effect(scores_ASN):
    control_SN, *arms = scores_ASN
    staying = list(range(len(arms)))
    for seeds, most in zip((1, 2), MOST_ON, strict=True):
        part = {place: arms[place][:seeds] for place in staying}
        best_first = sorted(staying, key=lambda place: -part[place].mean())
        rivals = (control_SN[:seeds], part[best_first[0]])
        staying = [p for p in best_first if not any(_beats(rival, part[p]) for rival in rivals)][:most]
        if not staying:
            return False
    p_values = [paired_effect(control_SN, arms[place])[1] for place in staying]
    adjusted = holm([*p_values, *[1.0] * (len(arms) - len(staying))])
    return any(p <= 0.05 for p in adjusted[: len(staying)])


def _beats(rival_SN, scores_SN):
    effect, p_value = paired_effect(scores_SN, rival_SN)
    return effect.value > 0 and p_value < BEATEN


def test_of_arms_that_reach_the_bar_those_best_on_validation_rows_go_on(control):
    def arm(trained, validated):
        (member,) = arm_like(control, (np.arange(1000) < trained).astype(float)).members
        rows_N = (np.arange(1000) < validated).astype(float)
        members = (dataclasses.replace(member, validation_scores_N=rows_N),)
        return dataclasses.replace(control, name="arm", members=members)

    untreated = arm(995, 900)
    arms = [arm(999, 910), arm(992, 960), arm(993, 950), arm(900, 990)]
    assert who_goes_on(arms, untreated, "training", most=2, bar=0.99) == [1, 2]
    assert who_goes_on(arms, untreated, "training", most=2) == [0, 2]
