"""Which device is meant, and what is said where there is none."""

from __future__ import annotations

import pytest
import torch
from tests.engine.conftest import make_plan, make_split

from goodfit.engine.candidate import Candidate
from goodfit.engine.machine import device as device_module
from goodfit.engine.machine.device import Placement, device_named, placed, placement
from goodfit.engine.machine.failures import is_out_of_memory
from goodfit.engine.training import memory, placing
from goodfit.engine.training.loop import train
from goodfit.engine.training.placing import suitable_device
from goodfit.errors import DeviceError

NAME = "Some GPU"


@pytest.fixture
def two_gpus(monkeypatch):
    """Let torch say that it finds two GPUs; nothing can be computed on them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: NAME)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def population():
    return [Candidate(arm="a", seed=seed, plan=make_plan()) for seed in range(2)]


class TestName:
    @pytest.mark.parametrize(
        ("asked", "meant"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
    )
    def test_it_is_the_one_of_torch(self, asked, meant, two_gpus):
        assert device_named(asked) == meant

    def test_auto_is_the_processor_where_there_is_no_gpu(self, no_gpu):
        assert device_named("auto") == "cpu"

    def test_a_gpu_that_is_not_there_is_an_error_with_a_fix(self, no_gpu):
        with pytest.raises(DeviceError, match="'cuda', and torch") as caught:
            device_named("cuda")
        assert '"cpu"' in caught.value.fix

    @pytest.mark.parametrize("asked", ["tpu", "cuda:x", "cpu:1", ""])
    def test_an_unknown_one_is_an_error_with_a_fix(self, asked, two_gpus):
        with pytest.raises(DeviceError) as caught:
            device_named(asked)
        assert "auto, cpu, cuda" in caught.value.fix

    def test_a_gpu_too_many_is_an_error_with_a_fix(self, two_gpus):
        with pytest.raises(DeviceError, match="there are 2 GPUs") as caught:
            device_named("cuda:2")
        assert "cuda:1" in caught.value.fix


def fail(*arguments, **named):
    raise RuntimeError("Expected all tensors to be on the same device\nand more lines")


def test_a_placement_holds_for_a_while_even_if_something_fails():
    with placed(Placement(device="cuda:1")):
        assert placement().is_gpu
        assert torch.backends.cudnn.deterministic
    with pytest.raises(RuntimeError, match="Expected"), placed(Placement(device="cuda:1")):
        fail()
    assert placement() == Placement()
    assert not torch.backends.cudnn.deterministic


class TestSuitableDevice:
    def test_numbers_that_must_repeat_take_the_gpu_that_is_there(self, two_gpus):
        with suitable_device(population(), make_split(), asked="auto", measure=False) as where:
            assert where == placement() == Placement(device="cuda:0", reason=f"torch finds {NAME}")
        assert placement() == Placement()

    @pytest.mark.parametrize(("on_gpu", "taken"), [(0.01, "cuda:0"), (100.0, "cpu")])
    def test_where_time_counts_the_faster_one_is_taken(self, on_gpu, taken, two_gpus, monkeypatch):
        asked = []

        def pace(trial, split, seconds):
            asked.append(len(trial))
            return on_gpu if placement().is_gpu else 8.0

        monkeypatch.setattr(placing, "measure_pace", pace)
        with suitable_device(population(), make_split(), asked="auto", measure=True) as where:
            assert where.device == taken
            assert [device for device, _ in where.epoch_s] == ["cuda:0", "cpu"]
            (trained,) = train(population()[:1], make_split()) if taken == "cpu" else (None,)
        assert asked == [16, 16]
        if trained is not None:
            assert trained.history.choice.epoch_s == where.epoch_s

    def test_one_that_was_asked_for_is_not_compared(self, two_gpus, monkeypatch):
        monkeypatch.setattr(placing, "measure_pace", None)
        with suitable_device(population(), make_split(), asked="cuda:1", measure=True) as where:
            assert where.device == "cuda:1"

    def test_a_network_that_does_not_run_there_stays_on_the_processor(self, two_gpus, monkeypatch):
        monkeypatch.setattr(placing, "measure_pace", fail)
        with suitable_device(population(), make_split(), asked="auto", measure=True) as where:
            assert where.device == "cpu"
        assert (
            where.reason
            == f"the network does not run on {NAME}: Expected all tensors to be on the same device"
        )


class TestMemory:
    def test_that_of_the_gpu_counts_where_one_is_used(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (30e9, 80e9))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5e9)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 3e9)
        with placed(Placement(device="cuda:0")):
            assert memory.free_bytes() == 32e9 - memory._ROOM_BYTES

    def test_a_candidate_takes_more_there_for_the_order_of_its_rows(self):
        plan, split = make_plan(), make_split(480, 24)
        here = memory.candidate_bytes(plan, split)
        with placed(Placement(device="cuda:0")):
            assert memory.candidate_bytes(plan, split) > here + 4 * 8 * 480

    def test_its_own_error_is_known(self):
        assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory"))
        assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))


def test_a_processor_has_nothing_to_wait_for_and_takes_what_its_cache_holds():
    device_module.wait_for(device_module.PROCESSOR)
    assert device_module.times_at_once(device_module.PROCESSOR) == 1
    assert device_module.times_at_once(torch.device("cuda:0")) > 1
