"""Turns what the hooks see into notes, and the notes into an observation."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.watch import comparison
from goodfit.watch.cadence import Cadence
from goodfit.watch.curve import CourseOf
from goodfit.watch.graph import is_negated
from goodfit.watch.layers import LayerNotes
from goodfit.watch.losses import LossNotes
from goodfit.watch.networks import NetworkNotes, first_tensor, is_loss
from goodfit.watch.observation import Comparison, Nonfinite, Observation, Place
from goodfit.watch.parameters import OptimizerNotes, ParameterNotes
from goodfit.watch.places import here

LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits")
LATEST_ROWS = 512
"""Rows that the network's score in training is made of: more would tell of an earlier network."""
ALL_VALUES, EVERY_VALUE = 256, 4
ODD_OPTIONS = ("weight", "pos_weight", "label_smoothing")


class Collector:
    """Everything noted of one script.

    While it is awake it looks at every call; asleep it only takes losses and counts steps.

    Args:
        cadence: Decides when to be awake.
        wake: Called to attach the hooks of modules; ``sleep`` to detach them.
    """

    def __init__(self, cadence: Cadence, *, wake: Callable[[], None], sleep: Callable[[], None]) -> None:
        self.cadence = cadence
        self.num_steps = 0
        self._wake, self._sleep, self._is_awake = wake, sleep, False
        self._networks: weakref.WeakKeyDictionary[nn.Module, NetworkNotes] = weakref.WeakKeyDictionary()
        self._network_notes: list[NetworkNotes] = []
        self._optimizers: weakref.WeakKeyDictionary[Any, OptimizerNotes] = weakref.WeakKeyDictionary()
        self._optimizer_notes: list[OptimizerNotes] = []
        self._losses: dict[tuple[object, ...], LossNotes] = {}
        self._parameters, self._layers = ParameterNotes(), LayerNotes()
        self._objective = CourseOf()
        self._nonfinite: tuple[int, Place | None] | None = None
        self._early_schedule: Place | None = None
        self._num_negated = self._num_values = 0
        self._is_newly_broken = False
        self._unseen: dict[str, None] = {}
        self._trained: weakref.ReferenceType[nn.Module] | None = None
        self._forget_calls()
        self.wake()

    @property
    def is_awake(self) -> bool:
        """Whether every call is looked at, or an optimizer's gradients may turn out not to be cleared."""
        return self._is_awake or any(notes.is_stale for notes in self._optimizer_notes)

    def is_listening(self, value: object) -> bool:
        """Whether a loss should be told: all at first, then some; those without gradients always."""
        if not isinstance(value, Tensor):
            return False
        self._num_values += 1
        is_chosen = self._num_values < ALL_VALUES or self._num_values % EVERY_VALUE == 0
        return self._is_awake or is_chosen or not value.requires_grad

    def wake(self) -> None:
        """Look at every call from now on."""
        if not self._is_awake:
            self._is_awake = True
            self._depth = 0
            self._wake()

    def _forget_calls(self) -> None:
        self._depth = 0
        self._root: nn.Module | None = None
        self._x: Tensor | None = None
        self._network: NetworkNotes | None = None
        self._num_blind = 0
        self._data_loss: Tensor | None = None

    def entered(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        """A module is about to be called."""
        if is_loss(module):
            return
        if self._depth == 0:
            self._root = module
        self._depth += 1

    def left(
        self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], output: Any
    ) -> None:
        """A module was called."""
        if is_loss(module) or self._depth == 0:
            return
        self._depth -= 1
        if self._depth and self._root is not None:
            self._look_inside(self._root, module, first_tensor(arguments, options), output)
        elif module is self._root:
            if not any(True for _ in module.children()):
                self._look_inside(module, module, first_tensor(arguments, options), output)
            self._network_called(module, first_tensor(arguments, options))

    def _look_inside(self, root: nn.Module, module: nn.Module, x: Tensor | None, output: Any) -> None:
        output = output[0] if isinstance(output, tuple) and output else output
        if any(True for _ in module.children()) or not isinstance(output, Tensor):
            return
        if not torch.is_grad_enabled():
            return
        notes = self._notes_of(root)
        name = notes.layers.get(id(module), type(module).__name__)
        if not self._parameters.knows(module):
            is_inside = id(module) in notes.layers
            self._parameters.meet(module, prefix=f"{name}.", is_registered=is_inside)
        if root.training:
            self._layers.look(name, module, x, output)
        if self._nonfinite is not None or self.num_steps % 2 == 0:
            self._layers.look_for_break(name, module, x, output)

    def _network_called(self, network: nn.Module, x: Tensor | None) -> None:
        notes = self._notes_of(network)
        if not torch.is_grad_enabled():
            self._num_blind += 1
            if self._num_blind > 1:
                notes.evaluate(network, place=here())
            return
        self._num_blind = 0
        if any(parameter.requires_grad for parameter in network.parameters()):
            self._parameters.meet(network)
            notes.train(network, x, place=here())
            self._trained = weakref.ref(network)
        if self._x is None and x is not None and not x.requires_grad:
            self._x, self._network = x, notes

    def _notes_of(self, network: nn.Module) -> NetworkNotes:
        if network not in self._networks:
            self._networks[network] = NetworkNotes(network)
            self._network_notes.append(self._networks[network])
        return self._networks[network]

    def lost(
        self, function: str, output: Tensor, target: Tensor, options: dict[str, Any], value: Tensor
    ) -> None:
        """A loss function was called."""
        is_training = torch.is_grad_enabled() and value.requires_grad
        key = (function, output.shape[1:], target.shape[1:])
        if key not in self._losses:
            if not is_training:
                return
            is_plain = all(_is_empty(options.get(name)) for name in ODD_OPTIONS)
            self._losses[key] = LossNotes(function, is_plain=is_plain)
        notes = self._losses[key]
        notes.add(_mean_of(function, value, target, options), output, target, is_training=is_training)
        if not is_training:
            self._judged()
            return
        self._data_loss = value
        if self._is_awake:
            notes.look(output, target, place=here())
            if self._network is not None and len(output) == len(target):
                self._network.take_rows(self._x, target)

    def _judged(self) -> None:
        """A loss without gradients: the script is judging the network that it trained last."""
        network = self._trained() if self._trained is not None else None
        if network is not None:
            self._notes_of(network).evaluate(network, place=here() if network.training else None)

    def going_backward(self, tensors: Sequence[Tensor]) -> None:
        """A loss is about to be sent backward."""
        for notes in self._optimizer_notes:
            notes.ask()
        total = tensors[0]
        if len(tensors) == 1 and total.numel() == 1:
            self._objective.add(total.detach())
            if self._is_awake:
                self._look_at_sign(total)
        if self._is_awake:
            self._note_break()
        self._depth, self._x, self._num_blind = 0, None, 0

    def _look_at_sign(self, total: Tensor) -> None:
        if self._data_loss is not None and is_negated(total, self._data_loss):
            self._num_negated += 1

    def _note_break(self) -> None:
        # scaled losses may overflow on purpose under AMP: the loss functions themselves know better
        courses = [notes.course for notes in self._losses.values()] or [self._objective]
        for course in courses:
            course.settle()
            if self._nonfinite is None and course.first_nonfinite is not None:
                self._nonfinite = (self.num_steps + 1, here())
                self._is_newly_broken = True
                self.wake()

    def is_newly_broken(self) -> bool:
        """Whether a loss that is no number was seen since this was asked last."""
        is_new, self._is_newly_broken = self._is_newly_broken, False
        return is_new

    def stepping(self, optimizer: Any) -> None:
        """An optimizer is about to step."""
        self._meet(optimizer).judge()
        if self._is_awake:
            self._parameters.look()

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has stepped."""
        notes = self._meet(optimizer)
        notes.num_steps += 1
        notes.is_stale = None
        self.num_steps += 1
        self._depth = 0
        if self.cadence.is_due(self.num_steps):
            self.wake()
        elif self._is_awake and (self._nonfinite is None or self._layers.broken is not None):
            self._is_awake = False
            self._sleep()
        self._forget_calls()

    def _meet(self, optimizer: Any) -> OptimizerNotes:
        notes = self._optimizers.get(optimizer)
        if notes is None:
            notes = self._optimizers[optimizer] = OptimizerNotes(optimizer, place=here())
            self._optimizer_notes.append(notes)
        return notes

    def switched(self) -> None:
        """A network was put into another mode: what comes next is worth a look."""
        if self.cadence.is_due(self.num_steps):
            self.wake()

    def scheduled(self, scheduler: Any) -> None:
        """A scheduler is about to step, not for the first time by itself."""
        optimizer = getattr(scheduler, "optimizer", None)
        if optimizer is None or self._early_schedule is not None:
            return
        if optimizer not in self._optimizers:
            self._early_schedule = here()

    def not_seen(self, what: str) -> None:
        """Note what could not be looked at."""
        self._unseen[what] = None

    def observe(self, *, is_over: bool, is_whole: bool = True) -> Observation:
        """Freeze what is known."""
        self._objective.settle()
        self._note_break()
        nonfinite = self._nonfinite
        layer, in_weights = self._layers.broken or (None, False)
        optimized = {key for notes in self._optimizer_notes for key in notes.parameter_ids}
        return Observation(
            num_steps=self.num_steps,
            objective=self._objective.values(),
            is_negated=self._num_negated >= 3,
            losses=tuple(
                notes.record(is_over=is_over) for notes in self._losses.values() if notes.operations
            ),
            optimizers=tuple(notes.record() for notes in self._optimizer_notes),
            networks=tuple(notes.record(is_over=is_over) for notes in self._network_notes),
            parameters=self._parameters.record(optimized),
            layers=self._layers.record(),
            nonfinite=nonfinite
            and Nonfinite(step=nonfinite[0], place=nonfinite[1], layer=layer, in_weights=in_weights),
            early_schedule=self._early_schedule,
            comparison=self._compare() if is_over else None,
            unseen=tuple(self._unseen),
            is_over=is_over,
            is_whole=is_whole,
        )

    def _compare(self) -> Comparison | None:
        """Set the network beside references, if the script has one loss and one optimizer."""
        losses = [notes for notes in self._losses.values() if notes.operations]
        networks = [(notes, rows) for notes in self._network_notes if (rows := notes.rows()) is not None]
        if len(losses) != 1 or len(self._optimizer_notes) != 1 or len(networks) != 1:
            self.not_seen("comparison with references: it needs one loss, one optimizer and rows of numbers")
            return None
        notes, x_ND, targets = losses[0], *networks[0][1]
        latest = notes.rows(is_training=True, limit=LATEST_ROWS)
        if latest is None:
            return None
        checks = notes.rows(is_training=False)
        score, check = _scored(notes, *latest), _scored(notes, *checks) if checks else None
        num_outputs = math.prod(latest[0].shape[1:])
        truth = comparison.truth_of(targets, num_outputs=num_outputs, is_class_index=notes.is_class_index)
        if truth is None or score is None:
            return None
        return comparison.compare(x_ND, truth, network=score, validation=check)


def _scored(notes: LossNotes, outputs: Any, targets: Any) -> tuple[float, int] | None:
    num_outputs = math.prod(outputs.shape[1:])
    truth = comparison.truth_of(targets, num_outputs=num_outputs, is_class_index=notes.is_class_index)
    if truth is None or (truth.task == "numbers" and notes.function in LOGITS):
        return None
    return comparison.network_score(outputs, truth, is_logit=notes.function in LOGITS)


def _is_empty(option: Any) -> bool:
    return option is None or (isinstance(option, float) and option == 0.0)


def _mean_of(function: str, value: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
    if options.get("reduction") != "sum":
        return value
    is_distribution = function == "cross_entropy" and target.is_floating_point()
    return value / max(1, len(target) if is_distribution and target.ndim else target.numel())
