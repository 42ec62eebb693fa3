"""What one training run left behind: plain numbers, readable without torch.

A missing or non-finite number is ``None``, so that a history survives strict JSON;
``numpy.array(curve, dtype=float)`` turns it into NaN again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

Curve = tuple[float | None, ...]
Ending = Literal["finished", "stopped early", "diverged", "out of time"]
Way = Literal["stacked", "batched", "one by one"]


def curve(values: Iterable[float]) -> Curve:
    """Turn numbers into a curve; what is not finite becomes ``None``.

    Example:
        >>> curve([1.0, float("nan")])
        (1.0, None)
    """
    numbers = (float(value) for value in values)
    return tuple(value if abs(value) < float("inf") else None for value in numbers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """How a stack was computed, and why.

    Attributes:
        way: ``"stacked"`` for the package's own layers, written by hand; ``"batched"`` for any module that
            ``torch.func`` can batch; ``"one by one"`` for the rest, or where that is faster.
        reason: One line.
        step_us: Microseconds of one network's step in each way, where they were measured.
        waves: Parts that the candidates of one structure were cut into because memory does not hold all.
        threads: Threads inside an operation.
        processes: Processes that trained stacks of this population at the same time.
        device: Where it was computed: ``"cpu"``, or the name of the GPU.
        epoch_s: Seconds of an epoch of a usual population on each device, where a run measured them.
    """

    way: Way
    reason: str
    step_us: tuple[tuple[Way, float], ...] = ()
    waves: int = 1
    threads: int = 1
    processes: int = 1
    device: str = "cpu"
    epoch_s: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerHistory:
    """What the probes saw inside one layer that has weights; one number for each probed epoch.

    Attributes:
        layer: The layer's name in the network, first layer first in :attr:`History.layers`.
        activation: Name of the activation behind the layer; ``None`` at the output.
        num_weights: Entries of the weight tensor.
        gradient_norm: Euclidean norm of the loss gradient for the layer's weights.
        weight_norm: Euclidean norm of the weights.
        update_ratio: Norm of one step's change over the norm of the weights.
        output_mean: Mean of the activations on a probe batch.
        output_std: Standard deviation of the activations over the probe batch, averaged over units.
        zero_share: Share of activations that are exactly zero.
        dead_share: Share of units that are zero for every row of the probe batch.
        saturated_share: Share of activations within 1 % of a bound of their range
            (sigmoid and tanh); 0 for activations without bounds.
    """

    layer: str
    activation: str | None
    num_weights: int
    gradient_norm: Curve
    weight_norm: Curve
    update_ratio: Curve
    output_mean: Curve
    output_std: Curve
    zero_share: Curve
    dead_share: Curve
    saturated_share: Curve


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confidence:
    """Validation rows that a network was about equally sure of.

    Attributes:
        num_rows: How many.
        claimed: Mean probability that it gave to the class it chose.
        right: Share of them on which that class was the right one.
    """

    num_rows: int
    claimed: float
    right: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class History:
    """One candidate's training, from the first step to the last.

    Curves hold one number for each epoch in :attr:`epochs`; epoch 0 is the network before any step.
    Scores are better when higher: accuracy for classes, R squared for numbers.

    Attributes:
        arm: Name of the arm, such as ``"as it is"`` or ``"relu"``.
        seed: Which of the arm's seeds this is.
        structure: The network in words, such as ``"64-32x10-10 sigmoid"``.
        rule: Name of the update rule.
        lr: Learning rate.
        metric: Name of the score, ``"accuracy"`` or ``"r2"``.
        num_parameters: Trainable numbers of the network.
        num_rows: Rows of the training part.
        num_validation_rows: Rows of the validation part.
        batch_size: Rows of one step.
        steps_per_epoch: Steps of one epoch.
        epochs: Epoch numbers at which the curves were measured.
        train_loss: Loss on training rows, in evaluation mode.
        train_score: Score on training rows, in evaluation mode.
        validation_loss: Loss on validation rows.
        validation_score: Score on validation rows.
        probed_epochs: Epoch numbers at which :attr:`layers` was measured.
        layers: One entry for each layer with weights, first layer first.
        reliability: Validation rows at the end by how sure the network was, the least sure first; empty
            for numbers.
        variance_by_row: Variance over validation rows of the difference to the same seed of the control, row
            by row; ``None`` where no control was set beside it.
        best_epoch: Epoch with the lowest validation loss.
        ending: How the training ended.
        seconds: Share of the population's wall time.
        choice: How its stack was computed; ``None`` in records of versions that did not choose.
    """

    arm: str
    seed: int
    structure: str
    rule: str
    lr: float
    metric: str
    num_parameters: int
    num_rows: int
    num_validation_rows: int
    batch_size: int
    steps_per_epoch: int
    epochs: tuple[int, ...]
    train_loss: Curve
    train_score: Curve
    validation_loss: Curve
    validation_score: Curve
    probed_epochs: tuple[int, ...]
    layers: tuple[LayerHistory, ...]
    reliability: tuple[Confidence, ...] = ()
    variance_by_row: float | None = None
    best_epoch: int
    ending: Ending
    seconds: float
    choice: Choice | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Association:
    """How well one thing tells another, judged on rows that were not learnt from.

    Attributes:
        value: Area under the ROC curve (for numbers (1 + rank correlation) / 2): 0.5 is chance, 1 is always.
        error: Its standard error; for several classes that by chance alone.
        num_rows: Rows it was measured on.
    """

    value: float
    error: float
    num_rows: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harness:
    """What the checks before any long training measured; ``None`` where a check did not apply.

    Attributes:
        initial_loss: Loss of the fresh network on training rows, mean over seeds.
        expected_loss: Loss of a network that knows nothing: log K for cross-entropy over K classes,
            (K - 1) / K**2 for the squared loss on a softmax over K classes, the target's variance for
            the squared loss on numbers.
        one_batch_rows: Rows of the batch that the network was asked to learn by heart.
        one_batch_score: Score on that batch at the end (accuracy or R squared).
        one_batch_steps: Steps it was given.
        input_std_min: Smallest standard deviation among the inputs as the network sees them.
        input_std_max: Largest standard deviation among the inputs.
        input_abs_max: Largest absolute input.
        num_constant_inputs: Inputs that never change on training rows.
        num_nonfinite_inputs: Inputs values that are NaN or infinite.
        num_repeated_rows: Validation rows whose inputs stand in the training rows too.
        num_validation_rows: Validation rows looked at for that.
        majority_share: Share of the most frequent class; ``None`` for numbers.
        sample_leak: Largest gradient of one sample's output for another sample's inputs, over that
            for its own; 0 when samples do not see each other.
        unused_parameters: Parameters that receive no gradient from the loss.
        num_train_rows: Training rows looked at for repetitions.
        num_train_repeats: Those whose inputs stand in another training row too.
        num_contradictions: Those whose inputs stand there with another target.
        num_repeats_alike: Repeated validation rows that have the target of a training row like them.
        target_order: How alike neighbours' targets are in the order of the source: 0 by chance, 1 if
            sorted (numbers: correlation of neighbours; classes: excess of equal neighbours over chance).
        input_signal: How well trees tell the targets of training rows they have not seen.
        parts_apart: How well trees tell validation rows from training rows by their inputs.
        batch_size: Rows of a step.
        has_batch_norm: Whether a layer normalises over the batch.
        is_normalised: Whether any layer normalises its sums, so that the scale of weights matters little.
        initial_scales: For each layer but the last, the deviation of its fresh weights times the root of
            the inputs of a unit: 0.58 for torch's own start, 1.41 for He's.
        twin_layers: Layers whose units are still copies of each other after learning one batch.
        output_operation: What made the outputs, such as ``"softmax"``, or ``"addmm"`` for raw scores.
        share_out_of_reach: Share of the training targets that outputs made so can never equal; ``None`` for
            classes.
        num_outputs: Numbers that the network gives a row.
    """

    initial_loss: float | None
    expected_loss: float | None
    one_batch_rows: int
    one_batch_score: float | None
    one_batch_steps: int
    input_std_min: float | None
    input_std_max: float | None
    input_abs_max: float | None
    num_constant_inputs: int
    num_nonfinite_inputs: int
    num_repeated_rows: int
    num_validation_rows: int
    majority_share: float | None
    sample_leak: float | None
    unused_parameters: tuple[str, ...]
    num_train_rows: int = 0
    num_train_repeats: int = 0
    num_contradictions: int = 0
    num_repeats_alike: int = 0
    target_order: float | None = None
    input_signal: Association | None = None
    parts_apart: Association | None = None
    batch_size: int | None = None
    has_batch_norm: bool = False
    is_normalised: bool = False
    initial_scales: tuple[tuple[str, float], ...] = ()
    twin_layers: tuple[str, ...] = ()
    output_operation: str | None = None
    share_out_of_reach: float | None = None
    num_outputs: int | None = None
