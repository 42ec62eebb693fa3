"""Any module that ``torch.func`` can batch: K of them as one in training, behind the same flat buffer.

Letters: K candidates, N rows, O outputs, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from goodfit.engine.chance.drawing import PerCandidate
from goodfit.engine.goodness.blend import Targets
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.ways.backend import Batch, Dropout, gradients_of, leaves
from goodfit.engine.ways.one_by_one import OneByOne
from goodfit.engine.ways.rates import with_own_rates


@final
class Batched(OneByOne):
    """Differentiate all candidates as one call of one module, whose parameters have a leading axis.

    Buffers are stacked too, and follow what the module does to them. Random numbers are each candidate's
    own, the same as one by one. Many rows at once, as in evaluation, fill the machine one by one and go
    through the modules themselves.

    Args:
        modules: One freshly built module per candidate. They are changed in place: hand over copies.
        base: A module of the same structure with every dropout that one of them has; changed in place.
        device: Where they are computed.
    """

    def __init__(
        self, modules: Sequence[nn.Module], base: nn.Module, *, device: torch.device = PROCESSOR
    ) -> None:
        self._base = base.train()
        self._kept = with_own_rates(base, modules)
        super().__init__(modules, device=device)
        self._kept = {name: kept_K.to(self.flat_KP) for name, kept_K in self._kept.items()}

    def keep(self, index_M: Tensor) -> None:
        """Shrink the stack, dropout rates included."""
        self._kept = {name: kept_K[index_M] for name, kept_K in self._kept.items()}
        super().keep(index_M)

    def refresh(self) -> None:
        """Point the modules at the flat buffers, and make leaves of the views again."""
        super().refresh()
        self._parameters = leaves(self.flat_KP, self.layout)

    def loss_gradients(
        self,
        batch: Batch,
        y_KN: Targets,
        *,
        loss: Loss,
        smoothing_K1: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Differentiate as :meth:`Backend.loss_gradients` says, batched in training mode."""
        if dropout is None:
            return super().loss_gradients(batch, y_KN, loss=loss, smoothing_K1=smoothing_K1)
        with PerCandidate(dropout.hidden_streams.next_seeds(), self.flat_KP.device) as draws:
            scores_KNO, buffers = self._call(batch)
        self._has_drawn = self._has_drawn or draws.has_drawn
        loss_KN = loss.rows(scores_KNO, y_KN, smoothing_K1=smoothing_K1)
        found = gradients_of(
            loss_KN.mean(-1), list(self._parameters.values()), num_candidates=self.num_candidates
        )
        self._take_over(buffers)
        return torch.cat([g_K.flatten(1) for g_K in found], dim=1)

    def _call(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the module once; returns scores ``(K, N, O)`` and the buffers as it leaves them."""

        def compute(tensors: dict[str, Tensor], *inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            scores_NO = functional_call(self._base, tensors, inputs)
            # functional_call leaves in its dictionary what forward has put in a buffer's place
            return scores_NO, {name: tensors[name].detach() for name in self.buffers}

        inputs = [batch.x] if batch.codes is None or not self._takes_codes else [batch.x, batch.codes]
        if batch.shared:  # each candidate draws for the inputs too, so they need the axis
            inputs = [rows.expand(self.num_candidates, *rows.shape) for rows in inputs]
        tensors = {**self._parameters, **self.buffers, **self._kept}
        scores_KNO, buffers = vmap(compute, randomness="different")(tensors, *inputs)
        return scores_KNO, buffers

    def _take_over(self, buffers: dict[str, Tensor]) -> None:
        for name, stacked in buffers.items():
            if stacked.data_ptr() != self.buffers[name].data_ptr():  # replaced, and not written to
                self.buffers[name].copy_(stacked)
