"""Wholes hold what a plan lacks, and nothing that it has."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from goodfit.data.synthetic import digits_split
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.nets.mlp import MLP
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.recipe.order import RECIPE, remedies_for
from goodfit.recipe.together import in_short_time, sound_remedies

SPLIT = digits_split(0)
SOUND = plan_as_it_is(
    Wanted(network=MLP(widths=(64, 64), initialisation="he", normalisation="batch"), rule="adam", lr=2e-3),
    SPLIT,
)
SICK = plan_as_it_is(
    Wanted(network=MLP(widths=(16,) * 8, activation="sigmoid"), rule="gradient-descent", lr=1e-4), SPLIT
)
KNOWN = {remedy.code: remedy for remedy in RECIPE}


def parts(plan, **settings):
    return {remedy.code: dict(remedy.parts) for remedy in sound_remedies(plan, **settings)}


def test_a_sound_plan_lacks_nothing():
    assert sound_remedies(SOUND) == ()


def test_a_sick_plan_lacks_what_each_whole_puts_into_it():
    found = parts(SICK)
    assert found["sound-rule"] == {"adam": 1e-3}
    assert found["sound-start"] == {"relu": 0.0, "adam": 1e-3}
    assert found["sound-fast-start"] == {"relu": 0.0, "adam": 5e-3}
    assert found["sound-norms"] == {"relu": 0.0, "batch-norm": 0.0, "adam": 1e-3}
    assert found["sound-size"] == {"shallower": 3.0, "wider": 4.0, "relu": 0.0, "adam": 1e-3}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"dropout": 0.9}, "unregularised"),
        ({"l2": 1.0}, "unregularised"),
        ({"inputs": "raw"}, "scale-inputs"),
    ],
)
def test_what_the_plan_has_too_much_of_is_taken_away(changes, part):
    found = parts(dataclasses.replace(SOUND, **changes))
    assert set(found) == {"sound-rule"}
    assert set(found["sound-rule"]) == {part}


def test_a_whole_does_what_its_parts_do_one_after_the_other():
    for remedy in sound_remedies(SICK):
        treated = functools.reduce(lambda plan, part: KNOWN[part[0]].treat(plan, part[1]), remedy.parts, SICK)
        assert remedy.treat(SICK, 0.0) == treated
        assert all(KNOWN[code].question == "training" for code, _ in remedy.parts)


def test_no_two_wholes_lead_to_the_same_plan():
    plans = [remedy.treat(SICK, 0.0) for remedy in sound_remedies(SICK)]
    assert all(plan not in plans[:place] for place, plan in enumerate(plans))


def test_what_cannot_be_applied_is_in_no_whole():
    found = parts(SICK, without={"relu", "batch-norm"})
    assert found
    assert not {"relu", "batch-norm"} & {code for steps in found.values() for code in steps}


def test_where_a_step_has_too_few_rows_to_normalise_over_units_are_normalised():
    assert parts(SICK, without={"batch-norm"})["sound-norms"] == {
        "relu": 0.0,
        "layer-norm": 0.0,
        "adam": 1e-3,
    }


def test_in_short_time_wholes_come_first_and_then_what_shares_a_stack_with_the_plan():
    finding = CATALOGUE["GF101"].finding("planted")
    groups, wholes = remedies_for("training", [finding]), sound_remedies(SICK)
    ordered = in_short_time(wholes, groups, SICK)
    assert ordered[0] == wholes
    assert [remedy.code for remedy in ordered[1]][:2] == ["adam", "rmsprop"]
    for before, after in zip(groups, ordered[1:], strict=True):
        assert sorted(before, key=id) == sorted(after, key=id)


def test_without_wholes_the_groups_alone_are_ordered():
    groups = remedies_for("testing", [])
    (ordered,) = in_short_time((), groups, SICK)
    assert sorted(ordered, key=id) == sorted(groups[0], key=id)
