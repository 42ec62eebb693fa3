"""How epochs, seeds and members are fitted into the time there is; the pace is told, not measured."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn, optim

from goodfit.data.synthetic import digits_split
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.engine.goodness.contract import Contract
from goodfit.evidence.arms import TrainedArm
from goodfit.evidence.heats import relative_cost
from goodfit.evidence.trial import FIRST_SHARE
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.procedure import course, final, opening
from goodfit.procedure import trials as trials_module
from goodfit.procedure.budget import FINAL_SHARE, Budget
from goodfit.procedure.case import Case
from goodfit.procedure.costs import (
    BESIDE_STEPS,
    BY_MODULES,
    CLOSING_SHARE,
    LEAST_CORRECTION,
    MOST_CORRECTION,
    MOST_KEPT,
    OTHER_STRUCTURE,
    Costs,
)
from goodfit.procedure.events import Noted, silence
from goodfit.procedure.journal import Journal
from goodfit.procedure.lengths import of_any_length, with_epochs
from goodfit.procedure.questions import Bar
from goodfit.procedure.rounds import Rounds
from goodfit.procedure.start import Wanted, plan_as_it_is
from goodfit.procedure.trials import Trials
from goodfit.recipe.on_training import ON_TRAINING
from goodfit.recipe.order import RECIPE, treatments
from goodfit.recipe.remedy import Treatment, joined
from goodfit.recipe.together import sound_remedies
from goodfit.rules.own import Group, Own
from goodfit.rules.schedules import Cosine

SPLIT = digits_split(0)
PLAN = plan_as_it_is(
    Wanted(network=MLP(widths=(8,)), rule="adam", epochs=4, batch_size=256), SPLIT
)  # four steps an epoch


def case(seconds=None, **budget):
    allowed = Budget(max_trainings=1000) if seconds is None else Budget(seconds=seconds, **budget)
    return Case(split=SPLIT, budget=allowed, journal=Journal(listener=silence))


@pytest.fixture
def pace(monkeypatch):
    """Sets the seconds that one epoch of one network takes."""

    def set_pace(seconds):
        def told(population, split, *, seconds=seconds, hands=1, _each=seconds):
            return _each * len(population)

        for module in (opening, final):
            monkeypatch.setattr(module, "measure_pace", told)
        monkeypatch.setattr("goodfit.procedure.costs.measure_pace", told)
        monkeypatch.setattr("goodfit.procedure.costs.WORTH_MEASURING", 0.0)

    return set_pace


def votes(epochs=4):
    plan = dataclasses.replace(PLAN, ensemble=True, epochs=epochs)
    return opening.train_as_it_is(plan, case(), num_seeds=3)


def test_time_that_is_left_goes_to_further_members_of_the_vote(pace):
    pace(1e-4)
    trained = final.train_final(votes().plan, case(60), trial_arm=votes())
    assert len(trained.members) == final.MOST_MEMBERS
    assert trained.plan.epochs == 4


def test_the_vote_is_not_enlarged_where_trainings_are_counted():
    trained = final.train_final(votes().plan, case(), trial_arm=votes())
    assert len(trained.members) == 3


def test_members_are_added_only_as_far_as_time_goes(pace):
    # 85 % of the 58 s until the deadline hold 22 epochs at 2.2 s: five members of 4 epochs
    pace(2.2)
    trained = final.train_final(votes().plan, case(60), trial_arm=votes())
    assert len(trained.members) == 5
    assert trained.plan.epochs == 4


@pytest.mark.parametrize(
    ("changes", "falls_back", "epochs"),
    [
        pytest.param({"patience": 4}, False, 43, id="best weights are kept: the deadline may end it"),
        pytest.param({}, True, 43, id="it goes back if it must"),
        pytest.param({}, False, 28, id="the last weights count"),
        pytest.param(
            {"patience": 4, "schedule": Cosine(warmup=0.05)}, False, 28, id="the rate falls to the end"
        ),
        pytest.param({"patience": 4, "tail_averaging": 0.25}, False, 28, id="the tail is averaged"),
    ],
)
def test_a_training_that_may_end_anywhere_is_ended_by_the_deadline(pace, changes, falls_back, epochs):
    pace(1.75)  # the 58 s until the deadline hold 33 epochs
    plan = dataclasses.replace(PLAN, epochs=100, **changes)
    assert final._in_time(plan, case(60), 1, falls_back=falls_back)[0].epochs == epochs


def test_a_vote_without_time_for_a_final_training_is_handed_back_whole(pace):
    pace(1e3)
    arm = votes()
    assert final.train_final(arm.plan, case(60), trial_arm=arm).members == arm.members


def with_scores(member, scores):
    return dataclasses.replace(member, validation_scores_N=np.array(scores, dtype=float))


def test_a_final_training_that_fell_behind_gives_way_to_the_best_network_of_the_trials(monkeypatch):
    arm = opening.train_as_it_is(PLAN, case(), num_seeds=3)
    fair, best, poor = (member for member in arm.members)
    arm = dataclasses.replace(
        arm,
        members=(
            with_scores(fair, [1, 0] * 50),
            with_scores(best, [1, 1, 1, 0] * 25),
            with_scores(poor, [0, 0, 1, 0] * 25),
        ),
    )
    for share, is_kept in ((0.0, False), (0.5, True)):  # of the rows that the last network watched
        last = with_scores(fair, np.arange(40) < 40 * share)
        monkeypatch.setattr(final, "train", lambda *_, last=last, **__: (last,))
        handed = final.train_final(PLAN, case(), trial_arm=arm)
        assert handed.members == ((last,) if is_kept else (arm.members[1],))


@pytest.mark.parametrize(
    ("batch_size", "epochs"),
    [
        pytest.param(1, 4, id="an epoch has steps enough: the usual share"),
        pytest.param(256, 8, id="an epoch has few steps: what tells, at a larger share"),
    ],
)
def test_an_arm_is_not_cut_below_what_tells(pace, batch_size, epochs):
    plan = dataclasses.replace(PLAN, batch_size=batch_size, epochs=100)
    pace(0.24)  # 5 % of 60 s hold 4 epochs of three networks; 15 % hold 12
    shortened, count = opening.fit_into_budget(plan, case(60), num_seeds=3)
    assert (shortened.epochs, count) == (epochs, 3)


def test_an_arm_of_a_long_run_takes_a_smaller_share(pace):
    pace(0.1)
    plan = dataclasses.replace(PLAN, epochs=1000)
    short, _ = opening.fit_into_budget(plan, case(100), num_seeds=3)
    long, _ = opening.fit_into_budget(plan, case(1000), num_seeds=3)
    assert short.epochs == 16  # 5 % of 100 s at 0.3 s an epoch
    assert long.epochs == 66  # 2 % of 1000 s


def test_a_short_time_holds_fewer_seeds(pace):
    plan = dataclasses.replace(PLAN, epochs=1000)
    pace(0.4)  # 15 % of 100 s hold 9 epochs of four networks, and 8 are the fewest
    assert opening.fit_into_budget(plan, case(100), num_seeds=None)[1] == opening.FEW_SEEDS
    pace(0.5)
    assert opening.fit_into_budget(plan, case(100), num_seeds=None)[1] == opening.FEWEST_SEEDS


def costs(seconds, **settings):
    return Costs(case=case(seconds), **settings)


def test_the_estimate_of_a_trial_is_corrected_by_the_last_one(pace):
    pace(0.5)  # three networks of four epochs: 6 s a treatment
    chosen = treatments(ON_TRAINING, PLAN)[0]
    patient = costs(100)
    cautious, hopeful = costs(100, correction=MOST_CORRECTION), costs(100, correction=LEAST_CORRECTION)
    counts = [len(c.affordable(chosen, votes())[0]) for c in (cautious, patient, hopeful)]
    # 60 % of the 70 s for trials hold 7 treatments as estimated, 4 if they take half as long again
    assert counts[:2] == [4, 6]
    assert counts[2] == len(chosen)
    assert patient.affordable(chosen, votes())[1] == pytest.approx(36)


def test_a_short_arm_tells_the_price_of_others_and_nothing_is_measured(monkeypatch):
    def measured(*_, **__):
        raise AssertionError("measuring costs more than it tells")

    monkeypatch.setattr("goodfit.procedure.costs.measure_pace", measured)
    patient, arm = costs(100), votes()
    one = patient.of_epoch(PLAN, arm)
    assert one == pytest.approx(arm.seconds / PLAN.epochs)
    wider = dataclasses.replace(PLAN, network=MLP(widths=(64,)))
    assert patient.of_epoch(wider, arm) > one
    alike = [t for t in treatments(ON_TRAINING, PLAN)[0] if t.plan.structure == PLAN.structure]
    chosen, seconds = patient.affordable(alike, arm)
    # networks of one stack cost less together than one stack each
    assert chosen == alike
    assert PLAN.epochs * one < seconds < len(alike) * PLAN.epochs * one


def test_own_networks_are_priced_by_their_first_arm_and_by_whether_edits_leave_a_chain(monkeypatch):
    monkeypatch.setattr("goodfit.procedure.costs.measure_pace", None)
    monkeypatch.setattr("goodfit.procedure.costs.WORTH_MEASURING", 0.0)

    def layers(inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, 8), nn.Sigmoid(), nn.Linear(8, outputs))

    given = Given(factory=layers)
    plan = dataclasses.replace(PLAN, network=given)
    arm = opening.train_as_it_is(plan, case(), num_seeds=3)
    assert arm.histories[0].choice.way == "stacked"
    patient = costs(100)
    one = patient.of_epoch(plan, arm)
    rectified = dataclasses.replace(plan, network=dataclasses.replace(given, activation="relu"))
    normalised = dataclasses.replace(plan, network=dataclasses.replace(given, normalisation="batch"))
    plain = dataclasses.replace(plan, network=dataclasses.replace(given, plain_output=True))
    wider = dataclasses.replace(plan, network=dataclasses.replace(given, widening=2.0))
    assert patient.of_epoch(rectified, arm) == pytest.approx(one)
    assert patient.of_epoch(plain, arm) == pytest.approx(one)
    assert patient.of_epoch(wider, arm) >= OTHER_STRUCTURE * one
    assert patient.of_epoch(normalised, arm) == pytest.approx(BY_MODULES * OTHER_STRUCTURE * one, rel=0.1)


def test_trials_end_where_the_share_of_the_final_training_begins():
    budget = case(100).budget
    assert budget.trial_deadline - budget.started == pytest.approx(70)
    budget.final_share = 0.4
    assert budget.trial_deadline - budget.started == pytest.approx(60)


def test_a_glance_at_a_pace_is_short_where_time_is():
    assert case(1000).budget.glance(0.2) == 0.2
    assert case(2).budget.glance(0.2) == pytest.approx(0.02)


def test_trials_in_heats_are_estimated_at_what_they_cost(pace):
    pace(0.5)
    wanted = treatments(ON_TRAINING, PLAN)[0]
    whole, in_heats = costs(1000), costs(1000, in_heats=True)
    arm = votes()
    chosen, seconds = in_heats.affordable(wanted, arm)
    assert chosen == whole.affordable(wanted, arm)[0]
    share = relative_cost(len(wanted), num_seeds=3)
    assert seconds == pytest.approx(share * whole.affordable(wanted, arm)[1])


def rounds(seconds, *, shortening, epochs=4, in_heats=True):
    return Rounds(
        case=case(seconds),
        bar=Bar(score=2.0, source="target"),
        unsuited={},
        arm=votes(epochs),
        costs=costs(seconds, in_heats=in_heats),
        shortening=shortening,
    )


def test_short_trials_are_lengthened_before_what_helps_testing_is_tried(pace):
    pace(0.16)  # 70 s for trials hold 60 trainings of 7 epochs
    patient = rounds(100, shortening=0.1)
    assert patient._lengthen("testing")
    assert patient.arm.plan.epochs == 7
    assert patient.shortening == pytest.approx(0.1 * 7 / 4)
    assert [member.candidate.seed for member in patient.arm.members] == [0, 1, 2, 3, 4, 5]
    assert patient.arm.histories[0].epochs[-1] == 7


def test_lengthened_trials_have_as_many_seeds_as_the_user_insists_on(pace):
    pace(0.13)
    patient = rounds(100, shortening=0.1)
    patient.most_seeds = 3
    assert patient._lengthen("testing")
    assert len(patient.arm.members) == 3


RMSPROP = next(remedy for remedy in ON_TRAINING if remedy.code == "rmsprop")
SINGLE = [Treatment(remedy=RMSPROP, dose=1e-3, plan=PLAN)]
WHOLE = [Treatment(remedy=joined([(RMSPROP, 1e-3)], code="whole"), dose=0.0, plan=PLAN)]


def test_in_heats_a_second_look_is_for_trials_that_do_not_have_all_seeds_yet():
    patient = rounds(100, shortening=0.1)
    assert patient._trials.may_look_again(SINGLE)
    patient.most_seeds = 3
    assert not patient._trials.may_look_again(SINGLE)
    assert rounds(100, shortening=0.1, in_heats=False)._trials.may_look_again(SINGLE)


def test_trials_are_never_longer_than_the_plan_asks_for(pace):
    pace(1e-3)
    patient = rounds(100, shortening=0.4)
    assert patient._lengthen("testing")
    assert patient.arm.plan.epochs == 10
    assert patient.shortening == 1
    assert not patient._lengthen("testing")


@pytest.mark.parametrize(
    ("settings", "cost"),
    [
        pytest.param({"shortening": 1.0}, 1e-3, id="they are as long as they should be"),
        pytest.param({"shortening": 0.1}, 5.0, id="there is no time"),
        pytest.param({"shortening": 0.1, "in_heats": False}, 1e-3, id="trials are cheap in a stack"),
    ],
)
def test_trials_keep_their_length(pace, settings, cost):
    pace(cost)
    patient = rounds(100, **settings)
    arm = patient.arm
    assert not patient._lengthen("testing")
    assert patient.arm is arm


def test_a_longer_training_is_no_remedy_where_trials_are_shorter_than_the_plan_asks_for():
    assert "longer" in rounds(100, shortening=0.5)._offers._without()
    assert "longer" not in rounds(100, shortening=1.0)._offers._without()
    assert "longer" not in rounds(100, shortening=0.5, in_heats=False)._offers._without()


@pytest.fixture
def tried(monkeypatch):
    """Remedies that rounds try, a list a trial; none helps."""
    seen = []

    def try_out(patient, chosen, question, *, tried, estimate, begun=()):
        seen.append([treatment.remedy.code for treatment in chosen])
        return SimpleNamespace(verdicts=[], treatments=[], control=patient.arm)

    monkeypatch.setattr(Trials, "hold", try_out)
    return seen


def test_short_trainings_are_made_longer_before_all_remedies_are_tried(pace, tried):
    pace(1e-3)
    patient = rounds(100, shortening=0.1)
    patient.round, patient.lessons.promising = 2, ("clip", "lr-up")
    list(patient._try_remedies("training"))
    assert tried == [["clip", "lr-up"]]
    assert patient.decided_epochs == 40
    pace(1e3)  # what was decided is done, though a second look at the clock would speak against it
    assert patient._lengthen("training")
    assert patient.arm.plan.epochs == 40
    assert patient.decided_epochs == 0


@pytest.mark.parametrize(("in_heats", "first"), [(True, {"ensemble"}), (False, None)])
def test_where_trials_are_dear_what_needs_no_training_is_tried_first(pace, tried, in_heats, first):
    pace(1e-3)
    patient = rounds(100, shortening=1.0, in_heats=in_heats)
    patient.arm = dataclasses.replace(patient.arm, plan=dataclasses.replace(patient.arm.plan, ensemble=False))
    list(patient._try_remedies("testing"))
    assert (set(tried[0]) == first) == in_heats
    assert sum(codes.count("ensemble") for codes in tried) == 1


def test_in_the_first_round_all_are_tried(pace, tried):
    pace(1e-3)
    list(rounds(100, shortening=0.1, in_heats=False)._try_remedies("training"))
    assert len(tried[0]) > 20


@pytest.mark.parametrize(("in_heats", "place"), [(False, 1), (True, 2)])
def test_what_is_put_together_stands_behind_what_was_made_for_the_first_finding(in_heats, place):
    found = [CATALOGUE[code].finding("planted") for code in ("GF104", "GF108")]
    offers = rounds(100, shortening=1.0, in_heats=in_heats)._offers
    groups = [[remedy.code for remedy in group] for group in offers.groups("training", found, PLAN)]
    # what has one part alone stands among the others
    assert groups[place] == [whole.code for whole in sound_remedies(PLAN) if len(whole.parts) > 1]
    assert groups[place - 1] == [code for code in found[0].remedies if code in groups[place - 1]]
    offered = [code for group in groups for code in group]
    assert len(offered) == len(set(offered))
    for question, findings in (("testing", found), ("training", [])):
        others = offers.groups(question, findings, PLAN)
        assert not any(remedy.parts for group in others for remedy in group)


def test_of_a_network_of_ones_own_wholes_stand_in_the_first_trial():
    own = dataclasses.replace(PLAN, network=Given(factory=nn.Linear), inputs="raw", l2=1.0)
    wholes = [whole.code for whole in sound_remedies(own) if len(whole.parts) > 1]
    assert wholes
    offers = rounds(100, shortening=1.0, in_heats=False)._offers
    found = [CATALOGUE["GF108"].finding("planted")]
    first, *_ = offers.groups("training", found, own)
    codes = [remedy.code for remedy in first]
    assert codes[: len(wholes)] == wholes
    assert set(codes[len(wholes) :]) <= set(found[0].remedies)
    assert len(codes) > len(wholes)
    # an error that was found before training is surely a fault
    cause = CATALOGUE["GF014"].finding("planted")
    made_for_cause, behind, *_ = offers.groups("training", [cause, *found], own)
    assert [remedy.code for remedy in made_for_cause] == [*cause.remedies]
    assert [remedy.code for remedy in behind] == wholes
    # scripts may have faults that no finding names
    first, rest = offers.groups("training", [], own)
    assert [remedy.code for remedy in first] == wholes
    assert not any(remedy.parts for remedy in rest)


def test_where_trials_are_dear_the_lecture_s_own_are_tried_before_what_came_after_it(pace, tried):
    pace(1e-3)
    list(rounds(100, shortening=0.1)._try_remedies("training"))
    taught, beyond = tried
    assert {"maxout", "rmsprop", "adagrad"} <= set(taught)
    assert {"batch-norm", "cosine", "clip"} <= set(beyond)


@pytest.mark.parametrize(
    ("question", "settings"),
    [
        pytest.param("testing", {"shortening": 0.1}, id="the other question"),
        pytest.param("training", {"shortening": 1.0}, id="they are as long as they should be"),
        pytest.param("training", {"shortening": 0.1, "in_heats": False}, id="trials are cheap in a stack"),
    ],
)
def test_otherwise_all_remedies_are_tried_last(pace, tried, question, settings):
    pace(1e-3)
    patient = rounds(100, **settings)
    patient.round = 2
    list(patient._try_remedies(question))
    assert max(map(len, tried)) > 5
    assert patient.decided_epochs == 0


@pytest.mark.parametrize(
    ("shortening", "is_good", "epochs"),
    [
        pytest.param(1.0, False, 4, id="the trials were as long as they should be"),
        pytest.param(0.5, True, 8, id="what the plan asks for"),
        pytest.param(0.5, False, 24, id="that may not be enough"),
    ],
)
def test_the_final_training_makes_up_for_short_trials(shortening, is_good, epochs):
    assert course._unshortened(PLAN, shortening, is_good=is_good) == with_epochs(PLAN, epochs)


@pytest.mark.parametrize(
    ("epochs", "watched", "patience", "falls_back"),
    [
        pytest.param(4, 5, None, False, id="as long as the trials: proven as it is"),
        pytest.param(6, 5, 6, False, id="few rows cannot tell chance: the best weights are kept"),
        pytest.param(6, 2000, None, True, id="many rows tell whether it must go back"),
    ],
)
def test_a_final_training_longer_than_the_trials_may_go_back(
    monkeypatch, epochs, watched, patience, falls_back
):
    monkeypatch.setattr(final, "_num_watched", lambda case, count: watched)
    trained = final.train_final(
        with_epochs(PLAN, epochs), case(), trial_arm=opening.train_as_it_is(PLAN, case(), num_seeds=1)
    )
    (member,) = trained.members
    assert member.candidate.falls_back == falls_back
    assert member.candidate.plan.patience == patience


@pytest.mark.parametrize(
    ("answers", "is_good"),
    [
        ([("training", False)], False),
        ([("training", True), ("testing", False)], False),
        ([("training", False), ("training", True), ("testing", True)], True),
    ],
)
def test_a_plan_is_good_once_the_last_answers_are_yes(answers, is_good):
    patient = rounds(100, shortening=1.0)
    patient.case.journal.answers += [SimpleNamespace(question=q, good=good) for q, good in answers]
    assert patient.is_good == is_good


@pytest.mark.parametrize(
    ("score", "round", "on_its_way"),
    [
        pytest.param(0.9, 2, True, id="the curve goes there"),
        pytest.param(0.9, 1, False, id="no remedy has been tried yet"),
        pytest.param(0.9999, 2, False, id="more epochs alone would not do"),
    ],
)
def test_a_training_that_its_findings_remedies_do_not_help_is_left_on_its_way_to_the_bar(
    pace, tried, monkeypatch, score, round, on_its_way
):
    pace(1e-3)
    monkeypatch.setattr(
        "goodfit.procedure.rounds.projected_score", lambda histories, *, epochs, question: 0.95
    )
    patient = rounds(100, shortening=0.1)
    patient.round, patient.bar = round, Bar(score=score, source="target")
    patient.lessons.promising = ("clip", "lr-up")
    list(patient._try_remedies("training"))
    assert tried[0][:2] == ["clip", "lr-up"]
    assert patient._is_on_its_way == on_its_way
    assert patient.decided_epochs == (40 if round > 1 and not on_its_way else 0)
    answer = patient._ask("training")
    assert answer.good == on_its_way
    assert ("leads to 0.950" in answer.reason) == on_its_way
    assert patient._lengthen("testing")  # of the same plan as much is to be expected
    assert patient._is_on_its_way == on_its_way


@pytest.mark.parametrize(
    ("code", "bar", "in_heats", "on_its_way"),
    [
        pytest.param("input-dropout", 0.9, True, True, id="it was good, and is slower now"),
        pytest.param("input-dropout", 0.96, True, False, id="it does not get there any more"),
        pytest.param("lr-up", 0.9, True, False, id="a remedy for training slows nothing down on purpose"),
        pytest.param("input-dropout", 0.9, False, False, id="trials are not run in heats"),
    ],
)
def test_what_a_remedy_for_testing_slows_down_may_still_be_on_its_way(
    pace, monkeypatch, code, bar, in_heats, on_its_way
):
    pace(1e-3)
    monkeypatch.setattr(
        "goodfit.procedure.rounds.projected_score", lambda histories, *, epochs, question: 0.95
    )
    monkeypatch.setattr("goodfit.procedure.rounds.best_of", lambda trial, **_: 0)
    patient = rounds(100, shortening=0.1, in_heats=in_heats)
    patient.bar = Bar(score=bar, source="target")
    (remedy,) = [remedy for remedy in RECIPE if remedy.code == code]
    chosen = treatments([remedy], patient.arm.plan)[0]
    assert patient._keep_best(patient._trials.hold(chosen, remedy.question, tried=0, estimate=0.0))
    assert patient._is_on_its_way == on_its_way


def test_what_no_longer_leads_to_the_bar_is_treated_again(pace, monkeypatch):
    pace(1e-3)
    patient = rounds(100, shortening=0.1)
    patient.bar, patient.on_its_way = Bar(score=0.9999, source="target"), of_any_length(patient.arm.plan)
    for projected, question in ((1.0, "testing"), (0.95, "training")):
        monkeypatch.setattr(
            "goodfit.procedure.rounds.projected_score",
            lambda *_, epochs, question, projected=projected: projected,
        )
        assert patient._question_to_treat() == question
    assert patient.on_its_way is None


@pytest.mark.parametrize(
    ("question", "first", "changes"),
    [
        pytest.param("training", "lr-up", {}, id="the curve leads to the bar"),
        pytest.param("training", "leaky-relu", {"bar": 0.96}, id="no longer training would do"),
        pytest.param("training", "leaky-relu", {"shortening": 1.0}, id="the plan has its epochs"),
        pytest.param("testing", "larger-steps", {"bar": 0.96}, id="nothing speaks of overfitting"),
        pytest.param("testing", "dropout", {"bar": 0.96, "ill": True}, id="overfitting was found"),
    ],
)
def test_where_only_time_is_missing_the_same_way_in_larger_steps_comes_first(
    pace, tried, monkeypatch, question, first, changes
):
    pace(0.01)
    monkeypatch.setattr(
        "goodfit.procedure.rounds.projected_score", lambda histories, *, epochs, question: 0.95
    )
    patient = rounds(100, shortening=changes.get("shortening", 0.1), in_heats=False)
    patient.bar = Bar(score=changes.get("bar", 0.9), source="target")
    found = [CATALOGUE["GF201"].finding("a gap")] if "ill" in changes else []
    monkeypatch.setattr(Rounds, "_find", lambda rounds, question: found)
    list(patient._try_remedies(question))
    assert tried[0][0] == first


def test_another_plan_is_not_on_its_way():
    patient = rounds(100, shortening=0.1)
    patient.on_its_way = of_any_length(patient.arm.plan)
    assert patient._is_on_its_way
    patient.arm = dataclasses.replace(
        patient.arm, plan=dataclasses.replace(patient.arm.plan, input_dropout=0.1)
    )
    assert not patient._is_on_its_way


@pytest.mark.parametrize(("in_heats", "expected"), [(True, 1.5), (False, 0.75)])
def test_a_single_arm_is_not_as_cheap_as_a_trial_in_heats_from_which_arms_left(pace, in_heats, expected):
    pace(0.5)
    assert costs(100, in_heats=in_heats, correction=0.5).of_epoch(PLAN, votes()) == pytest.approx(expected)


@pytest.fixture
def ended(monkeypatch):
    """Sets the shares of the rows that each of three final networks gets right; returns the networks."""

    def set_shares(*shares):
        arm = opening.train_as_it_is(PLAN, case(), num_seeds=3)
        trained = tuple(
            with_scores(member, np.arange(40) < 40 * s) for member, s in zip(arm.members, shares, strict=True)
        )
        monkeypatch.setattr(final, "train", lambda population, *_, **__: trained[: len(population)])
        monkeypatch.setattr(final, "_fell_behind", lambda *_: False)
        return dataclasses.replace(arm, members=trained)

    return set_shares


@pytest.mark.parametrize(
    ("shares", "voters"),
    [
        pytest.param((0.5, 0.9, 0.65), (1,), id="one is better than the others beyond chance"),
        # its interval ends at 0.89, but that of the best begins at 0.80
        pytest.param((0.5, 0.9, 0.75), (1, 2), id="the best may be so by the chance of its rows"),
        pytest.param((0.8, 0.9, 0.5), (0, 1), id="two are alike"),
        pytest.param((0.8, 0.9, 0.85), (0, 1, 2), id="all are alike"),
    ],
)
def test_where_time_is_short_final_networks_vote_but_for_those_that_are_worse(ended, shares, voters):
    arm, noted = ended(*shares), []
    short = dataclasses.replace(case(7), journal=Journal(listener=noted.append))
    trained = final.train_final(PLAN, short, trial_arm=arm)
    assert trained.members == tuple(arm.members[place] for place in voters)
    assert trained.plan.ensemble == (len(voters) > 1)
    told = [event.text for event in noted if isinstance(event, Noted)]
    assert told == ([f"the {len(voters)} networks that were trained at the end vote"] if voters[1:] else [])
    # with more time one network is trained, and a vote has to be shown to help
    assert final.train_final(PLAN, case(60), trial_arm=arm).members == arm.members[:1]


def test_by_a_loss_of_ones_own_the_best_network_is_handed_back(ended):
    # it need not be convex: the loss of a mean prediction may be above all losses
    arm = ended(0.8, 0.9, 0.85)
    contract = Contract(output_shape=(10,), function=nn.CrossEntropyLoss())
    own = dataclasses.replace(PLAN, loss=dataclasses.replace(PLAN.loss, contract=contract))
    assert own.loss.is_own
    trained = final.train_final(own, case(7), trial_arm=arm)
    assert trained.members == (arm.members[1],)
    assert not trained.plan.ensemble


def test_where_time_is_short_and_over_the_networks_of_the_trials_vote(ended, pace):
    arm = ended(0.8, 0.9, 0.5)
    pace(1e3)
    trained = final.train_final(PLAN, case(7), trial_arm=arm)
    assert trained.members == arm.members[:2]
    assert trained.plan.ensemble
    assert final.train_final(PLAN, case(60), trial_arm=arm).members == (arm.members[1],)


def test_where_time_is_short_there_are_few_seeds_and_second_looks_at_wholes_only(pace):
    pace(0.1)
    assert opening.fit_into_budget(PLAN, case(7), num_seeds=None)[1] == opening.FEWEST_SEEDS
    pace(1e-3)
    assert opening.fit_into_budget(PLAN, case(7), num_seeds=None)[1] == opening.FEW_SEEDS
    assert opening.fit_into_budget(PLAN, case(7), num_seeds=5)[1] == 5
    assert opening.fit_into_budget(PLAN, case(8), num_seeds=None)[1] == opening.NUM_SEEDS
    assert not rounds(7, shortening=1.0, in_heats=False)._trials.may_look_again(SINGLE)
    assert rounds(8, shortening=1.0, in_heats=False)._trials.may_look_again(SINGLE)
    assert rounds(7, shortening=1.0, in_heats=False)._trials.may_look_again(WHOLE)
    assert not rounds(7, shortening=1.0, in_heats=False)._trials.may_look_again([*WHOLE, *SINGLE])


@pytest.mark.parametrize(
    ("estimate", "share"),
    [
        pytest.param(1.0, FIRST_SHARE, id="there is time for a second look"),
        pytest.param(69.0, 1.0, id="the trial takes all the time there is"),
    ],
)
def test_a_chance_of_a_false_alarm_is_kept_only_for_a_second_look_that_can_follow(
    pace, monkeypatch, estimate, share
):
    def try_out(chosen, arm, split, *, share, **_):
        looked.append(share)
        return SimpleNamespace(arms=(arm,), treatments=tuple(chosen), verdicts=(), undecided=[])

    looked = []
    pace(0.16)  # the control and a treatment take 4 s, 70 s are left for trials
    monkeypatch.setattr(trials_module, "try_out", try_out)
    patient = rounds(100, shortening=1.0, in_heats=False)
    patient._trials.hold(SINGLE, "training", tried=0, estimate=estimate)
    assert looked == [share]


@pytest.mark.parametrize(("most", "places"), [(3, [0, 1, 2]), (2, [0, 2]), (1, [2]), (0, None)])
def test_a_second_look_is_given_to_the_likeliest_that_time_allows(monkeypatch, most, places):
    looked = []

    def look_again(trial, split, *, places, **_):
        looked.append(places)
        return SimpleNamespace(control=patient.arm)

    patient = rounds(100, shortening=1.0, in_heats=False)
    monkeypatch.setattr(trials_module, "look_again", look_again)
    monkeypatch.setattr(Costs, "can_repeat", lambda costs, those, arm: len(those) <= most)
    verdicts = [SimpleNamespace(p_value=p_value) for p_value in (0.03, 0.04, 0.02)]
    trial = SimpleNamespace(undecided=[0, 1, 2], treatments=SINGLE * 3, verdicts=verdicts)
    patient._trials._look_again(trial, "training", tried=0)
    assert looked == ([] if places is None else [places])


def test_where_time_is_short_the_first_arm_tells_the_price_of_all(monkeypatch):
    monkeypatch.setattr("goodfit.procedure.costs.measure_pace", None)
    monkeypatch.setattr("goodfit.procedure.costs.WORTH_MEASURING", 0.0)
    patient, arm = costs(7), votes()
    patient.know_first(arm, took=4.0)
    assert patient.of_epoch(PLAN, arm) == pytest.approx(4.0 / PLAN.epochs)
    deep = dataclasses.replace(PLAN, network=MLP(widths=(8,) * 9))
    assert patient.of_epoch(deep, arm) > 3 * patient.of_epoch(PLAN, arm)
    # of one that diverged only the steps tell
    history = dataclasses.replace(arm.members[0].history, ending="diverged")
    diverged = dataclasses.replace(arm.members[0], history=history)
    arm = dataclasses.replace(arm, members=(diverged, *arm.members[1:]))
    patient.know_first(arm, took=4.0)
    assert patient.of_epoch(PLAN, arm) == pytest.approx(BESIDE_STEPS * arm.seconds / PLAN.epochs)


def test_once_an_own_optimizer_is_replaced_its_price_is_forgotten(monkeypatch):
    monkeypatch.setattr("goodfit.procedure.costs.measure_pace", None)
    slow = Own(lr=0.1, kind=optim.SGD, groups=(Group(names=(), settings=(("lr", 0.1),)),))
    patient, later = costs(7), votes()
    first = dataclasses.replace(later, plan=dataclasses.replace(PLAN, rule=slow))
    patient.know_first(first, took=4.0)
    assert patient.of_epoch(PLAN, first) == pytest.approx(4.0 / PLAN.epochs)
    expected = later.seconds / sum(history.epochs[-1] for history in later.histories) * len(later.members)
    assert patient.of_epoch(PLAN, later) == pytest.approx(expected)


def test_where_time_is_short_wholes_are_tried_before_single_remedies(pace, tried):
    pace(1e-3)
    patient = rounds(7, shortening=1.0, in_heats=False)
    sick = dataclasses.replace(PLAN, network=MLP(widths=(8,), activation="sigmoid"), l2=1.0)
    patient.arm = dataclasses.replace(patient.arm, plan=sick)
    list(patient._try_remedies("training"))
    assert tried[0]
    assert all(code.startswith("sound-") for code in tried[0])


@pytest.mark.parametrize(
    ("seconds", "took", "shortening", "share"),
    [
        pytest.param(7, 1.0, 1.0, FINAL_SHARE, id="the usual share is enough"),
        # four epochs in 2 s, of which 85 % are planned, and 5 % of 7 s for the report
        pytest.param(7, 2.0, 1.0, (2 / 0.85 + 0.35) / 7, id="more is kept for the epochs asked for"),
        pytest.param(7, 1.0, 0.5, (2 / 0.85 + 0.35) / 7, id="trials have half of these epochs"),
        pytest.param(7, 7.0, 1.0, MOST_KEPT, id="trials have their part in any case"),
        pytest.param(60, 50.0, 1.0, FINAL_SHARE, id="time is not short"),
    ],
)
def test_where_time_is_short_what_the_final_training_needs_is_kept(
    monkeypatch, seconds, took, shortening, share
):
    monkeypatch.setattr("goodfit.procedure.costs.WORTH_MEASURING", 0.0)
    patient, arm = costs(seconds), votes()
    patient.know_first(arm, took=took)
    patient.keep_for_final(arm, shortening=shortening)
    assert patient.case.budget.final_share == pytest.approx(share)


def test_only_what_comes_after_the_trials_of_wholes_leaves_time_to_the_final_training(pace, tried):
    pace(1e-3)
    patient = rounds(7, shortening=1.0, in_heats=False)
    sick = dataclasses.replace(PLAN, network=MLP(widths=(8,), activation="sigmoid"), l2=1.0)
    patient.arm = dataclasses.replace(patient.arm, plan=sick)
    patient.costs.know_first(patient.arm, took=2.0)
    trials = patient._try_remedies("training")
    next(trials)
    assert patient.costs.case.budget.final_share == FINAL_SHARE
    next(trials, None)
    assert patient.costs.case.budget.final_share > FINAL_SHARE


@pytest.mark.parametrize(
    ("seconds", "took", "share"),
    [
        pytest.param(7, 1.0, FINAL_SHARE, id="both fit"),
        pytest.param(7, 5.0, CLOSING_SHARE, id="one fits: the trial's networks can be handed back"),
        pytest.param(7, 7.0, FINAL_SHARE, id="none fits"),
        pytest.param(60, 50.0, FINAL_SHARE, id="time holds more"),
        pytest.param(60, 49.0, CLOSING_SHARE, id="time is longer, and holds one"),
    ],
)
def test_where_time_is_short_a_likely_treatment_is_worth_the_final_training(
    monkeypatch, seconds, took, share
):
    monkeypatch.setattr("goodfit.procedure.costs.WORTH_MEASURING", 0.0)
    monkeypatch.setattr("goodfit.procedure.costs.measure_pace", lambda *_, **__: took / 4)
    patient, arm = costs(seconds), votes()
    patient.know_first(arm, took=took)
    patient.is_tight = took == 49.0
    patient.make_room([], arm)
    assert patient.case.budget.final_share == FINAL_SHARE
    patient.make_room(WHOLE, arm)
    assert patient.case.budget.final_share == share


def test_where_time_holds_a_few_arms_of_an_own_network_wholes_are_tried_first(pace, tried, monkeypatch):
    pace(1e-3)
    patient = rounds(60, shortening=1.0, in_heats=False)
    sick = dataclasses.replace(PLAN, network=MLP(widths=(8,), activation="sigmoid"), l2=1.0)
    patient.arm = dataclasses.replace(patient.arm, plan=sick)
    patient.costs.know_time(patient.arm)
    assert not patient.costs.holds_few
    monkeypatch.setattr(TrainedArm, "seconds", 10.0)
    patient.costs.know_time(patient.arm)
    assert not patient.costs.holds_few
    given = dataclasses.replace(sick, network=Given(factory=nn.Linear))
    own, counted = dataclasses.replace(patient.arm, plan=given), Costs(case=case())
    for told in (patient.costs, counted):
        told.know_time(own)
    assert patient.costs.holds_few
    assert not counted.holds_few
    next(patient._try_remedies("training"))
    assert tried[0]
    assert all(code.startswith("sound-") for code in tried[0])


def test_a_budget_is_short_below_eight_seconds_and_never_where_trainings_are_counted():
    assert case(7.9).budget.is_short
    assert not case(8).budget.is_short
    assert not case().budget.is_short


def test_where_the_final_training_gave_its_time_away_curves_lead_to_where_they_are(pace):
    pace(1.0)
    patient = rounds(60, shortening=0.5, in_heats=False)
    patient.costs.case.budget.final_share = CLOSING_SHARE
    assert patient.costs.final_epochs(patient.arm) == 0
    last = [history.train_score[-1] for history in patient.arm.histories]
    assert patient._projected("training") == pytest.approx(sum(last) / len(last))
