"""Steps that read their numbers are those that are told them, and whole trainings are too."""

from __future__ import annotations

import math
import weakref

import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import Tied, normalised

from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.counted import CountedStreams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.history import Choice
from goodfit.engine.machine.captured import repeated
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.garbage import uncollected
from goodfit.engine.moves.timetable import Timetable
from goodfit.engine.rows import variation
from goodfit.engine.training import stack
from goodfit.engine.training.loop import measure_pace, train
from goodfit.engine.training.stack import Stack
from goodfit.engine.training.wave import train_wave
from goodfit.engine.ways import one_by_one
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine

PLANS = {
    "plain": {},
    "dropout and noise": {"dropout": 0.3, "input_dropout": 0.2, "input_noise": 0.2},
    "penalties": {"l1": 1e-3, "l2": 1e-2, "clip_norm": 0.5, "label_smoothing": 0.1},
    "schedule": {"schedule": Cosine(warmup=0.2), "rule": rule_named("adamw", lr=0.01, weight_decay=0.1)},
    "averages": {"averaging": 0.9},
    "even averages": {"tail_averaging": 0.5},
    "early stopping": {"patience": 2, "lr": 0.3, "epochs": 12},
    "batch normalisation": {"network": MLP(widths=(7, 6), normalisation="batch")},
    "a given network": {"network": Given(factory="torch.nn:Linear")},
    "class weights": {
        "loss": Loss(name="cross-entropy", kind="classes", num_outputs=3, class_weights=(1.0, 2.0, 3.0))
    },
}


@pytest.fixture
def recorded(monkeypatch):
    """Let the processor take the steps that a GPU records."""

    def turn_on(*, counted=False):
        monkeypatch.setattr(stack, "is_recorded", lambda *_: True)
        for module in (stack, variation):
            if counted:
                monkeypatch.setattr(
                    module,
                    "streams_on",
                    lambda device, root, purpose, *, seeds: CountedStreams(
                        root, purpose, seeds=seeds, device=device
                    ),
                )

    return turn_on


def population(plan, count=3):
    return [Candidate(arm="a", seed=seed, plan=plan) for seed in range(count)]


@pytest.mark.usefixtures("double")
class TestRecordedSteps:
    @pytest.mark.parametrize("name", PLANS)
    def test_a_training_is_the_same_bit_for_bit(self, name, recorded):
        split, several = make_split(), population(make_plan(**PLANS[name]))
        told = train(several, split)
        recorded()
        for one, other in zip(train(several, split), told, strict=True):
            assert all(torch.equal(tensor, other.weights[key]) for key, tensor in one.weights.items())
            assert one.history.validation_loss == other.history.validation_loss
            assert one.history.ending == other.history.ending

    @pytest.mark.parametrize("counted", [False, True])
    def test_a_population_is_its_members_one_by_one(self, counted, recorded):
        recorded(counted=counted)
        split = make_split(cardinalities=(4,))
        plans = [make_plan(mixup=0.4, dropout=0.3, averaging=0.9), make_plan(input_noise=0.1), make_plan()]
        several = [Candidate(arm=str(i), seed=i % 2, plan=plan) for i, plan in enumerate(plans)]
        for candidate, trained in zip(several, train(several, split), strict=True):
            (alone,) = train([candidate], split)
            for name, tensor in trained.weights.items():
                torch.testing.assert_close(tensor, alone.weights[name], rtol=1e-9, atol=1e-12)

    def test_mixed_numbers_learn_as_well_as_where_shares_are_drawn_step_by_step(self, recorded):
        loss = Loss(name="squared", kind="numbers", num_outputs=1)
        split = make_split(400, 200, numbers=True)
        several = population(make_plan(loss=loss, mixup=0.3, epochs=15))
        told = train(several, split)
        recorded()
        scores = [[t.history.validation_score[-1] for t in found] for found in (told, train(several, split))]
        assert sum(scores[0]) / 3 == pytest.approx(sum(scores[1]) / 3, abs=0.05)

    def test_their_pace_is_measured(self, recorded):
        recorded()
        assert 0 < measure_pace(population(make_plan()), make_split(), seconds=0.01) < 10


def test_a_processor_gains_nothing_from_recording_and_simply_calls():
    def body():
        raise AssertionError("not yet")

    assert repeated(body, PROCESSOR, is_steady=lambda: True) is body


def test_a_stack_is_gone_as_soon_as_nobody_holds_it(recorded):
    recorded()
    trained = Stack(population(make_plan(epochs=2)), make_split(), Choice(way="stacked", reason="test"))
    trained.begin()
    while trained.advance(math.inf):
        pass
    parts = [weakref.ref(part) for part in (trained._steps, trained._backend, trained._pool)]
    with uncollected():
        del trained
        assert [part() for part in parts] == [None] * 3


def test_a_timetable_keeps_its_place_and_its_memory():
    timetable = Timetable(PROCESSOR)
    timetable.write({"rate": torch.tensor([1.0, 2.0, 3.0])})
    seen = []
    for _ in range(3):
        seen.append(timetable.now("rate").item())
        timetable.move_on()
    assert seen == [1, 2, 3]
    whole, place_1 = timetable.whole("rate")
    timetable.write({"rate": torch.tensor([4.0, 5.0, 6.0])})
    assert timetable.now("rate").item() == 4
    assert timetable.whole("rate")[0] is whole
    assert timetable.whole("rate")[1] is place_1
    assert not timetable.has("share")
    assert math.isclose(whole.sum().item(), 15)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("way", ["one by one", "batched"])
@pytest.mark.parametrize("factory", [normalised, Tied], ids=["normalised", "tied, frozen and replaced"])
def test_modules_that_hold_copies_train_as_those_that_hold_the_rows(factory, way, recorded, monkeypatch):
    split, several = make_split(), population(make_plan(network=Given(factory=factory), averaging=0.9))

    def run():
        choice = Choice(way=way, reason="test")
        return train_wave(several, split, choice, deadline=math.inf, progress=lambda share: None)

    expected = run()
    monkeypatch.setattr(one_by_one, "wants_copies", lambda device: True)
    recorded()
    for one, other in zip(run(), expected, strict=True):
        assert one.weights.keys() == other.weights.keys()
        assert all(torch.equal(tensor, other.weights[key]) for key, tensor in one.weights.items())
        assert one.history.validation_loss == other.history.validation_loss
