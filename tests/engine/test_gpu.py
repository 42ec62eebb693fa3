"""What a GPU computes: the same as the processor, stacked as alone, recorded as told step by step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.engine.conftest import make_plan, make_split
from tests.engine.given_networks import Noisy, normalised

from goodfit.engine.candidate import Candidate
from goodfit.engine.chance import counted
from goodfit.engine.chance.counted import CountedStreams
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.device import Placement, placed, placement
from goodfit.engine.machine.kernels import kernels_on
from goodfit.engine.moves import tabled
from goodfit.engine.rows import variation
from goodfit.engine.training import loop, memory, stack, wave
from goodfit.engine.training import steps as steps_module
from goodfit.engine.training.loop import measure_pace, train
from goodfit.engine.training.placing import suitable_device
from goodfit.engine.training.stack import Stack
from goodfit.nets.cnn import CNN
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named
from goodfit.rules.schedules import Cosine

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda:0")
ON_GPU = Placement(device="cuda:0")
RULES = tuple(tabled.NUMBERS)
NETWORKS = [
    MLP(widths=(7, 7), activation="relu", normalisation="batch"),
    MLP(widths=(7, 7), activation="gelu", normalisation="layer", skip=True),
    MLP(widths=(6,), activation="maxout", pieces=3),
    MLP(widths=(7, 7), activation="prelu", initialisation="he"),
    MLP(widths=()),
]
BY_ALL_MEANS = {
    "dropout": 0.3,
    "input_dropout": 0.2,
    "l1": 1e-3,
    "l2": 1e-2,
    "label_smoothing": 0.1,
    "clip_norm": 0.5,
    "averaging": 0.9,
    "mixup": 0.4,
    "input_noise": 0.2,
    "schedule": Cosine(warmup=0.2),
}


@pytest.fixture
def on_gpu():
    with placed(ON_GPU):
        yield


def population(plan, count=3):
    return [Candidate(arm="a", seed=seed, plan=plan) for seed in range(count)]


def plan_by(rule, **changes):
    return make_plan(rule=replace(rule_named(rule, lr=0.01), weight_decay=0.1), **(BY_ALL_MEANS | changes))


def assert_same(found, expected, *, rtol, atol=1e-11):
    for one, other in zip(found, expected, strict=True):
        for name, tensor in one.weights.items():
            torch.testing.assert_close(tensor, other.weights[name], rtol=rtol, atol=atol)
        np.testing.assert_allclose(one.predicted_NO, other.predicted_NO, rtol=rtol, atol=atol)
        assert one.history.validation_loss == pytest.approx(other.history.validation_loss, rel=rtol)


def images():
    rows = make_split(48, 24, num_inputs=64)
    return replace(
        rows,
        train=replace(rows.train, x=rows.train.x.view(-1, 1, 8, 8)),
        validation=replace(rows.validation, x=rows.validation.x.view(-1, 1, 8, 8)),
    )


def counting_streams(device, root, purpose, *, seeds):
    return CountedStreams(root, purpose, seeds=seeds, device=device)


@pytest.mark.usefixtures("double")
class TestInDoublePrecision:
    @pytest.mark.parametrize("rule", RULES)
    def test_a_population_is_its_members_one_by_one(self, rule, on_gpu):
        split = make_split(cardinalities=(4,))
        plans = [plan_by(rule), plan_by(rule, dropout=0.0, averaging=0.0), make_plan(rule=rule)]
        several = [Candidate(arm=str(i), seed=i % 2, plan=plan) for i, plan in enumerate(plans)]
        together = train(several, split)
        for candidate, trained in zip(several, together, strict=True):
            assert_same([trained], train([candidate], split), rtol=1e-9)

    @pytest.mark.parametrize("rule", RULES)
    def test_it_computes_what_the_processor_does(self, rule, monkeypatch):
        for module in (stack, variation):
            monkeypatch.setattr(module, "streams_on", counting_streams)
        monkeypatch.setattr(stack, "is_recorded", lambda *_: True)
        split, several = make_split(cardinalities=(4,)), population(plan_by(rule))
        here = train(several, split)
        with placed(ON_GPU):
            assert_same(train(several, split), here, rtol=1e-9)

    @pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.describe())
    def test_every_structure(self, network, monkeypatch):
        for module in (stack, variation):
            monkeypatch.setattr(module, "streams_on", counting_streams)
        monkeypatch.setattr(stack, "is_recorded", lambda *_: True)
        split = make_split(cardinalities=(4, 9))
        several = population(make_plan(network=network, dropout=0.2, patience=2))
        here = train(several, split)
        with placed(ON_GPU):
            assert_same(train(several, split), here, rtol=1e-8)

    def test_rules_share_a_stack(self, on_gpu):
        split = make_split()
        several = [
            Candidate(arm=rule, seed=0, plan=make_plan(rule=rule, lr=1e-3, dropout=0.3)) for rule in RULES
        ]
        for candidate, trained in zip(several, train(several, split), strict=True):
            assert_same([trained], train([candidate], split), rtol=1e-9)

    def test_numbers_and_folds(self, on_gpu):
        split = make_split(numbers=True)
        loss = Loss(name="huber", kind="numbers", num_outputs=1)
        plan = make_plan(loss=loss, mixup=0.4)
        several = [Candidate(arm="a", seed=k, plan=plan, fold=(k, 3)) for k in range(3)]
        for candidate, trained in zip(several, train(several, split), strict=True):
            assert_same([trained], train([candidate], split), rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_recorded_steps_are_those_told_one_by_one_bit_for_bit(rule, on_gpu, monkeypatch):
    split, several = make_split(cardinalities=(4,)), population(plan_by(rule))
    recorded = train(several, split)
    monkeypatch.setattr(steps_module, "repeated", lambda body, device, is_steady: body)
    for one, other in zip(recorded, train(several, split), strict=True):
        assert all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())


def test_the_same_seed_gives_the_same_numbers_every_time(on_gpu):
    split, several = make_split(200, 60, cardinalities=(4, 9)), population(plan_by("adam"), 40)
    for one, other in zip(train(several, split), train(several, split), strict=True):
        assert all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())
        assert one.history.validation_loss == other.history.validation_loss


def test_what_comes_back_lies_on_the_processor(on_gpu):
    for trained in train(population(make_plan()), make_split()):
        assert {tensor.device.type for tensor in trained.weights.values()} == {"cpu"}
        assert trained.history.choice.device == torch.cuda.get_device_name(0)


def test_those_who_leave_change_nothing_for_those_who_stay(on_gpu):
    split = make_split()
    network = MLP(widths=(7, 6))
    diverging = make_plan(network=network, lr=1e30, epochs=6)
    stopping = make_plan(network=network, lr=0.3, epochs=6, patience=1)
    staying = make_plan(network=network, rule="gradient-descent", lr=0.05, epochs=6)
    several = [
        Candidate(arm=str(i), seed=i, plan=plan)
        for i, plan in enumerate((staying, diverging, stopping, diverging, staying))
    ]
    found = train(several, split)
    endings = [t.history.ending for t in found]
    assert endings == ["finished", "diverged", "stopped early", "diverged", "finished"]
    alone = [train([several[k]], split)[0] for k in (0, 4)]
    assert_same([found[0], found[4]], alone, rtol=1e-4, atol=1e-6)


class TestKernels:
    @pytest.mark.parametrize("rule", RULES)
    def test_a_rule_moves_as_by_operations_of_torch(self, rule):
        generator = torch.Generator().manual_seed(0)
        w_KP, g_KP = (torch.randn(5, 3001, generator=generator).to(GPU) for _ in range(2))
        kernels = kernels_on(w_KP)
        assert kernels is not None
        start = type(rule_named(rule, lr=0.1)).start(w_KP)
        states = [
            {name: slot + torch.rand(slot.shape, generator=generator).to(GPU) for name, slot in start.items()}
        ]
        states.append({name: slot.clone() for name, slot in states[0].items()})
        count = {"gradient-descent": 0, "momentum": 1, "nesterov": 1, "adagrad": 1, "rmsprop": 2}.get(rule, 3)
        numbers_CK = torch.rand(2 + count, 5, generator=generator).to(GPU)
        decays_P = (torch.arange(3001, device=GPU) % 2).float()
        moved_KP = w_KP.clone()
        table_SCK = torch.stack([torch.zeros_like(numbers_CK), numbers_CK])
        numbers = (table_SCK, torch.ones(1, dtype=torch.long, device=GPU))
        kernels.move(rule, moved_KP, g_KP.clone(), states[0], numbers, decays_P=decays_P)
        rate_K1, kept_K1, *own = numbers_CK.unsqueeze(-1)
        expected_KP = torch.where(decays_P > 0, w_KP * kept_K1, w_KP)
        tabled.MOVES[rule](expected_KP, g_KP.clone(), states[1], rate_K1, *own)
        torch.testing.assert_close(moved_KP, expected_KP, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(states[0], states[1], rtol=1e-5, atol=1e-6)

    def test_dropout_masks_are_those_drawn_without_a_kernel(self, monkeypatch):
        rate_K1 = torch.tensor([[0.0], [0.3], [0.9]])
        here = CountedStreams(0, "x", seeds=[1, 2, 1], device=torch.device("cpu"))
        there = CountedStreams(0, "x", seeds=[1, 2, 1], device=GPU)
        plain = CountedStreams(0, "x", seeds=[1, 2, 1], device=GPU)
        for _ in range(2):
            mask = there.dropout_mask((33, 50), rate_K1.to(GPU))
            assert torch.equal(mask.cpu(), here.dropout_mask((33, 50), rate_K1))
            with monkeypatch.context() as patch:
                patch.setattr(counted, "kernels_on", lambda like: None)
                assert torch.equal(mask, plain.dropout_mask((33, 50), rate_K1.to(GPU)))

    def test_random_numbers_are_those_of_the_processor(self):
        here, there = (CountedStreams(3, "x", seeds=[4, 5], device=d) for d in (torch.device("cpu"), GPU))
        assert torch.equal(there.permutations(5000).cpu(), here.permutations(5000))
        assert torch.equal(there.uniform((7, 9)).cpu(), here.uniform((7, 9)))

    def test_trainings_are_the_same_without_kernels(self, on_gpu, monkeypatch):
        split, several = make_split(), population(plan_by("adamw"))
        with_kernels = train(several, split)
        for module in (counted, tabled):
            monkeypatch.setattr(module, "kernels_on", lambda like: None)
        assert_same(train(several, split), with_kernels, rtol=1e-2, atol=1e-3)


class TestOtherNetworks:
    @pytest.mark.parametrize(
        ("network", "way", "is_recorded"),
        [
            (CNN(channels=(4,), widths=(8,), normalisation="batch"), "batched", True),
            (CNN(channels=(4,), widths=(8,), normalisation="batch"), "one by one", True),
            (Given(factory=normalised), "one by one", False),
            (MLP(widths=(5,)), "stacked", True),
        ],
    )
    def test_steps_are_recorded_where_all_are_alike(self, network, way, is_recorded, on_gpu, monkeypatch):
        calls, original = [], steps_module.recorded_step

        def step(*arguments):
            calls.append(1)
            original(*arguments)

        monkeypatch.setattr(steps_module, "recorded_step", step)
        split = images() if isinstance(network, CNN) else make_split()
        several = population(make_plan(network=network, epochs=4))
        choice = loop.Choice(way=way, reason="test")
        wave.train_wave(several, split, choice, deadline=math.inf, progress=lambda share: None)
        assert len(calls) == (2 if is_recorded else 4 * 3)

    @pytest.mark.parametrize("way", ["batched", "one by one"])
    def test_a_cnn_trains_as_on_the_processor(self, way, monkeypatch):
        shaped = images()
        several = population(make_plan(network=CNN(channels=(4,), widths=(8,)), epochs=2))
        chosen = loop.Choice(way=way, reason="test")
        monkeypatch.setattr(stack, "streams_on", counting_streams)
        monkeypatch.setattr(stack, "is_recorded", lambda *_: True)

        def run():
            return wave.train_wave(several, shaped, chosen, deadline=math.inf, progress=lambda share: None)

        here = run()
        with placed(ON_GPU):
            assert_same(run(), here, rtol=1e-2, atol=1e-3)

    def test_dropout_of_a_module_is_each_candidates_own(self, on_gpu):
        split = make_split()
        several = population(make_plan(network=Given(factory=normalised), epochs=2))
        together = train(several, split)
        for candidate, trained in zip(several, together, strict=True):
            assert_same([trained], train([candidate], split), rtol=1e-3, atol=1e-4)


def test_a_network_that_keeps_numbers_on_the_processor_is_computed_there():
    several = population(make_plan(network=Given(factory=Noisy)))
    with suitable_device(several, make_split(), asked="cuda", measure=False) as where:
        assert where.device == "cpu"
        assert "does not run on" in where.reason


@pytest.mark.parametrize("measure", [False, True])
def test_a_gpu_that_is_there_is_found(measure):
    with suitable_device(population(make_plan()), make_split(), asked="auto", measure=measure) as where:
        assert where.is_gpu or measure
        assert bool(where.epoch_s) == measure
    assert placement().device == "cpu"


class TestMemory:
    def test_what_is_free_is_read_from_the_gpu(self, on_gpu):
        total = torch.cuda.get_device_properties(0).total_memory
        assert 0 < memory.free_bytes() <= total

    def test_a_stack_that_does_not_fit_is_halved(self, on_gpu, monkeypatch):
        class Tight(Stack):
            def __init__(self, candidates, split, choice):
                if len(candidates) > 2:
                    torch.empty(2**50, device=GPU)
                super().__init__(candidates, split, choice)

        split, several = make_split(), population(make_plan(), 6)
        whole = train(several, split)
        monkeypatch.setattr(wave, "Stack", Tight)
        cut = train(several, split)
        assert [t.history.choice.waves for t in cut] == [4] * 6
        assert_same(cut, whole, rtol=1e-3, atol=1e-4)

    def test_running_out_while_a_step_is_recorded_is_survived(self, on_gpu, monkeypatch):
        original = steps_module.recorded_step

        def step(parts, rates, timetable):
            original(parts, rates, timetable)
            if torch.cuda.is_current_stream_capturing() and parts.backend.num_candidates > 2:
                torch.empty(2**50, device=GPU)

        monkeypatch.setattr(steps_module, "recorded_step", step)
        assert {t.history.choice.waves for t in train(population(make_plan(), 4), make_split())} == {2}

    def test_there_are_waves_where_little_is_free(self, on_gpu, monkeypatch):
        plan, split = make_plan(), make_split()
        monkeypatch.setattr(
            memory, "free_bytes", lambda: 2 * memory.candidate_bytes(plan, split) / memory.WORTH_TAKING
        )
        assert {t.history.choice.waves for t in train(population(plan, 6), split)} == {3}

    def test_a_candidate_takes_about_what_was_planned_for(self, on_gpu):
        split = make_split(2000, 500, num_inputs=64)
        plan = make_plan(network=MLP(widths=(64, 64)), batch_size=64, epochs=1)
        peaks = {}
        for count in (2, 256, 1024):
            torch.cuda.reset_peak_memory_stats()
            train(population(plan, count), split)
            peaks[count] = torch.cuda.max_memory_allocated()
        planned = memory.candidate_bytes(plan, split) / memory.WORTH_TAKING
        assert peaks[1024] - peaks[2] < memory._ROOM_BYTES + 1022 * planned
        assert 0.1 * planned < (peaks[1024] - peaks[256]) / 768 < planned


def test_steps_in_bfloat16_learn_too(on_gpu):
    split = make_split(200, 100)
    exact, rounded = (
        train(population(make_plan(epochs=20, precision=precision)), split)
        for precision in ("float32", "bfloat16")
    )
    for one, other in zip(exact, rounded, strict=True):
        assert other.weights["output.weight"].dtype == torch.float32
        assert other.history.validation_score[-1] == pytest.approx(one.history.validation_score[-1], abs=0.15)


def test_the_pace_of_a_population_is_measured(on_gpu):
    assert 0 < measure_pace(population(make_plan()), make_split(), seconds=0.02) < 5


def test_a_run_on_a_gpu_is_saved_and_predicts_on_the_processor(tmp_path):
    import goodfit
    from goodfit.store.folder import load, save

    generator = np.random.default_rng(0)
    y_N = generator.integers(3, size=400)
    x_ND = generator.normal(size=(3, 6))[y_N] + generator.normal(size=(400, 6))
    fitted = goodfit.fit(x_ND, y_N, device="cuda", max_trainings=12, num_seeds=3, epochs=5)
    assert torch.cuda.get_device_name(0) in fitted.run.machine
    folder = save(fitted, tmp_path / "run")
    again = load(folder).predict(x_ND[:5])
    assert list(again["prediction"]) == list(fitted.predict(x_ND[:5])["prediction"])
