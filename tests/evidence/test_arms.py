"""Arms, and what they know of each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from goodfit.engine.goodness.losses import Loss
from goodfit.engine.plan import Plan
from goodfit.evidence.arms import beside, has_diverged, train_arms
from goodfit.evidence.statistics import paired_effect
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named


@pytest.fixture(scope="module")
def arms(iris):
    plan = Plan(
        network=MLP(widths=(8,)),
        loss=Loss(name="cross-entropy", kind="classes", num_outputs=3),
        rule=rule_named("adam", lr=0.03),
        epochs=3,
        batch_size=16,
    )
    return train_arms(
        [("as it is", plan), ("longer", dataclasses.replace(plan, epochs=8))], iris, seeds=range(3)
    )


def test_an_arm_beside_its_control_knows_how_rows_differ(arms):
    control, longer = arms
    for history, ours, theirs in zip(beside(control, longer), longer.members, control.members, strict=True):
        differences = ours.validation_scores_N.astype(float) - theirs.validation_scores_N
        assert set(differences) <= {-1.0, 0.0, 1.0}
        assert history.variance_by_row == pytest.approx(np.var(differences))
        assert dataclasses.replace(history, variance_by_row=None) == ours.history


def test_an_arm_beside_itself_differs_nowhere(arms):
    assert {history.variance_by_row for history in beside(arms[0], arms[0])} == {0.0}


def with_scores(arm, scores_SN, diverged):
    """An arm of as many seeds as there are scores; some of them diverged."""
    members = tuple(
        dataclasses.replace(
            arm.members[0],
            train_scores_N=row_N,
            history=dataclasses.replace(
                arm.histories[0],
                ending="diverged" if gone else "finished",
                train_score=(float(row_N.mean()),),
            ),
        )
        for row_N, gone in zip(scores_SN, diverged, strict=True)
    )
    return dataclasses.replace(arm, members=members)


SCORES_SN = np.array([[1.0, 0.0, 1.0, 1.0], [0.0] * 4, [1.0, 1.0, 0.0, 0.0], [1.0] * 4])


def test_where_few_diverge_they_count_as_the_worst_of_the_others(arms):
    arm = with_scores(arms[0], SCORES_SN, [False, True, False, False])
    assert arm.usual_scores_SN("training").tolist() == SCORES_SN[[0, 2, 2, 3]].tolist()
    assert arm.scores_SN("training").tolist() == SCORES_SN.tolist()


@pytest.mark.parametrize("diverged", [[False] * 4, [True] * 4, [True, True, False, False]])
def test_none_and_many_count_as_they_are(arms, diverged):
    arm = with_scores(arms[0], SCORES_SN, diverged)
    assert arm.usual_scores_SN("training").tolist() == SCORES_SN.tolist()


@pytest.mark.parametrize(
    ("curve", "end", "expected"),
    [
        pytest.param([0.1, 0.8, 0.98, 0.97], 0.54, True, id="most is lost"),
        pytest.param([0.1, 0.8, 0.98, 0.97], 0.95, False, id="an ordinary ripple"),
        pytest.param([0.1, 0.8, 0.98, 0.97], 0.97, False, id="nothing is lost"),
        pytest.param([0.1, 0.11, 0.16, 0.10], 0.10, False, id="nothing had been learnt"),
        pytest.param([-0.4, None, 0.6, 0.5], 0.1, True, id="R squared, one point not known"),
        pytest.param([], 0.0, False, id="no curve"),
    ],
)
def test_what_loses_much_of_what_it_had_learnt_counts_as_diverged(arms, curve, end, expected):
    member = arms[0].members[0]
    member = dataclasses.replace(
        member,
        train_scores_N=np.full(7, end),
        history=dataclasses.replace(member.history, train_score=tuple(curve)),
    )
    assert has_diverged(member) == expected


def simulated(stream, *, gain=0.0, chance):
    """Scores of six seeds on rows they share, one of which may have collapsed."""
    row_N = 0.95 + 0.1 * stream.normal(size=300)

    def arm_SN(gain):
        scores_SN = row_N + gain + 0.002 * stream.normal(size=(6, 1)) + 0.05 * stream.normal(size=(6, 300))
        diverged_S = stream.random(6) < chance
        scores_SN[diverged_S] = 0.1
        return scores_SN, diverged_S

    return arm_SN(0.0), arm_SN(gain)


def shown(arm, stream, **told):
    (control_SN, diverged_S), (treated_SN, _) = simulated(stream, **told)
    control = with_scores(arm, control_SN, diverged_S)
    effect, p_value = paired_effect(control.usual_scores_SN("training"), treated_SN)
    return effect.value > 0 and p_value <= 0.05


def test_rare_divergence_makes_no_treatment_seem_to_help(arms):
    stream = np.random.default_rng(0)
    share = np.mean([shown(arms[0], stream, chance=0.1) for _ in range(600)])
    assert share <= 0.025 + 2 * (0.025 * 0.975 / 600) ** 0.5


def test_one_divergence_does_not_hide_what_the_other_seeds_show(arms):
    stream = np.random.default_rng(1)
    (control_SN, _), (treated_SN, _) = simulated(stream, gain=0.02, chance=0.0)
    control_SN[4] = 0.1
    control = with_scores(arms[0], control_SN, np.arange(6) == 4)
    assert paired_effect(control.scores_SN("training"), treated_SN)[1] > 0.05
    assert paired_effect(control.usual_scores_SN("training"), treated_SN)[1] < 0.01


def test_who_diverged_has_no_vote(arms, iris):
    control, _ = arms
    spoilt = dataclasses.replace(
        control.members[0],
        predicted_NO=np.full_like(control.members[0].predicted_NO, np.nan),
        history=dataclasses.replace(control.histories[0], ending="diverged"),
    )
    five = dataclasses.replace(control, members=(*control.members, control.members[1], spoilt))
    votes_SN = five.ensemble_scores_SN("testing", iris)
    four = dataclasses.replace(five, members=five.members[:4])
    assert np.array_equal(votes_SN[:4], four.ensemble_scores_SN("testing", iris))
    assert votes_SN[4].mean() > 0.5
