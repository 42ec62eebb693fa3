"""A trial that has not decided looks again at more seeds, and pays for it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.evidence.test_trial import PLAN, SEEDS, treatment_of

from goodfit.evidence.arms import CONTROL, train_arms
from goodfit.evidence.judging import holm
from goodfit.evidence.statistics import paired_effect, seed_share
from goodfit.evidence.trial import FIRST_SHARE, MAY_HELP, SEEDS_MATTER, look_again, try_out

SAID = ("effect", "p_value", "p_adjusted", "outcome", "num_seeds")


@pytest.fixture(scope="module")
def first(iris):
    (control,) = train_arms([(CONTROL, PLAN)], iris, seeds=SEEDS)
    treatments = [treatment_of("lr-up"), treatment_of("lr-down", dose=0.1), treatment_of("ensemble")]
    return try_out(treatments, control, iris, question="testing", round=2, share=FIRST_SHARE)


def with_verdict(trial, place, **changes):
    verdicts = list(trial.verdicts)
    verdicts[place] = dataclasses.replace(verdicts[place], **changes)
    return dataclasses.replace(trial, verdicts=tuple(verdicts))


@pytest.fixture
def undecided(first):
    """A trial whose first treatment may help: it did in every row, by how much hangs on the seed."""
    control_SN = first.control.scores_SN("testing")
    members = tuple(
        dataclasses.replace(member, validation_scores_N=scores_N + gain)
        for member, scores_N, gain in zip(first.arms[0].members, control_SN, (0.0, 0.1, 0.3), strict=True)
    )
    arms = (dataclasses.replace(first.arms[0], members=members), *first.arms[1:])
    effect, p_value = paired_effect(control_SN, control_SN + np.array([[0.0], [0.1], [0.3]]))
    trial = dataclasses.replace(first, arms=arms)
    for place in (0, 1, 2):
        trial = with_verdict(trial, place, outcome="not shown", p_adjusted=0.9)
    return with_verdict(trial, 0, effect=effect, p_value=p_value, p_adjusted=0.2)


def test_only_those_that_are_named_get_more_seeds(undecided, iris):
    trial = with_verdict(undecided, 1, **{name: getattr(undecided.verdicts[0], name) for name in SAID})
    trial = dataclasses.replace(trial, arms=(trial.arms[0], trial.arms[0], *trial.arms[2:]))
    assert trial.undecided == [0, 1]
    longer = look_again(trial, iris, places=[1])
    assert [len(arm.members) for arm in longer.arms[:2]] == [len(SEEDS), 2 * len(SEEDS)]
    assert longer.verdicts[0] == trial.verdicts[0]
    # the chance is that of all that were tried, whoever was looked at again
    verdict = longer.verdicts[1]
    assert verdict.p_adjusted == pytest.approx(min(1.0, 3 * verdict.p_value / (1 - FIRST_SHARE)))


def test_what_more_seeds_may_decide_is_undecided(undecided):
    assert undecided.undecided == [0]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"p_adjusted": MAY_HELP}, id="nothing speaks for it"),
        pytest.param({"outcome": "harmed"}, id="it harms"),
        pytest.param({"num_seeds": 1}, id="it left a heat"),
    ],
)
def test_what_is_decided_or_hopeless_is_not(undecided, changes):
    assert with_verdict(undecided, 0, **changes).undecided == []


def test_nothing_is_undecided_once_a_treatment_helps(undecided):
    assert with_verdict(undecided, 2, outcome="helped").undecided == []


def test_an_effect_in_the_other_direction_is_not_looked_at_again(undecided):
    effect = dataclasses.replace(undecided.verdicts[0].effect, value=-0.1)
    assert with_verdict(undecided, 0, effect=effect).undecided == []


def test_more_seeds_do_not_make_up_for_few_rows(undecided):
    rows_N = np.zeros_like(undecided.control.members[0].validation_scores_N)
    rows_N[::2] = 1.0
    members = tuple(
        dataclasses.replace(member, validation_scores_N=before.validation_scores_N + rows_N)
        for member, before in zip(undecided.arms[0].members, undecided.control.members, strict=True)
    )
    arms = (dataclasses.replace(undecided.arms[0], members=members), *undecided.arms[1:])
    assert dataclasses.replace(undecided, arms=arms).undecided == []
    assert seed_share(np.zeros((3, len(rows_N))), np.tile(rows_N, (3, 1))) < SEEDS_MATTER


def test_a_second_look_trains_new_seeds_of_the_control_and_of_what_is_undecided(undecided, iris):
    longer = look_again(undecided, iris)
    seeds = [member.candidate.seed for member in longer.control.members]
    assert seeds == [*SEEDS, 8, 9, 10]
    assert [len(arm.members) for arm in longer.arms] == [6, 3, 3]
    assert [member.candidate.seed for member in longer.arms[0].members] == seeds
    assert longer.verdicts[1:] == undecided.verdicts[1:]
    assert longer.verdicts[0].num_seeds == 6


def test_a_second_look_is_judged_on_all_seeds_at_the_share_that_the_first_has_left(undecided, iris):
    longer = look_again(undecided, iris, tried=4)
    effect, p_value = paired_effect(longer.control.scores_SN("testing"), longer.arms[0].scores_SN("testing"))
    verdict = longer.verdicts[0]
    assert (verdict.effect, verdict.p_value) == (effect, p_value)
    # two other treatments of this trial and four of an earlier one count, too
    assert verdict.p_adjusted == pytest.approx(min(1.0, 7 * p_value / (1 - FIRST_SHARE)))


def test_a_first_look_spends_its_share_only(first, iris):
    alone = try_out(first.treatments, first.control, iris, question="testing", round=2)
    for shared, whole in zip(first.verdicts, alone.verdicts, strict=True):
        assert shared.p_value == whole.p_value
        assert shared.p_adjusted == pytest.approx(min(1.0, whole.p_adjusted / FIRST_SHARE))


def test_without_any_effect_two_looks_show_one_in_at_most_one_of_twenty_trials():
    """Five arms that differ by seeds and rows alone, 600 times over, looked at again whenever undecided."""
    stream = np.random.default_rng(0)
    shown = sum(_shows_an_effect(stream) for _ in range(600))
    assert shown / 600 <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


def _shows_an_effect(stream):
    row_N = 0.9 + 0.05 * stream.normal(size=200)
    scores_ASN = row_N + 0.02 * stream.normal(size=(6, 16, 1)) + 0.2 * stream.normal(size=(6, 16, 200))
    for num_seeds, share in ((8, FIRST_SHARE), (16, 1 - FIRST_SHARE)):
        control_SN = scores_ASN[0, :num_seeds]
        found = [paired_effect(control_SN, arm_SN[:num_seeds]) for arm_SN in scores_ASN[1:]]
        adjusted = [p / share for p in holm([p_value for _, p_value in found])]
        if any(p <= 0.05 for p in adjusted):
            return True
        if not any(effect.value > 0 and p < MAY_HELP for (effect, _), p in zip(found, adjusted, strict=True)):
            return False
    return False
