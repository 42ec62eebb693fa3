"""Notes on optimizers: how they step, and whether gradients were cleared before."""

from __future__ import annotations

import weakref

import torch

from goodfit.watch.uses import OptimizerUse, Place

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
        self.parameter_ids = {id(parameter) for group in groups for parameter in group["params"]}
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

    def lose(self) -> None:
        """Stop following, until it steps again under observation."""
        self._is_stale, self._is_followed = None, False

    def record(self) -> OptimizerUse:
        """Freeze what is known."""
        return OptimizerUse(
            kind=self.kind,
            lr=self._lr,
            momentum=self._momentum,
            num_judged=self._num_judged,
            num_stale=self._num_stale,
            place=self.place,
        )
