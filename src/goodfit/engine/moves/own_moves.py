"""Steps of optimizers of the user's own, each on its candidate's row of the flat buffer.

Letters: K candidates, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from torch import Tensor, nn
from torch.optim import Optimizer

from goodfit.rules.own import Own
from goodfit.tensors import Layout, views


@final
class OwnMoves:
    """Moves the parameters of every candidate by an optimizer of its own, in place.

    The optimizer is given parameters whose numbers are views of the flat buffer, and remembers by them what
    it knows of each; where the buffer moves, the views follow.

    Args:
        rules: One per candidate.
        layout: Where each parameter lies.
    """

    def __init__(self, rules: Sequence[Own], layout: Layout) -> None:
        self._rules, self._layout = list(rules), layout
        self._optimizers: list[tuple[Optimizer, dict[str, nn.Parameter]]] = []
        self._place: int | None = None

    def __call__(
        self,
        w_KP: Tensor,
        g_KP: Tensor,
        state: Mapping[str, Tensor],
        hyper: Mapping[str, Tensor],
        *,
        t: int,
    ) -> None:
        """Move one step, as ``AdamInPlace`` does; of ``hyper`` only ``lr`` is read.

        The optimizers keep their state, and count their steps.
        """
        self._follow(w_KP)
        gradients = views(g_KP, self._layout)
        for k, (optimizer, parameters) in enumerate(self._optimizers):
            for name, parameter in parameters.items():
                parameter.grad = gradients[name][k]
            factor = float(hyper["lr"][k]) / self._rules[k].lr if self._rules[k].lr else 1.0
            for group in optimizer.param_groups:
                group["lr"] = group["planned_lr"] * factor
            optimizer.step()

    def keep(self, rows: Sequence[int]) -> None:
        """Forget the candidates that left, with what their optimizers know."""
        self._rules = [self._rules[row] for row in rows]
        self._optimizers = [self._optimizers[row] for row in rows] if self._optimizers else []
        self._place = None

    def _follow(self, w_KP: Tensor) -> None:
        """Let the parameters be views of where the buffer lies now."""
        if self._place == w_KP.data_ptr():
            return
        self._place = w_KP.data_ptr()
        rows = [views(w_P, self._layout) for w_P in w_KP.detach()]
        if not self._optimizers:
            self._optimizers = [_made(rule, row) for rule, row in zip(self._rules, rows, strict=True)]
            return
        for (_, parameters), row in zip(self._optimizers, rows, strict=True):
            for name, parameter in parameters.items():
                parameter.data = row[name]


def _made(rule: Own, row: Mapping[str, Tensor]) -> tuple[Optimizer, dict[str, nn.Parameter]]:
    parameters = {name: nn.Parameter(values) for name, values in row.items()}
    optimizer = rule.on(parameters)
    for group in optimizer.param_groups:
        group["planned_lr"] = group["lr"]
    return optimizer, parameters
