"""What was seen of a script that trains, as one frozen record."""

from __future__ import annotations

import dataclasses

from goodfit.watch.uses import Curve, LayerUse, LossUse, NetworkUse, OptimizerUse, ParameterUse, Place


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """How well the network answers, beside what costs nothing.

    Scores are accuracies for classes, R squared for numbers; references answer rows they were not
    fitted to.

    Attributes:
        task: ``"classes"`` or ``"numbers"``.
        num_rows: Rows the references saw.
        num_answers: Rows the network's score is made of.
        network: Score of the network on the latest training rows.
        validation: Its score on the latest rows without gradients; ``None`` if there were none.
        num_validation: Rows of that score.
        guess: Score of the best answer that ignores the inputs.
        linear: Score of a straight line.
        neighbours: Score of the nearest neighbours.
    """

    task: str
    num_rows: int
    num_answers: int
    network: float
    validation: float | None
    num_validation: int
    guess: float
    linear: float
    neighbours: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nonfinite:
    """The first loss that is no number, and the first layer that was seen to break.

    Attributes:
        step: The step at which the loss stopped being a number.
        layer: First layer whose output was not finite although its input was; ``None`` if not seen.
        in_weights: Whether that layer's parameters were not finite already.
        place: Where the loss was sent backward.
    """

    step: int
    layer: str | None
    in_weights: bool
    place: Place | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything seen of one script so far.

    Attributes:
        num_steps: Steps of all optimizers.
        objective: What was sent backward at the steps looked at, means of equally many values.
        is_negated: Whether what was sent backward is the loss with its sign turned.
        losses: Loss functions, in the order of their first calls.
        optimizers: Optimizers that stepped.
        networks: Outermost modules that were called.
        parameters: Parameters of the networks in training.
        layers: Activation layers.
        nonfinite: The first loss that is no number.
        early_schedule: Where a scheduler stepped before its optimizer ever did.
        comparison: The network beside references; only known at the end.
        unseen: What could not be looked at, and why.
        is_over: Whether the script has ended.
        is_whole: Whether it ended by itself, not by an error or an interruption.
        is_bare: Whether what is sent backward is a loss as its function returned it.
        num_graphs_kept: Most graphs of earlier steps that were alive at once.
        num_graphs_judged: Graphs of earlier steps that were looked at then.
        shared_stream: A generator that several workers of a loader have in the same state, how many they
            are, and where the loader is used.
    """

    num_steps: int
    objective: Curve
    is_negated: bool
    losses: tuple[LossUse, ...]
    optimizers: tuple[OptimizerUse, ...]
    networks: tuple[NetworkUse, ...]
    parameters: tuple[ParameterUse, ...]
    layers: tuple[LayerUse, ...]
    nonfinite: Nonfinite | None
    early_schedule: Place | None
    comparison: Comparison | None
    unseen: tuple[str, ...]
    is_over: bool
    is_whole: bool
    is_bare: bool = False
    num_graphs_kept: int = 0
    num_graphs_judged: int = 0
    shared_stream: tuple[str, int, Place | None] | None = None
