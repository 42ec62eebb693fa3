"""What could not be examined, and why: silence about it would read as health."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from goodfit.diagnosis.curves import LEAST_EPOCHS
from goodfit.diagnosis.experiments import FEWEST_SEEDS
from goodfit.diagnosis.rows import FEWEST_IN_ORDER
from goodfit.engine.history import Harness, History

FEWEST_LAYERS = 3


def before_training(harness: Harness) -> dict[str, str]:
    """Say which checks of the harness measured nothing.

    Args:
        harness: What they measured.

    Returns:
        Reasons by finding, such as ``"GF008 sample-leak"``.
    """
    return dict(_before_training(harness))


def _before_training(harness: Harness) -> Iterator[tuple[str, str]]:
    is_short = not harness.one_batch_steps
    if harness.expected_loss is None or harness.expected_loss <= 0:
        yield "GF001 odd-initial-loss", "this loss has no expected value for a network that knows nothing"
    if is_short:
        yield "GF002, GF029, GF042, GF206", "too little time for checks that train networks or trees"
    if harness.one_batch_score is None and not is_short:
        why = f"after {harness.one_batch_steps} steps the time was over, or the score is no number"
        yield "GF002 one-batch-not-learnt", why
    if harness.sample_leak is None:
        yield "GF008 sample-leak", "no gradient reaches the inputs"
    if harness.target_order is None or harness.num_train_rows < FEWEST_IN_ORDER:
        yield "GF041 sorted-targets", f"fewer than {FEWEST_IN_ORDER} training rows, or one target for all"
    if harness.input_signal is None and not is_short:
        yield "GF029 unrelated-targets", "too few rows of a class, or rows, to tell a relation from chance"
    if harness.parts_apart is None and not is_short:
        yield "GF206 shifted-validation", "too few different rows in a part to tell the parts apart"
    if harness.is_normalised:
        yield "GF043 odd-weights", "layers normalise their sums, so the scale of weights matters little"
    if not harness.initial_scales:
        yield "GF042 twin-units, GF043 odd-weights", "the network has no hidden layer with weights"


def on_training(histories: Sequence[History], *, is_good: bool) -> dict[str, str]:
    """Say what was not examined about the training of one plan.

    Args:
        histories: Its seeds.
        is_good: Whether question one was answered "yes": then nothing is asked.
    """
    if is_good:
        return {"GF101 to GF123": "training was good from the start, so nothing was looked for there"}
    return dict(_on_training(histories))


def _on_training(histories: Sequence[History]) -> Iterator[tuple[str, str]]:
    inside = "GF101 to GF107, inside the layers"
    if not any(history.layers for history in histories):
        yield inside, "the network has no layers with weights that could be watched"
        return
    if all(layer.activation is None for history in histories for layer in history.layers):
        yield "GF103 to GF105, units", "no layer has an activation module behind it"
    if max(len(history.layers) for history in histories) < FEWEST_LAYERS:
        yield "GF101 vanishing-gradients", f"fewer than {FEWEST_LAYERS} layers have no way back to vanish on"
    if max(len(history.epochs) for history in histories) < LEAST_EPOCHS:
        yield "GF108 to GF112, curves", f"fewer than {LEAST_EPOCHS} points of a curve have no shape"


def on_testing(histories: Sequence[History], *, training_is_good: bool, is_good: bool) -> dict[str, str]:
    """Say what was not examined about the testing of one plan.

    Args:
        histories: Its seeds.
        training_is_good: The last answer to question one.
        is_good: The last answer to question two.
    """
    if not training_is_good:
        return {"GF201 to GF208": "training is poor, and a bad test score says nothing until it is good"}
    if is_good:
        return {"GF205 too-few-rows, GF207 over-regularised": "testing is good, so no experiment was made"}
    if not any(history.reliability for history in histories):
        return {"GF208 poor-calibration": "numbers have no probabilities, or rows are too few or weighted"}
    return {}


def experiments(missing: Mapping[str, str], *, num_seeds: int) -> dict[str, str]:
    """Say which findings lack their experiment.

    Args:
        missing: Reasons by finding.
        num_seeds: Seeds of an arm; with fewer than three no difference is judged.
    """
    if num_seeds < FEWEST_SEEDS:
        reason = f"{num_seeds} seeds decide nothing; {FEWEST_SEEDS} are needed"
        return dict.fromkeys(missing, reason) | {"GF120 to GF123, GF205, GF207": reason}
    return dict(missing)
