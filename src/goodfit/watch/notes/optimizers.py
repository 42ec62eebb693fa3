"""Notes on optimizers: how they step, and whether gradients were cleared before."""

from __future__ import annotations

import weakref

import torch

from goodfit.watch.uses import OptimizerUse, Place

ADAPTIVE = ("Adam", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta")
NEXT_TO_ZERO = 1e-5
"""Of the largest learning rate so far."""
NUM_ASKED = 3
"""Parameters that are asked whether their gradients were cleared."""


class OptimizerNotes:
    """What is known of one optimizer.

    Args:
        optimizer: The optimizer, at its first step.
        place: Where it steps.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, place: Place | None) -> None:
        groups = optimizer.param_groups
        self.kind = type(optimizer).__name__
        self.place = place
        self._lr = max((float(group.get("lr", 0.0)) for group in groups), default=0.0)
        self._momentum = float(groups[0].get("momentum", 0.0) or 0.0) if groups else 0.0
        self._num_judged = self._num_stale = 0
        self._is_stale: bool | None = None
        self._is_followed = False
        listed = [id(parameter) for group in groups for parameter in group["params"]]
        self.parameter_ids = set(listed)
        self._num_twice = len(listed) - len(self.parameter_ids)
        self._most_lr, self._num_steps = 0.0, 0
        self._idle_since: int | None = None
        decaying = [group for group in groups if float(group.get("weight_decay", 0.0) or 0.0) > 0]
        self._weight_decay = max((float(group["weight_decay"]) for group in decaying), default=0.0)
        axes = [parameter.ndim for group in decaying for parameter in group["params"]]
        self._num_vectors, self._num_matrices = sum(n < 2 for n in axes), sum(n >= 2 for n in axes)
        self._is_coupled = self.kind in ADAPTIVE and any(
            not group.get("decoupled_weight_decay", False) for group in decaying
        )
        matrices = [p for group in groups for p in group["params"] if p.requires_grad]
        self._asked = [weakref.ref(parameter) for parameter in matrices[-NUM_ASKED:]]

    def ask(self) -> None:
        """Before a backward: are gradients of the last step still there?

        Only asked if everything since that step was seen: gradients gathered on purpose look the same.
        """
        if not self._is_followed or self._is_stale is False:
            return
        asked = [parameter for reference in self._asked if (parameter := reference()) is not None]
        # gradients that are clean once since the last step have been cleared, whatever comes later
        self._is_stale = any(p.grad is not None and bool(p.grad.detach().any()) for p in asked)

    def stepped(self) -> None:
        """Count whether the gradients of this step had been cleared before, and follow the next one."""
        if self._is_stale is not None:
            self._num_judged += 1
            self._num_stale += self._is_stale
        self._is_stale, self._is_followed = None, True

    def read_rate(self, optimizer: torch.optim.Optimizer, *, step: int) -> None:
        """Note since when the learning rate is next to zero.

        Args:
            optimizer: The optimizer.
            step: Steps of all optimizers so far.
        """
        lr = max((float(group.get("lr", 0.0)) for group in optimizer.param_groups), default=0.0)
        self._most_lr, self._num_steps = max(self._most_lr, lr), step
        if lr > NEXT_TO_ZERO * self._most_lr:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = step - 1

    def lose(self) -> None:
        """Stop following, until it steps again under observation."""
        self._is_stale, self._is_followed = None, False

    def _num_idle(self) -> int:
        if self._idle_since is None or not self._most_lr:
            return 0
        return self._num_steps - self._idle_since

    def record(self) -> OptimizerUse:
        """Freeze what is known."""
        return OptimizerUse(
            kind=self.kind,
            lr=self._lr,
            momentum=self._momentum,
            num_judged=self._num_judged,
            num_stale=self._num_stale,
            place=self.place,
            num_twice=self._num_twice,
            num_idle=self._num_idle(),
            weight_decay=self._weight_decay,
            num_decayed_vectors=self._num_vectors,
            num_decayed_matrices=self._num_matrices,
            is_coupled=self._is_coupled,
        )
