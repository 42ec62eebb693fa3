"""Notes on networks: how they are called, and what they are given."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from goodfit.watch.notes.fresh import FreshNotes
from goodfit.watch.uses import Inputs, NetworkUse, Place

MOST_ROWS = 512
MOST_FEATURES = 2048
MANY_VALUES = 10


class NetworkNotes:
    """What is known of one outermost module, and rows of its training inputs with their targets.

    Args:
        network: The module. Only its names are kept.
    """

    def __init__(self, network: nn.Module) -> None:
        self.name = type(network).__name__
        self.place: Place | None = None
        self.layers = {id(module): name or self.name for name, module in network.named_modules()}
        self._fresh = FreshNotes(network)
        self._has_modes = any(_differs(module) for module in network.modules())
        self._has_batch_norm = any(_uses_batch(module) for module in network.modules())
        self._training = [0, 0]
        self._evaluations = [0, 0]
        self._evaluation_place: Place | None = None
        self._largest_batch = 0
        self._rows: tuple[np.ndarray, np.ndarray] | None = None
        self._known: set[bytes] = set()
        self._is_mixed = False
        self.num_nonfinite = 0

    def train(self, *, is_training: bool, num_rows: int) -> None:
        """Note a call that a backward followed, its mode and its rows."""
        self._training[0] += 1
        self._training[1] += not is_training
        self._largest_batch = max(self._largest_batch, num_rows)
        self._fresh.look()

    def evaluate(self, network: nn.Module, *, place: Place | None) -> None:
        """Note a call without gradients that serves to judge the network."""
        self._evaluations[0] += 1
        if network.training:
            self._evaluations[1] += 1
            self._evaluation_place = self._evaluation_place or place

    def take_rows(self, x: Tensor | None, target: Tensor) -> None:
        """Keep distinct rows of inputs with their targets, until there are enough."""
        if x is None or not x.is_floating_point() or x.ndim < 2 or len(x) != len(target):
            return
        if not is_finite(x.detach()):
            self.num_nonfinite += int((~torch.isfinite(x.detach())).sum())
        room = MOST_ROWS - len(self._known)
        if room <= 0 or self._is_mixed:
            return
        flat_ND = x.detach()[:room].reshape(min(room, len(x)), -1)
        step = -(-flat_ND.shape[1] // MOST_FEATURES)
        x_ND, t_NT = flat_ND[:, ::step].float().cpu().numpy(), target.detach()[:room].float().cpu().numpy()
        if self._rows is None:
            # in one piece: rows kept one by one would lie between the script's own tensors
            self._rows = _room(x_ND), _room(t_NT)
        self._is_mixed = any(
            kept.shape[1:] != new.shape[1:] for kept, new in zip(self._rows, (x_ND, t_NT), strict=True)
        )
        if self._is_mixed:
            return
        for row, answer in zip(x_ND, t_NT, strict=True):
            digest = hashlib.blake2b(row.tobytes(), digest_size=8).digest()
            if digest not in self._known:
                self._rows[0][len(self._known)], self._rows[1][len(self._known)] = row, answer
                self._known.add(digest)

    def rows(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the kept inputs and targets; ``None`` if there are none of one shape."""
        if self._rows is None or self._is_mixed:
            return None
        x_ND, t_NT = self._rows
        return x_ND[: len(self._known)], t_NT[: len(self._known)]

    def record(self, *, is_over: bool) -> NetworkUse:
        """Freeze what is known; scales of inputs only once the script is over, or if some are no numbers."""
        kept = self.rows() if is_over or self.num_nonfinite else None
        return NetworkUse(
            name=self.name,
            place=self.place,
            has_modes=self._has_modes,
            has_batch_norm=self._has_batch_norm,
            num_training=self._training[0],
            num_training_in_eval=self._training[1],
            num_evaluations=self._evaluations[0],
            num_evaluations_in_train=self._evaluations[1],
            largest_batch=self._largest_batch,
            num_rows=len(self._known),
            inputs=inputs_of(kept[0], num_nonfinite=self.num_nonfinite) if kept else None,
            evaluation_place=self._evaluation_place,
            fresh=self._fresh.record(),
        )


def inputs_of(x_ND: np.ndarray, *, num_nonfinite: int) -> Inputs:
    """Measure the scales of inputs, each over all rows.

    Args:
        x_ND: Inputs, shape ``(N, D)``.
        num_nonfinite: Values known to be NaN or infinite.
    """
    x_ND = np.where(np.isfinite(x_ND), x_ND, 0.0).astype(float)
    std_D, mean_D = x_ND.std(0), x_ND.mean(0)
    varies_D = std_D > 1e-12 * np.maximum(1.0, np.abs(mean_D))
    # a rare indicator has a small deviation and is no matter of scale
    many_D = np.array([len(np.unique(column)) > MANY_VALUES for column in x_ND.T])
    return Inputs(
        std_max=float(std_D.max(initial=0.0)),
        std_min=float(std_D[varies_D & many_D].min(initial=np.inf)) if (varies_D & many_D).any() else 0.0,
        abs_max=float(np.abs(x_ND).max(initial=0.0)),
        offset=float((np.abs(mean_D[varies_D]) / std_D[varies_D]).max(initial=0.0)),
        mean_max=float(np.abs(mean_D).max(initial=0.0)),
        num_nonfinite=num_nonfinite,
    )


def first_tensor(arguments: tuple[Any, ...], options: dict[str, Any]) -> Tensor | None:
    """Find the first tensor among a call's arguments."""
    values = (*arguments, *options.values())
    return next((value for value in values if isinstance(value, Tensor)), None)


def inner(network: nn.Module) -> nn.Module:
    """Return the module that a compiled one was made of, or the module itself."""
    original = getattr(network, "_orig_mod", network)
    return original if isinstance(original, nn.Module) else network


def is_loss(module: nn.Module) -> bool:
    """Whether a module is one of torch's loss functions."""
    return isinstance(module, nn.modules.loss._Loss)


def _differs(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats


def _uses_batch(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def is_finite(tensor: Tensor) -> bool:
    """Whether every number of a tensor is finite.

    Example:
        >>> is_finite(torch.tensor([1.0, float("nan")])), is_finite(torch.ones(2))
        (False, True)
    """
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    # the ends are NaN if any number is; asking every number would take as much memory again
    return all(map(math.isfinite, torch.stack(torch.aminmax(tensor)).tolist()))


def _room(batch: np.ndarray) -> np.ndarray:
    return np.empty((MOST_ROWS, *batch.shape[1:]), dtype=batch.dtype)
