"""Turns what the hooks see into notes, and the notes into an observation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from goodfit.watch.notes.answers import compare_answers
from goodfit.watch.notes.cadence import Cadence
from goodfit.watch.notes.calls import CallNotes
from goodfit.watch.notes.layers import LayerNotes
from goodfit.watch.notes.lingering import GraphNotes
from goodfit.watch.notes.loaders import shared_stream
from goodfit.watch.notes.losses import LossNotes
from goodfit.watch.notes.objective import ObjectiveNotes
from goodfit.watch.notes.optimizers import OptimizerNotes
from goodfit.watch.notes.parameters import ParameterNotes
from goodfit.watch.notes.places import here
from goodfit.watch.observation import Comparison, Nonfinite, Observation
from goodfit.watch.uses import Place

ODD_OPTIONS = ("weight", "pos_weight", "label_smoothing")
LONGEST_LOOK = 8
"""Steps of one look, where several optimizers take turns."""
LONGEST_CHASE = 4
"""Backward passes looked at after a loss that is no number, to see which layer broke."""
LONGEST_ROUND = 64
"""Backward passes looked at, to see whether an input that is no number comes round again."""


class Collector:
    """Everything noted of one script.

    While it is awake it looks at every call; asleep it takes some losses and counts steps.

    Args:
        cadence: Decides when to be awake.
        wake: Called to attach the hooks of modules; ``sleep`` to detach them.
    """

    def __init__(self, cadence: Cadence, *, wake: Callable[[], None], sleep: Callable[[], None]) -> None:
        self.cadence, self._wake, self._sleep = cadence, wake, sleep
        self.is_awake = False
        self._optimizers: weakref.WeakKeyDictionary[Any, OptimizerNotes] = weakref.WeakKeyDictionary()
        self._optimizer_notes: list[OptimizerNotes] = []
        self._losses: dict[tuple[object, ...], LossNotes] = {}
        self._parameters, self._layers = ParameterNotes(), LayerNotes()
        self._calls = CallNotes(self._parameters, self._layers)
        self._objective, self._graphs = ObjectiveNotes(), GraphNotes()
        self._shared_stream: tuple[str, int, Place | None] | None = None
        self._early_schedule: Place | None = None
        self._scheduled: weakref.WeakSet[Any] = weakref.WeakSet()
        self._num_chased = self._num_looked = 0
        self._is_break_told = False
        self._awaited: set[OptimizerNotes] = set()
        self._site: object = None
        self._vain: set[object] = set()
        self._unseen: dict[str, None] = {}
        self.wake()

    @property
    def num_steps(self) -> int:
        """Steps of all optimizers."""
        return self.cadence.num_steps

    @property
    def is_broken(self) -> bool:
        """Whether a loss is no number any more."""
        return self._objective.broken is not None

    def wake(self) -> None:
        """Look at every call from now on."""
        if not self.is_awake:
            self.is_awake, self._site, self._num_looked = True, None, 0
            self._awaited = set(self._optimizer_notes)
            self.cadence.hurry()
            self._calls.begin()
            self._wake()

    def rest(self) -> None:
        """End the look that is going on, if there is one."""
        if not self.is_awake:
            return
        self.is_awake = False
        self._sleep()
        if self._site is not None and not self._calls.num_blind:
            self._vain.add(self._site)
        for notes in self._optimizer_notes:
            notes.lose()
        self._calls.forget()
        self.cadence.wait_for_step()
        if self._site is not None:
            self.cadence.wait_for_evaluation()

    def entered(self, module: Any) -> None:
        """A module is about to be called."""
        self.cadence.num_calls += 1
        self._calls.entered(module)

    def left(self, module: Any, arguments: tuple[Any, ...], options: dict[str, Any], output: Any) -> None:
        """A module was called."""
        self._calls.left(module, arguments, options, output)
        if self._site is not None and self._calls.has_seen_evaluation:
            self.rest()

    def lost(
        self, function: str, output: Tensor, target: Tensor, options: dict[str, Any], value: Tensor
    ) -> None:
        """A loss function was called."""
        is_training = torch.is_grad_enabled() and value.requires_grad
        notes = self._notes_of(function, output, target, options, is_training=is_training)
        if notes is None:
            return
        notes.add(_mean_of(function, value, target, options), output, target, is_training=is_training)
        if not is_training:
            self._calls.judged()
        elif self.is_awake:
            self._objective.data_loss = value
            self._graphs.add(value, step=self.num_steps)
            if options.get("reduction") == "sum" and output.ndim:
                notes.summed_rows = max(notes.summed_rows, len(output) if len(output) > 1 else 0)
            notes.look(output, target, place=here())
            if len(output) == len(target):
                self._calls.take_rows(target)
        elif self._objective.is_to_be_read(value):
            self._note_break()

    def _notes_of(
        self, function: str, output: Tensor, target: Tensor, options: dict[str, Any], *, is_training: bool
    ) -> LossNotes | None:
        """Notes of this loss; none for one that is never trained with."""
        key = (function, output.shape[1:], target.shape[1:])
        if key not in self._losses and is_training:
            is_plain = all(_is_empty(options.get(name)) for name in ODD_OPTIONS)
            self._losses[key] = LossNotes(function, is_plain=is_plain)
        return self._losses.get(key)

    def scaling(self, value: Any) -> None:
        """A loss is about to be scaled for low precision."""
        if isinstance(value, Tensor):
            self._objective.unscaled = value

    def going_backward(self, tensors: Sequence[Tensor]) -> None:
        """A loss is about to be sent backward."""
        for notes in self._optimizer_notes:
            notes.ask()
        if len(tensors) == 1:
            self._objective.add(tensors[0])
        self._note_break()
        self._calls.going_backward()
        if self.is_broken:
            self._num_chased += 1
            if not (
                self._is_chasing() or self._is_asking()
            ):  # a scaler skips broken steps, and no step would end this look
                self.rest()

    def _note_break(self) -> None:
        courses = [notes.course for notes in self._losses.values()]
        if self._objective.note_break(courses, step=self.num_steps + 1):
            self._calls.is_looking_for_break = True
            self.wake()

    def _is_chasing(self) -> bool:
        """Whether a loss is no number any more, and the layer that broke may still show itself."""
        is_found = not self.is_broken or self._layers.broken is not None
        return not is_found and self._num_chased < LONGEST_CHASE

    def _is_asking(self) -> bool:
        """Whether a loss is no number any more, and an input that began it may still come round."""
        is_seen = not self.is_broken or any(notes.num_nonfinite for notes in self._calls.networks)
        return not is_seen and self._num_chased < LONGEST_ROUND

    def has_news(self) -> bool:
        """Whether all is known about a loss that is no number, and this was not asked since."""
        is_new = self.is_broken and not self._is_chasing() and not self._is_break_told
        self._is_break_told |= is_new
        return is_new

    def stepped(self, optimizer: Any) -> None:
        """An optimizer has stepped."""
        notes = self._meet(optimizer)
        notes.read_rate(optimizer, step=self.num_steps)
        if self.is_awake:
            self._parameters.look()
            notes.stepped()
            self._awaited.discard(notes)
            self._num_looked += 1
        self._objective.forget()
        self._calls.forget()
        is_chasing = self._is_chasing()
        self._calls.is_looking_for_break = is_chasing or self.num_steps % 2 == 0
        is_due = self.cadence.is_due(num_optimizers=len(self._optimizer_notes))
        if is_due or is_chasing or self._is_asking():
            self._site = None
            self.wake()
        elif not self._awaited or self._num_looked >= LONGEST_LOOK:
            self.rest()
        if not self.is_awake:
            self.cadence.wait_for_step()

    def _meet(self, optimizer: Any) -> OptimizerNotes:
        notes = self._optimizers.get(optimizer)
        if notes is None:
            notes = self._optimizers[optimizer] = OptimizerNotes(optimizer, place=here())
            self._optimizer_notes.append(notes)
        return notes

    def switched(self, site: object) -> None:
        """Something ends a stretch of training, such as another mode, or gradients that are switched off.

        Args:
            site: Where; a place after which no network is called is not looked at again.
        """
        if not self.is_awake and site not in self._vain:
            self.wake()
            self._site = site

    def scheduled(self, scheduler: Any) -> None:
        """A scheduler is about to step, not for the first time by itself."""
        optimizer = getattr(scheduler, "optimizer", None)
        if optimizer is None or self._early_schedule is not None or optimizer in self._scheduled:
            return
        # trainers wrap optimizers: what they share with the one that steps are the parameters
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        if any(held & notes.parameter_ids for notes in self._optimizer_notes):
            self._scheduled.add(optimizer)
        else:
            self._early_schedule = here()

    def loading(self, loader: Any) -> None:
        """A loader is about to be walked through."""
        what = shared_stream(loader)
        if what is not None:
            self._shared_stream = self._shared_stream or (what, loader.num_workers, here())

    def not_seen(self, what: str) -> None:
        """Note what could not be looked at."""
        self._unseen[what] = None

    def observe(self, *, is_over: bool, is_whole: bool = True) -> Observation:
        """Freeze what is known."""
        self._note_break()
        losses = [notes for notes in self._losses.values() if notes.operations]
        optimized = {key for notes in self._optimizer_notes for key in notes.parameter_ids}
        return Observation(
            num_steps=self.num_steps,
            objective=self._objective.course.values(),
            is_negated=self._objective.is_negated,
            losses=tuple(notes.record(is_over=is_over) for notes in losses),
            optimizers=tuple(notes.record() for notes in self._optimizer_notes),
            networks=tuple(notes.record(is_over=is_over) for notes in self._calls.networks),
            parameters=self._parameters.record(optimized),
            layers=self._layers.record(),
            nonfinite=self._nonfinite(),
            early_schedule=self._early_schedule,
            comparison=self._compare(losses) if is_over else None,
            unseen=tuple(self._unseen),
            is_over=is_over,
            is_whole=is_whole,
            is_bare=self._objective.is_bare,
            num_graphs_kept=self._graphs.num_kept,
            num_graphs_judged=self._graphs.num_judged,
            shared_stream=self._shared_stream,
        )

    def _nonfinite(self) -> Nonfinite | None:
        if self._objective.broken is None:
            return None
        step, place = self._objective.broken
        layer, in_weights = self._layers.broken or (None, False)
        return Nonfinite(step=step, place=place, layer=layer, in_weights=in_weights)

    def _compare(self, losses: Sequence[LossNotes]) -> Comparison | None:
        return compare_answers(losses, self._calls.networks) if len(self._optimizer_notes) == 1 else None


def _is_empty(option: Any) -> bool:
    return option is None or (isinstance(option, float) and option == 0.0)


def _mean_of(function: str, value: Tensor, target: Tensor, options: dict[str, Any]) -> Tensor:
    if options.get("reduction") != "sum":
        return value
    is_distribution = function == "cross_entropy" and target.is_floating_point()
    return value / max(1, len(target) if is_distribution and target.ndim else target.numel())
