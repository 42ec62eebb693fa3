"""How a script uses what a training consists of: losses, optimizers, networks, parameters, layers.

Plain numbers, so that findings can be made anywhere.
"""

from __future__ import annotations

import dataclasses

Curve = tuple[float, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A line of the user's script."""

    file: str
    line: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """The numbers that a network was given.

    Attributes:
        std_max: Largest standard deviation of an input.
        std_min: Smallest one that is not zero, of the inputs with more than ten values.
        abs_max: Largest absolute value.
        offset: Largest distance of an input's mean from zero, in its own standard deviations.
        mean_max: Largest absolute mean.
        num_nonfinite: Values that are NaN or infinite.
    """

    std_max: float
    std_min: float
    abs_max: float
    offset: float
    mean_max: float
    num_nonfinite: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossUse:
    """One loss function, as the script calls it in training.

    Attributes:
        function: Its name in ``torch.nn.functional``.
        place: Where it is called.
        operations: What made the outputs that it was given, the last operation first.
        output_shape: Shape of the outputs.
        target_shape: Shape of the targets.
        is_class_index: Whether targets are class numbers.
        output_low: Smallest output.
        output_high: Largest output.
        target_low: Smallest target.
        target_high: Largest target.
        below_zero: Share of targets clearly below 0.
        below_minus_one: Share of targets clearly below -1.
        above_one: Share of targets clearly above 1.
        is_distribution: Whether rows of outputs (of their exponentials for ``nll_loss``) sum to one.
        is_target_distribution: Whether rows of targets sum to one; ``None`` for single numbers.
        is_target_constant: Whether every target was the same.
        target_scale: Root mean square of the targets.
        output_spread: Standard deviation of the latest outputs over rows, as a share of their size;
            ``None`` if too few rows were seen.
        num_calls: How often it was called with gradients.
        curve: Its values over the run, means of equally many calls.
        guess: What the best answer that ignores the inputs would have, in the same units.
        summed_rows: Most rows of a batch that it was summed over; 0 for means.
        apart: Share of the targets' variance that lies between batches; ``None`` with too few of them.
    """

    function: str
    place: Place | None
    operations: tuple[str, ...]
    output_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    is_class_index: bool
    output_low: float
    output_high: float
    target_low: float
    target_high: float
    below_zero: float
    below_minus_one: float
    above_one: float
    is_distribution: bool
    is_target_distribution: bool | None
    is_target_constant: bool
    target_scale: float
    output_spread: float | None
    num_calls: int
    curve: Curve
    guess: float | None
    summed_rows: int = 0
    apart: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerUse:
    """One optimizer at work.

    Attributes:
        kind: Its class.
        lr: Learning rate, the largest of its groups, at the first step.
        momentum: Momentum of its first group, 0 without.
        num_judged: Steps of which it is known whether gradients had been cleared before.
        num_stale: Of these, steps that used gradients of an earlier step.
        place: Where it steps.
        num_twice: Parameters that it holds more than once.
        num_idle: Steps at the end with a learning rate next to zero, after a larger one.
        weight_decay: Largest of its groups.
        num_decayed_vectors: Parameters with one axis under weight decay.
        num_decayed_matrices: Parameters with more axes under weight decay.
        is_coupled: Whether an adaptive rule adds weight decay to the gradients.
    """

    kind: str
    lr: float
    momentum: float
    num_judged: int
    num_stale: int
    place: Place | None
    num_twice: int = 0
    num_idle: int = 0
    weight_decay: float = 0.0
    num_decayed_vectors: int = 0
    num_decayed_matrices: int = 0
    is_coupled: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fresh:
    """One network before its first step.

    Attributes:
        num_parameters: Numbers in its parameters.
        num_frozen: Of these, numbers that ask for no gradients.
        scales: For each hidden layer the deviation of its weights times the root of a unit's inputs; empty
            where layers normalise their sums.
        twin_layers: Hidden layers whose units began as copies of each other and are copies at the end.
    """

    num_parameters: int
    num_frozen: int
    scales: tuple[tuple[str, float], ...]
    twin_layers: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkUse:
    """One network, as the script calls it.

    Attributes:
        name: Its class.
        place: Where it is called in training.
        has_modes: Whether dropout or batch-norm make its two modes differ.
        has_batch_norm: Whether it holds a batch-norm layer that uses the batch.
        num_training: Calls with gradients that were looked at.
        num_training_in_eval: Of these, calls in evaluation mode.
        num_evaluations: Calls without gradients, in a row or with a loss, that were looked at.
        num_evaluations_in_train: Of these, calls in training mode.
        largest_batch: Most rows of one training call.
        num_rows: Distinct rows of numbers that were kept; 0 for other inputs.
        inputs: The numbers it was given; ``None`` if they are no floats.
        evaluation_place: Where it was evaluated in training mode.
        fresh: What it was before its first step.
    """

    name: str
    place: Place | None
    has_modes: bool
    has_batch_norm: bool
    num_training: int
    num_training_in_eval: int
    num_evaluations: int
    num_evaluations_in_train: int
    largest_batch: int
    num_rows: int
    inputs: Inputs | None
    evaluation_place: Place | None
    fresh: Fresh


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParameterUse:
    """One parameter of a network in training.

    Attributes:
        name: Its name in the network.
        size: Its number of elements.
        is_trainable: Whether it asks for gradients.
        is_optimized: Whether an optimizer that steps holds it.
        is_registered: Whether the network lists it among its parameters.
        is_reached: Whether autograd ever handed it a gradient, zero or not.
        had_gradient: Whether a gradient that is not zero ever reached it.
        movement: Distance from its start over the size of the start; ``None`` if not measured.
        gradient: Root mean square of its gradients, median over the steps looked at.
        relative_gradient: Largest gradient norm over its own norm.
        is_matrix: Whether it has two axes or more.
    """

    name: str
    size: int
    is_trainable: bool
    is_optimized: bool
    is_registered: bool
    is_reached: bool
    had_gradient: bool
    movement: float | None
    gradient: float
    relative_gradient: float
    is_matrix: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerUse:
    """One activation layer at the last look.

    Attributes:
        name: Its name in the network.
        kind: Its class.
        dead_share: Share of units that are zero for every row.
        saturated_share: Share of activations at their bounds.
    """

    name: str
    kind: str
    dead_share: float
    saturated_share: float
