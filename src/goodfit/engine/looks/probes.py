"""What happens inside the layers, measured for all candidates of a stack in one pass.

Letters: K candidates, N rows, U units, P parameters, L layers with weights.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from goodfit.engine.goodness.losses import Loss
from goodfit.engine.history import LayerHistory, curve
from goodfit.engine.ways.backend import Backend, Batch
from goodfit.nets.activations import activation_named
from goodfit.tensors import views

PROBE_ROWS = 128
NEAR_BOUND = 0.01
"""Share of an activation's range that counts as saturated at either end."""


@dataclasses.dataclass(kw_only=True)
class _Layer:
    activation: str | None
    num_weights: int
    seen: dict[str, list[float]]


MEASURES = (
    "gradient_norm",
    "weight_norm",
    "update_ratio",
    "output_mean",
    "output_std",
    "zero_share",
    "dead_share",
    "saturated_share",
)


class Probes:
    """Collects layer measurements of every candidate over the epochs.

    Args:
        backend: The stack that is watched.
        batch: Rows to look at, the same at every probing.
        y_KN: Their targets.
        loss: What the gradients are of.
    """

    def __init__(self, backend: Backend, batch: Batch, y_KN: Tensor, *, loss: Loss) -> None:
        self._backend, self._batch, self._y_KN, self._loss = backend, batch, y_KN, loss
        layout = backend.layout
        self._names = [
            name
            for name, shape in zip(layout.names, layout.shapes, strict=True)
            if name.endswith("weight") and len(shape) >= 2 and not name.startswith("embeddings")
        ]
        self._layers: list[dict[str, _Layer]] = [{} for _ in range(backend.num_candidates)]
        self._epochs: list[list[int]] = [[] for _ in range(backend.num_candidates)]

    def probe(self, epoch: int, *, change_KP: Tensor | None, members: list[int]) -> None:
        """Measure every layer once.

        Args:
            epoch: Number of the epoch that just ended; 0 is before the first step.
            change_KP: The last step's change of the parameters, or ``None`` before any step.
            members: Which candidate each row of the stack is.
        """
        activations: dict[str, tuple[str, Tensor]] = {}

        def watcher(name: str, kind: str, a_KNU: Tensor) -> None:
            activations[f"{name}.weight"] = (kind, a_KNU.detach())

        scores_KNO = self._backend.scores(self._batch, watcher=watcher)
        loss_K = self._loss.rows(scores_KNO, self._y_KN).mean(-1)
        gradients = views(self._backend.gradients(loss_K), self._backend.layout)
        weights = views(self._backend.flat_KP.detach(), self._backend.layout)
        changes = None if change_KP is None else views(change_KP, self._backend.layout)
        for k in members:
            self._epochs[k].append(epoch)
        for name in self._names:
            norm_K = _norm(weights[name])
            measured = {
                "gradient_norm": _norm(gradients[name]),
                "weight_norm": norm_K,
                "update_ratio": torch.full_like(norm_K, torch.nan)
                if changes is None
                else _norm(changes[name]) / norm_K,
            }
            kind, a_KNU = activations.get(name, (None, None))
            measured |= _activation_measures(kind, a_KNU, like_K=norm_K)
            self._note(name, kind, weights[name][0].numel(), measured, members)

    def _note(
        self, name: str, kind: str | None, size: int, measured: dict[str, Tensor], members: list[int]
    ) -> None:
        rows = {measure: values_K.tolist() for measure, values_K in measured.items()}
        for place, k in enumerate(members):
            layer = self._layers[k].setdefault(
                name, _Layer(activation=kind, num_weights=size, seen={m: [] for m in MEASURES})
            )
            for measure, values in rows.items():
                layer.seen[measure].append(values[place])

    def of(self, k: int) -> tuple[tuple[int, ...], tuple[LayerHistory, ...]]:
        """Return what was seen of candidate ``k``: the probed epochs and one record per layer."""
        layers = tuple(
            LayerHistory(
                layer=name.removesuffix(".weight"),
                activation=layer.activation,
                num_weights=layer.num_weights,
                **{measure: curve(values) for measure, values in layer.seen.items()},
            )
            for name, layer in self._layers[k].items()
        )
        return tuple(self._epochs[k]), layers

    def keep(self, index_M: Tensor) -> None:
        """Forget the rows of candidates that left."""
        self._y_KN = self._y_KN[index_M]
        if not self._batch.shared:
            codes = self._batch.codes
            self._batch = Batch(
                x=self._batch.x[index_M], codes=None if codes is None else codes[index_M], shared=False
            )


def _norm(stacked: Tensor) -> Tensor:
    return stacked.flatten(1).norm(dim=1)


def _activation_measures(kind: str | None, a_KNU: Tensor | None, *, like_K: Tensor) -> dict[str, Tensor]:
    if a_KNU is None:
        unknown_K = torch.full_like(like_K, torch.nan)
        return dict.fromkeys(MEASURES[3:], unknown_K)
    num_rows = a_KNU.shape[1]
    mean_KU, num_zeros_KU = a_KNU.mean(1), (a_KNU == 0).sum(1)
    # not torch.std and torch.all, which take twenty and ten times as long over rows
    variance_KU = (a_KNU - mean_KU.unsqueeze(1)).square_().mean(1)
    return {
        "output_mean": mean_KU.mean(1),
        "output_std": variance_KU.sqrt_().mean(1),
        "zero_share": num_zeros_KU.float().mean(1) / num_rows,
        "dead_share": (num_zeros_KU == num_rows).float().mean(1),
        "saturated_share": _saturated_share(kind, a_KNU),
    }


def _saturated_share(kind: str | None, a_KNU: Tensor) -> Tensor:
    bounds = None if kind is None else activation_named(kind).bounds
    if bounds is None:
        return torch.zeros(a_KNU.shape[0])
    low, high = bounds
    margin = NEAR_BOUND * (high - low)
    return ((a_KNU <= low + margin) | (a_KNU >= high - margin)).float().mean((1, 2))
