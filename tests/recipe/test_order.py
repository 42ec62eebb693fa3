"""Which remedies are tried, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.recipe.conftest import BARE

from goodfit.diagnosis.finding import Finding
from goodfit.recipe.on_testing import ON_TESTING
from goodfit.recipe.on_training import ON_TRAINING
from goodfit.recipe.order import RECIPE, remedies_for, treatments
from goodfit.rules.base import rule_named

BY_CODE = {remedy.code: remedy for remedy in RECIPE}


def finding(*remedies, question="training"):
    return Finding(
        code="GF000",
        name="planted",
        severity="warning",
        question=question,
        message="planted",
        evidence=(),
        remedies=remedies,
    )


def codes(group):
    return [remedy.code for remedy in group]


def codes_of(question):
    return [remedy.code for remedy in RECIPE if remedy.question == question]


class TestRemediesFor:
    @pytest.mark.parametrize("question", ["training", "testing"])
    def test_without_findings_all_of_the_question_stand_in_the_recipes_order(self, question):
        (group,) = remedies_for(question, [])
        assert codes(group) == codes_of(question)

    @pytest.mark.parametrize(("question", "first"), [("training", ON_TRAINING), ("testing", ON_TESTING)])
    def test_the_lectures_remedies_come_before_later_ones(self, question, first):
        (group,) = remedies_for(question, [])
        assert group[: len(first)] == first
        assert {remedy.source for remedy in first} == {"lecture"}
        assert {remedy.source for remedy in group[len(first) :]} == {"beyond"}

    @pytest.mark.parametrize("question", ["training", "testing"])
    def test_no_remedy_of_the_other_question_is_ever_listed(self, question):
        names_all = finding(*BY_CODE)
        groups = remedies_for(question, [names_all, replace(names_all, question="testing")])
        listed = [remedy for group in groups for remedy in group]
        assert {remedy.question for remedy in listed} == {question}
        assert sorted(codes(listed)) == sorted(codes_of(question))

    @pytest.mark.parametrize(
        ("question", "other"), [("training", ("dropout", "l2")), ("testing", ("relu", "adam"))]
    )
    def test_a_finding_that_names_only_the_other_questions_remedies_changes_nothing(self, question, other):
        assert remedies_for(question, [finding(*other)]) == remedies_for(question, [])

    def test_what_was_found_is_treated_first_a_group_a_finding(self):
        found = [finding("leaky-relu", "lr-down"), finding("adam", "dropout", "lr-down", "relu")]
        first, second, rest = remedies_for("training", found)
        assert codes(first) == ["leaky-relu", "lr-down"]
        assert codes(second) == ["adam", "relu"]
        expected = [code for code in codes_of("training") if code not in {*codes(first), *codes(second)}]
        assert codes(rest) == expected

    def test_no_remedy_stands_in_two_groups_and_none_is_lost(self):
        found = [finding("relu", "adam"), finding("adam", "relu"), finding("clip", "relu")]
        groups = remedies_for("training", found)
        listed = [code for group in groups for code in codes(group)]
        assert sorted(listed) == sorted(codes_of("training"))
        assert [codes(group) for group in groups[:-1]] == [["relu", "adam"], ["clip"]]

    def test_those_wanted_first_stand_beside_the_first_findings(self):
        first, second, _ = remedies_for("training", [finding("relu"), finding("adam")], first=["clip"])
        assert codes(first) == ["clip", "relu"]
        assert codes(second) == ["adam"]

    def test_those_wanted_first_are_a_group_of_their_own_where_nothing_was_found(self):
        first, rest = remedies_for("training", [], first=["clip", "adam"])
        assert codes(first) == ["clip", "adam"]
        assert not {"clip", "adam"} & {*codes(rest)}

    def test_a_code_that_no_remedy_has_is_passed_over(self):
        first, _ = remedies_for("training", [finding("pray", "relu")])
        assert codes(first) == ["relu"]


class TestTreatments:
    def test_usual_doses_come_before_second_ones(self):
        ranks = treatments([BY_CODE["l2"], BY_CODE["early-stopping"], BY_CODE["dropout"]], BARE)
        doses = BY_CODE["l2"].doses, BY_CODE["dropout"].doses
        assert [[t.name for t in rank] for rank in ranks] == [
            [f"l2 {doses[0][0]:g}", "early-stopping", f"dropout {doses[1][0]:g}"],
            [f"l2 {doses[0][1]:g}", f"dropout {doses[1][1]:g}"],
            [f"l2 {doses[0][2]:g}", f"dropout {doses[1][2]:g}"],
        ]

    def test_each_holds_the_treated_plan(self):
        for rank in treatments(RECIPE, BARE):
            for treatment in rank:
                assert treatment.plan == treatment.remedy.treat(BARE, treatment.dose)
                assert treatment.plan != BARE

    def test_a_remedy_that_would_change_nothing_is_left_out(self):
        by_adam = replace(BARE, rule=rule_named("adam", lr=0.01))
        ranks = treatments([BY_CODE["adam"], BY_CODE["relu"]], by_adam)
        assert [[t.name for t in rank] for rank in ranks] == [["relu"], []]

    def test_of_two_remedies_that_make_the_same_plan_the_first_is_tried(self):
        again = replace(BY_CODE["shallower"], code="again")
        ranks = treatments([BY_CODE["shallower"], again], BARE)
        assert [[t.name for t in rank] for rank in ranks] == [["shallower"]]

    def test_codes_that_are_not_wanted_are_left_out(self):
        ranks = treatments([BY_CODE["relu"], BY_CODE["adam"]], BARE, without={"adam"})
        assert [[t.name for t in rank] for rank in ranks] == [["relu"]]

    def test_of_what_is_in_the_plan_for_testing_more_is_tried_at_once(self):
        remedy, treated = BY_CODE["dropout"], replace(BARE, dropout=0.25)
        ranks = treatments([remedy, BY_CODE["early-stopping"]], treated)
        assert [[t.name for t in rank] for rank in ranks] == [["dropout 0.5", "early-stopping"]]

    def test_no_remedies_make_no_treatments(self):
        assert treatments([], BARE) == ()

    def test_no_plan_is_tried_twice(self):
        plans = [treatment.plan for rank in treatments(RECIPE, BARE) for treatment in rank]
        assert len(plans) == len(set(plans))
