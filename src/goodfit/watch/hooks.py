"""Torch's global hooks, attached for as long as a script is watched.

Modules and optimizers have public global hooks. Loss functions, ``backward`` and schedulers have none: these
are wrapped where they stand, and put back.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from goodfit.watch.cadence import Cadence
from goodfit.watch.collector import Collector

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "kl_div",
)


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
        self._is_attached = True
        self._is_inside = False
        self.cadence = Cadence()
        self.collector = Collector(self.cadence, wake=self._wake, sleep=self._sleep)
        self._attach()

    def _attach(self) -> None:
        before = register_optimizer_step_pre_hook(self._stepping)
        after = register_optimizer_step_post_hook(lambda o, *_: self._tell(self._stepped, o))
        self._undo += [before.remove, after.remove]
        for name in LOSSES:
            self._wrap(torch.nn.functional, name, self._loss)
        self._wrap(torch.autograd, "backward", self._backward)
        self._wrap(nn.Module, "train", self._train)
        for scheduler in (torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.OneCycleLR):
            if "step" in vars(scheduler):
                self._wrap(scheduler, "step", self._schedule)

    def detach(self) -> None:
        """Leave torch as it was found."""
        self._is_attached = False
        self._sleep()
        while self._undo:
            self._undo.pop()()

    def _wake(self) -> None:
        if self._is_attached and not self._module_hooks:
            self._module_hooks = [
                register_module_forward_pre_hook(self._entered),
                register_module_forward_hook(self._left, with_kwargs=True),
            ]

    def _sleep(self) -> None:
        while self._module_hooks:
            self._module_hooks.pop().remove()

    def _entered(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._tell(self.collector.entered, module, arguments)

    def _left(self, module: nn.Module, arguments: Any, options: dict[str, Any], output: Any) -> None:
        self._tell(self.collector.left, module, arguments, options, output)

    def _stepping(self, optimizer: Optimizer, *_: Any) -> None:
        if self.collector.is_awake:
            self._tell(self.collector.stepping, optimizer)

    def _stepped(self, optimizer: Optimizer) -> None:
        was_awake = bool(self._module_hooks)
        self.collector.stepped(optimizer)
        if was_awake:
            self._on_step(self.collector)

    def _tell(self, listen: Callable[..., None], *facts: Any) -> None:
        """Let the collector listen, and never let it disturb the script."""
        if not self._is_attached or self._is_inside or torch.compiler.is_compiling():
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

    def _wrap(self, owner: Any, name: str, around: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        wrapper = functools.wraps(original)(around(original))
        setattr(owner, name, wrapper)

        def restore() -> None:
            # somebody may have wrapped it again since: theirs stays, and ours only passes on
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)

        self._undo.append(restore)

    def _loss(self, original: Any) -> Any:
        def loss(*arguments: Any, **options: Any) -> Any:
            value = original(*arguments, **options)
            if not (self._is_attached and self.collector.is_listening(value)):
                return value
            output, target = (*arguments, *(options.get(key) for key in ("input", "target")))[:2]
            if isinstance(output, Tensor) and isinstance(target, Tensor):
                self._tell(self.collector.lost, original.__name__, output, target, options, value)
            return value

        return loss

    def _backward(self, original: Any) -> Any:
        def backward(tensors: Any, *arguments: Any, **options: Any) -> Any:
            if self._is_attached and self.collector.is_awake:
                several = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
                self._tell(self.collector.going_backward, several)
            return original(tensors, *arguments, **options)

        return backward

    def _train(self, original: Any) -> Any:
        def train(module: nn.Module, mode: bool = True) -> nn.Module:
            self._tell(self.collector.switched)
            return original(module, mode)

        return train

    def _schedule(self, original: Any) -> Any:
        def step(scheduler: Any, *arguments: Any, **options: Any) -> Any:
            caller = inspect.currentframe()
            caller = caller.f_back if caller else None
            if caller is not None and caller.f_code.co_name != "_initial_step":
                self._tell(self.collector.scheduled, scheduler)
            return original(scheduler, *arguments, **options)

        return step
