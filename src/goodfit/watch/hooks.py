"""Torch's global hooks, attached for as long as a script is watched.

Modules and optimizers have public global hooks. Loss functions, ``backward``, schedulers and the switches of
modes and gradients have none: these are wrapped where they stand, and put back. Between two looks the modules
have no hooks at all, ``backward`` no wrapper, and what is left only counts.
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from goodfit.watch.notes.cadence import Cadence
from goodfit.watch.notes.collector import Collector
from goodfit.watch.toll import toll_of, toll_of_call
from goodfit.watch.wrapping import LOSSES, SCHEDULERS, SWITCHES, is_transformed, site_of, wrap

COMPILED = "layers inside of what torch.compile made: only calls from outside are seen"
NEVER = sys.maxsize


class Hooks:
    """Attaches a collector to torch, and takes it off again.

    Nothing that goes wrong in the collector reaches the script: the hooks are taken off and the reason kept.

    Args:
        on_step: Called after every step that was looked at, with the collector.
        on_failure: Called once with what went wrong.
    """

    def __init__(
        self, *, on_step: Callable[[Collector], None], on_failure: Callable[[Exception], None]
    ) -> None:
        self._on_step, self._on_failure = on_step, on_failure
        self._undo: list[Callable[[], None]] = []
        self._module_hooks: list[Any] = []
        self._undo_awake: list[Callable[[], None]] = []
        self._compiled: weakref.WeakSet[nn.Module] | None = None
        self._is_attached = self._is_inside = self._is_going_backward = False
        self._known: set[int] = set()
        self.cadence = self._rehearse()
        self.collector = Collector(self.cadence, wake=self._wake, sleep=self._sleep)
        self.attach()

    def _rehearse(self) -> Cadence:
        """Measure what passing by costs on this machine, and start to count."""
        self.cadence = Cadence()
        self.cadence.next_loss = NEVER
        toll = toll_of(functools.partial(self._loss, "none"))
        return Cadence(toll=toll, toll_of_call=toll_of_call(lambda *_: self._tell(lambda: None)))

    def attach(self) -> None:
        """Attach to torch, for the first time or after :meth:`detach`."""
        self._is_attached = True
        self._undo.append(register_optimizer_step_post_hook(self._stepped).remove)
        for name in LOSSES:
            self._undo.append(wrap(torch.nn.functional, name, functools.partial(self._loss, name)))
        self._undo += [
            wrap(torch, "compile", self._compile),
            wrap(nn.Module, "compile", self._compile),
            wrap(nn.Module, "train", self._train),
            wrap(torch.utils.data.DataLoader, "__iter__", self._load),
            *(wrap(switch, "__enter__", self._gradients_off) for switch in SWITCHES),
            *(wrap(kind, "step", self._schedule) for kind in SCHEDULERS if "step" in vars(kind)),
        ]
        if self.collector.is_awake:
            self._wake()

    def detach(self) -> None:
        """Leave torch as it was found; what is known stays."""
        self._is_attached = False
        self._sleep()
        while self._undo:
            self._undo.pop()()

    def _wake(self) -> None:
        if not self._is_attached or self._undo_awake:
            return
        self._undo_awake = [
            wrap(torch.autograd, "backward", self._backward),
            wrap(torch.amp.GradScaler, "scale", self._scale),
        ]
        self._listen_to_modules()

    def _listen_to_modules(self) -> None:
        if self._compiled is None:
            self._module_hooks = [
                register_module_forward_pre_hook(self._entered),
                register_module_forward_hook(self._left, with_kwargs=True),
            ]
        for module in self._compiled or ():
            before = module.register_forward_pre_hook(self._entered)
            self._module_hooks += [before, module.register_forward_hook(self._left, with_kwargs=True)]

    def _sleep(self) -> None:
        self._take_off_modules()
        while self._undo_awake:
            self._undo_awake.pop()()

    def _take_off_modules(self) -> None:
        while self._module_hooks:
            self._module_hooks.pop().remove()

    def _entered(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not is_compiling():
            self._tell(self.collector.entered, module)

    def _left(self, module: nn.Module, arguments: Any, options: dict[str, Any], output: Any) -> None:
        if not is_compiling():
            self._tell(self.collector.left, module, arguments, options, output)

    def _stepped(self, optimizer: Optimizer, *_: Any) -> None:
        if is_compiling():
            return
        cadence = self.cadence
        cadence.num_steps += 1
        if cadence.num_steps >= cadence.next_step or id(optimizer) not in self._known:
            self._known.add(id(optimizer))
            self._tell(self._look_at_step, optimizer)

    def _look_at_step(self, optimizer: Optimizer) -> None:
        was_awake = self.collector.is_awake
        self.collector.stepped(optimizer)
        if was_awake:
            self._on_step(self.collector)

    def _tell(self, listen: Callable[..., None], *facts: Any) -> None:
        """Let the collector listen, and never let it disturb the script."""
        if not self._is_attached or self._is_inside or is_transformed():
            return
        started = time.perf_counter()
        self._is_inside = True
        try:
            listen(*facts)
        except Exception as error:
            self.detach()
            self._on_failure(error)
        finally:
            self._is_inside = False
            self.cadence.spent += time.perf_counter() - started

    def _loss(self, name: str, original: Any) -> Any:
        cadence = self.cadence

        def loss(*arguments: Any, **options: Any) -> Any:
            value = original(*arguments, **options)
            if is_compiling():  # before counting: a count is compiled in, and again at its next value
                return value
            cadence.num_losses += 1
            if cadence.num_losses >= cadence.next_loss and isinstance(value, Tensor):
                self._tell(self._hear, name, arguments, options, value)
            return value

        return loss

    def _hear(self, function: str, arguments: Any, options: dict[str, Any], value: Tensor) -> None:
        started, cadence = time.perf_counter(), self.cadence
        output, target = (*arguments, *(options.get(key) for key in ("input", "target")))[:2]
        if isinstance(output, Tensor) and isinstance(target, Tensor):
            self.collector.lost(function, output, target, options, value)
        if not self.collector.is_awake:
            cadence.num_heard += 1
            cadence.spent_hearing += time.perf_counter() - started
            cadence.wait_for_loss()

    def _backward(self, original: Any) -> Any:
        def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
            if self._is_going_backward or not self.collector.is_awake:
                return original(tensors, *arguments, **options)
            several = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
            self._tell(self._look_at_backward, several)
            # what goes backward inside of it, and a wrapper of ours left below, is no news
            self._is_going_backward = True
            try:
                return original(tensors, *arguments, **options)
            finally:
                self._is_going_backward = False

        return backward

    def _look_at_backward(self, tensors: tuple[Tensor, ...]) -> None:
        self.collector.going_backward(tensors)
        if self.collector.is_broken:  # where a scaler skips broken steps, no step would tell
            self._on_step(self.collector)

    def _scale(self, original: Any) -> Any:
        def scale(scaler: Any, outputs: Any) -> Any:
            if self.collector.is_awake:
                self._tell(self.collector.scaling, outputs)
            return original(scaler, outputs)

        return scale

    def _train(self, original: Any) -> Any:
        def train(module: nn.Module, mode: bool = True) -> nn.Module:
            if not (mode or is_compiling()) and self.cadence.num_steps >= self.cadence.next_evaluation:
                self._tell(self.collector.switched, train)
            return original(module, mode)

        return train

    def _gradients_off(self, original: Any) -> Any:
        def enter(context: Any) -> Any:
            if self.cadence.num_steps >= self.cadence.next_evaluation:
                self._tell(self.collector.switched, site_of(sys._getframe(1)))
            return original(context)

        return enter

    def _compile(self, original: Any) -> Any:
        def compile(*arguments: Any, **options: Any) -> Any:
            # global hooks are compiled in, and compiled again without them: from now on there are none
            self._take_off_modules()
            self._compiled = weakref.WeakSet() if self._compiled is None else self._compiled
            made = original(*arguments, **options)
            if isinstance(made, nn.Module):
                self._compiled.add(made)
            self.collector.not_seen(COMPILED)
            if self.collector.is_awake and self._is_attached:
                self._listen_to_modules()
            return made

        return compile

    def _load(self, original: Any) -> Any:
        def iterate(loader: Any) -> Any:
            if loader.num_workers:
                self._tell(self.collector.loading, loader)
            return original(loader)

        return iterate

    def _schedule(self, original: Any) -> Any:
        def step(scheduler: Any, *arguments: Any, **options: Any) -> Any:
            caller = inspect.currentframe()
            caller = caller.f_back if caller else None
            if caller is not None and caller.f_code.co_name != "_initial_step":
                self._tell(self.collector.scheduled, scheduler)
            return original(scheduler, *arguments, **options)

        return step
