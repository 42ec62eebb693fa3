"""The package's own multilayer networks, K at a time, as batched matrix products.

Letters: K candidates, N rows, D inputs, U units, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (the name everybody knows)
from torch import Tensor, nn

from goodfit.engine.goodness.blend import Targets
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.products import TURNED_FOR_MANY_ROWS, WeightedSums, unwarned
from goodfit.engine.machine.workspace import Workspace
from goodfit.engine.ways.backend import Backend, Batch, Dropout, LayerWatcher, gradients_of, leaves
from goodfit.engine.ways.by_hand import ByHand
from goodfit.engine.ways.joined import embed
from goodfit.engine.ways.norms import NORM_EPS, follow
from goodfit.engine.ways.pieces import BY_HAND, IN_PLACE
from goodfit.nets.activations import apply
from goodfit.nets.mlp import MLP


class Stacked(Backend):
    """Train K multilayer networks for little more than the price of one.

    A layer of all candidates is one ``baddbmm`` over ``(K, N, D) x (K, D, U)``.

    Args:
        network: The structure that the modules were built from.
        modules: One freshly built module per candidate.
        dtype: Number type of the gradients' computation, where it is shorter than that of the weights.
        device: Where they are computed.
        names: Names that others know the parameters by; by default those of the modules.
    """

    def __init__(
        self,
        network: MLP,
        modules: Sequence[nn.Module],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device = PROCESSOR,
        names: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(modules, device=device)
        self._network, self._dtype, self._names = network, dtype, names
        self._num_embeddings = sum(name.startswith("embeddings.") for name in self.layout.names)
        self.refresh()

    @property
    def can_be_recorded(self) -> bool:
        """Whether its layers are written by hand, into memory that is used again."""
        return self._network.activation in BY_HAND

    def refresh(self) -> None:
        """Make leaves of the flat buffer's views again."""
        self.flat_KP = self.flat_KP.contiguous()
        self._parameters = leaves(self.flat_KP, self.layout)
        self._by_hand, self._room = None, Workspace(self.flat_KP)
        self._turned: dict[str, WeightedSums] = {}
        if self.can_be_recorded:
            self._by_hand = ByHand(
                self._network, self.flat_KP, layout=self.layout, buffers=self.buffers, dtype=self._dtype
            )

    def weights(self, k: int) -> dict[str, Tensor]:
        """Copy one candidate's weights as :meth:`Backend.weights` says, by the names that others know."""
        found = super().weights(k)
        return found if self._names is None else {self._names[own]: found[own] for own in found}

    def loss_gradients(
        self,
        batch: Batch,
        y_KN: Targets,
        *,
        loss: Loss,
        smoothing_K1: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Differentiate as :meth:`Backend.loss_gradients` says, by hand in training mode."""
        if self._by_hand is None or dropout is None:
            return super().loss_gradients(batch, y_KN, loss=loss, smoothing_K1=smoothing_K1, dropout=dropout)
        return self._by_hand.gradients(batch, y_KN, loss=loss, smoothing_K1=smoothing_K1, dropout=dropout)

    def gradients(self, loss_K: Tensor) -> Tensor:
        """Differentiate as :meth:`Backend.gradients` says."""
        found = gradients_of(loss_K, list(self._parameters.values()), num_candidates=self.num_candidates)
        return torch.cat([g_K.flatten(1) for g_K in found], dim=1)

    def scores(
        self, batch: Batch, *, dropout: Dropout | None = None, watcher: LayerWatcher | None = None
    ) -> Tensor:
        """Compute raw scores as :meth:`Backend.scores` says."""
        h = self._inputs(batch, dropout)
        room = None
        if not torch.is_grad_enabled() and dropout is None and watcher is None:
            room = self._room  # nobody will ask for the sums of hidden layers again
        for index, width in enumerate(self._network.widths):
            a_KNU = self._hidden(h, index, dropout, room)
            if watcher is not None:
                watcher(f"layers.{index}.linear", self._network.activation, a_KNU)
            h = a_KNU + h if self._network.skip and h.shape[-1] == width else a_KNU
        weight_KOU, bias_KO = self._parameters["output.weight"], self._parameters["output.bias"]
        # few outputs, many rows: the product is much faster with the rows last
        h_KUN = self._for_each(h).transpose(1, 2)
        return torch.baddbmm(bias_KO.unsqueeze(2), weight_KOU, h_KUN).transpose(1, 2)

    @torch.no_grad()
    def scores_of(self, slices: Iterable[Batch]) -> Tensor:
        """Compute raw scores as :meth:`Backend.scores_of` says, by weights that are transposed once."""
        for name in (f"layers.{index}.linear" for index in range(len(self._network.widths))):
            weight_KUD, bias_KU = (self._parameters[f"{name}.{part}"].detach() for part in ("weight", "bias"))
            self._turned[name] = WeightedSums(weight_KUD, bias_KU, most=TURNED_FOR_MANY_ROWS)
            self._turned[name].turn()
        try:
            with unwarned():
                return super().scores_of(slices)
        finally:
            self._turned.clear()

    def _inputs(self, batch: Batch, dropout: Dropout | None) -> Tensor:
        x = batch.x.flatten(2 - batch.shared)
        if self._num_embeddings and batch.codes is not None:
            x = torch.cat([self._for_each(x), *self._embedded(self._for_each(batch.codes))], dim=-1)
        if dropout is not None and bool(dropout.input_K1.any()):
            x = dropout.inputs(self._for_each(x))
        return x

    def _for_each(self, rows: Tensor) -> Tensor:
        return rows.expand(self.num_candidates, *rows.shape[-2:])

    def _embedded(self, codes_KNC: Tensor) -> list[Tensor]:
        tables = [self._parameters[f"embeddings.{i}.weight"] for i in range(self._num_embeddings)]
        return [embed(table_KVE, codes_KNC[..., i]) for i, table_KVE in enumerate(tables)]

    def _hidden(self, h: Tensor, index: int, dropout: Dropout | None, room: Workspace | None) -> Tensor:
        network, prefix = self._network, f"layers.{index}"
        z_KNU = self._linear(f"{prefix}.linear", h, room)
        if network.normalisation is not None:
            z_KNU = self._normalise(f"{prefix}.norm", z_KNU, training=dropout is not None)
        if not torch.is_grad_enabled() and network.activation in IN_PLACE:
            a_KNU = IN_PLACE[network.activation][0](z_KNU)  # nobody will ask for the sums again
            return a_KNU if dropout is None else dropout.hidden(a_KNU)
        slope_K1 = self._parameters.get(f"{prefix}.activation.weight")
        slope_K11 = None if slope_K1 is None else slope_K1.unsqueeze(1)
        a_KNU = apply(network.activation, z_KNU, pieces=network.pieces, slope=slope_K11)
        return a_KNU if dropout is None else dropout.hidden(a_KNU)

    def _linear(self, name: str, h: Tensor, room: Workspace | None) -> Tensor:
        weight_KUD, bias_KU = self._parameters[f"{name}.weight"], self._parameters[f"{name}.bias"]
        h_KND, num_candidates, num_units = self._for_each(h), *bias_KU.shape
        place = None if room is None else room.take(name, num_candidates, h_KND.shape[1], num_units)
        if place is not None and name in self._turned:
            return self._turned[name](h_KND, out=place)
        return torch.baddbmm(bias_KU.unsqueeze(1), h_KND, weight_KUD.transpose(1, 2), out=place)

    def _normalise(self, name: str, z_KNU: Tensor, *, training: bool) -> Tensor:
        gain_K1U = self._parameters[f"{name}.weight"].unsqueeze(1)
        shift_K1U = self._parameters[f"{name}.bias"].unsqueeze(1)
        if self._network.normalisation == "layer":
            return torch.addcmul(shift_K1U, F.layer_norm(z_KNU, z_KNU.shape[-1:], eps=NORM_EPS), gain_K1U)
        mean_K1U, var_K1U = self._batch_statistics(name, z_KNU, training=training)
        normal_KNU = (z_KNU - mean_K1U) * torch.rsqrt(var_K1U + NORM_EPS)
        return torch.addcmul(shift_K1U, normal_KNU, gain_K1U)

    def _batch_statistics(self, name: str, z_KNU: Tensor, *, training: bool) -> tuple[Tensor, Tensor]:
        running_mean_KU = self.buffers[f"{name}.running_mean"]
        running_var_KU = self.buffers[f"{name}.running_var"]
        if not training:
            return running_mean_KU.unsqueeze(1), running_var_KU.unsqueeze(1)
        var_K1U, mean_K1U = torch.var_mean(z_KNU, dim=1, keepdim=True, unbiased=False)
        statistics = (mean_K1U.detach().squeeze(1), var_K1U.detach().squeeze(1))
        follow((running_mean_KU, running_var_KU), statistics, num_rows=z_KNU.shape[1])
        return mean_K1U, var_K1U
