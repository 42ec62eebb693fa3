"""What could not be examined is said, with a reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tests.diagnosis.test_before import HEALTHY

from goodfit.diagnosis import unchecked
from goodfit.engine.history import History

Trained = Callable[..., tuple[History, ...]]


def codes(reasons: dict[str, str]) -> set[str]:
    assert all(reasons.values())
    return {name.split(" ")[0] for name in reasons}


def test_a_whole_harness_leaves_nothing_unchecked() -> None:
    assert unchecked.before_training(HEALTHY) == {}


def test_checks_that_measured_nothing_are_named() -> None:
    blind = dataclasses.replace(
        HEALTHY,
        expected_loss=None,
        one_batch_score=None,
        sample_leak=None,
        target_order=None,
        input_signal=None,
        parts_apart=None,
        is_normalised=True,
        initial_scales=(),
    )
    found = codes(unchecked.before_training(blind))
    assert found == {"GF001", "GF002", "GF008", "GF041", "GF029", "GF206", "GF043", "GF042"}


def test_checks_that_a_short_time_did_not_hold_are_named_with_that_reason() -> None:
    hurried = dataclasses.replace(
        HEALTHY, one_batch_steps=0, one_batch_score=None, input_signal=None, parts_apart=None
    )
    assert unchecked.before_training(hurried) == {
        "GF002, GF029, GF042, GF206": "too little time for checks that train networks or trees"
    }


def test_good_training_is_not_looked_into_and_says_so(trained: Trained) -> None:
    assert codes(unchecked.on_training(trained(), is_good=True)) == {"GF101"}


def test_what_cannot_be_seen_of_a_training_is_named(trained: Trained) -> None:
    history = trained()[0]
    blind = dataclasses.replace(history, layers=())
    assert codes(unchecked.on_training([blind], is_good=False)) == {"GF101"}
    assert codes(unchecked.on_training([history], is_good=False)) == {"GF101"}  # two layers
    deep = trained(widths=(32, 32), rule="adam", lr=2e-3)
    assert unchecked.on_training(deep, is_good=False) == {}
    functional = [
        dataclasses.replace(h, layers=tuple(dataclasses.replace(x, activation=None) for x in h.layers))
        for h in deep
    ]
    assert codes(unchecked.on_training(functional, is_good=False)) == {"GF103"}


def test_testing_is_not_examined_while_training_is_poor(trained: Trained) -> None:
    found = unchecked.on_testing(trained(), training_is_good=False, is_good=False)
    assert "training is poor" in found["GF201 to GF208"]


def test_numbers_have_no_calibration_and_say_so(trained: Trained) -> None:
    numbers = trained(data="line", widths=(16,), lr=0.05)
    assert codes(unchecked.on_testing(numbers, training_is_good=True, is_good=False)) == {"GF208"}


def test_two_seeds_make_no_experiment() -> None:
    assert "2 seeds" in unchecked.experiments({}, num_seeds=2)["GF120 to GF123, GF205, GF207"]
    assert unchecked.experiments({"GF121": "no time left"}, num_seeds=4) == {"GF121": "no time left"}
