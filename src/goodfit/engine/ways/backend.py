"""K networks of one structure behind one flat buffer, whichever way they are computed.

Letters: K candidates, N rows, O outputs, P parameters. Parameters of all candidates live in one tensor
``(K, P)``; so do their gradients. Update rules work on the flat buffers and need not know the network.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from goodfit.engine.chance.noise import Streams
from goodfit.engine.goodness.blend import Targets
from goodfit.engine.goodness.losses import Loss
from goodfit.engine.machine.device import PROCESSOR
from goodfit.errors import ShapeError
from goodfit.tensors import Layout, flatten_parameters, unflatten_row, views

LayerWatcher = Callable[[str, str, Tensor], None]
"""Called with a layer's name, its activation's name, and the activations ``(K, N, units)``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Input rows: shared by all candidates, or a set of rows for each.

    Attributes:
        x: Inputs ``(N, ...)`` if shared, else ``(K, N, ...)``.
        codes: Columns for learned embeddings, with the same leading axes, or ``None``.
        shared: Whether all candidates look at the same rows.
    """

    x: Tensor
    codes: Tensor | None
    shared: bool

    def of(self, k: int) -> tuple[Tensor, Tensor | None]:
        """Pick the rows of candidate ``k``."""
        if self.shared:
            return self.x, self.codes
        return self.x[k], None if self.codes is None else self.codes[k]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Dropout:
    """Rates per candidate, and the streams that the masks are drawn from; training only.

    Inputs and hidden units have streams of their own, so that a neighbour's input dropout does not shift
    the masks of a candidate that has none.
    """

    hidden_K1: Tensor
    input_K1: Tensor
    hidden_streams: Streams
    input_streams: Streams

    def hidden(self, h_KNU: Tensor) -> Tensor:
        """Silence hidden units."""
        mask_KNU = self.hidden_mask(tuple(h_KNU.shape[1:]))
        return h_KNU if mask_KNU is None else h_KNU * mask_KNU

    def inputs(self, x_KND: Tensor) -> Tensor:
        """Silence inputs."""
        mask_KND = self.input_mask(tuple(x_KND.shape[1:]))
        return x_KND if mask_KND is None else x_KND * mask_KND

    def hidden_mask(self, shape: tuple[int, ...]) -> Tensor | None:
        """Draw the factors of a layer's units, ``(K, *shape)``; ``None`` if no candidate silences any."""
        return self.hidden_streams.dropout_mask(shape, self.hidden_K1) if self._silences_hidden else None

    def input_mask(self, shape: tuple[int, ...]) -> Tensor | None:
        """Draw the factors of the inputs, likewise."""
        return self.input_streams.dropout_mask(shape, self.input_K1) if self._silences_inputs else None

    @cached_property
    def _silences_hidden(self) -> bool:
        return bool(self.hidden_K1.any())

    @cached_property
    def _silences_inputs(self) -> bool:
        return bool(self.input_K1.any())


class Backend(abc.ABC):
    """A way to compute K networks at once.

    Args:
        modules: One module per candidate, all of one structure, freshly initialised.
        device: Where they are computed.

    Attributes:
        flat_KP: Trainable numbers of all candidates.
        layout: Where each parameter lies in a row of ``flat_KP``.
        buffers: What a network remembers beside its parameters, such as running means, stacked.
    """

    def __init__(self, modules: Sequence[nn.Module], *, device: torch.device = PROCESSOR) -> None:
        flat_KP, self.layout = flatten_parameters(
            [{n: p for n, p in m.named_parameters() if p.requires_grad} for m in modules]
        )
        self.flat_KP = flat_KP.to(device)
        # a frozen parameter is remembered like a buffer: it belongs to the network, and no rule moves it
        named = [
            {n: p.detach() for n, p in m.named_parameters() if not p.requires_grad} | dict(m.named_buffers())
            for m in modules
        ]
        self.buffers = {name: torch.stack([b[name] for b in named]).to(device) for name in named[0]}

    @property
    @abc.abstractmethod
    def can_be_recorded(self) -> bool:
        """Whether steps are the same operations on the same tensors every time; asked after the first one."""

    @property
    def widest(self) -> int:
        """About the largest number of activations that one row makes in one layer."""
        return max((max(shape) for shape in self.layout.shapes if shape), default=1)

    @property
    def num_candidates(self) -> int:
        """K, the number of candidates still in the stack."""
        return self.flat_KP.shape[0]

    @abc.abstractmethod
    def scores(
        self, batch: Batch, *, dropout: Dropout | None = None, watcher: LayerWatcher | None = None
    ) -> Tensor:
        """Raw scores ``(K, N, O)``, recorded for the gradient when gradients are enabled.

        Args:
            batch: The rows.
            dropout: Given in training mode only; its presence is the mode.
            watcher: Shown the activations of every hidden layer.
        """

    def scores_of(self, slices: Iterable[Batch]) -> Tensor:
        """Raw scores ``(K, O, N)`` of all slices of rows, one behind the other, in evaluation mode."""
        return torch.cat([self.scores(batch).transpose(1, 2) for batch in slices], dim=2)

    @abc.abstractmethod
    def gradients(self, loss_K: Tensor) -> Tensor:
        """Differentiate each candidate's loss for its own parameters; a new tensor ``(K, P)``.

        Raises:
            ShapeError: There is not one loss for each candidate.
        """

    def loss_gradients(
        self,
        batch: Batch,
        y_KN: Targets,
        *,
        loss: Loss,
        smoothing_K1: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Differentiate each candidate's mean loss of some rows.

        Args:
            batch: The rows.
            y_KN: Their targets, or blends of two.
            loss: Which loss.
            smoothing_K1: Share of the target spread evenly over the classes, per candidate.
            dropout: As in :meth:`scores`.

        Returns:
            Gradients ``(K, P)``; the next call may overwrite them.
        """
        scores_KNO = self.scores(batch, dropout=dropout)
        loss_KN = loss.rows(scores_KNO, y_KN, smoothing_K1=smoothing_K1)
        return self.gradients(loss_KN.mean(-1))

    @abc.abstractmethod
    def refresh(self) -> None:
        """Look at :attr:`flat_KP` and :attr:`buffers` anew after they were replaced."""

    def keep(self, index_M: Tensor) -> None:
        """Shrink the stack to the candidates in ``index_M``; their numbers do not change."""
        self.flat_KP = self.flat_KP.detach()[index_M].clone()
        self.buffers = {name: stacked[index_M].clone() for name, stacked in self.buffers.items()}
        self.refresh()

    def put(self, flat_KP: Tensor, buffers: Mapping[str, Tensor]) -> None:
        """Overwrite the parameters and the named buffers in place, so that every view of them follows."""
        self.flat_KP.data.copy_(flat_KP)
        for name, stacked in buffers.items():
            self.buffers[name].copy_(stacked)

    @contextlib.contextmanager
    def showing(self, flat_KP: Tensor | None, buffers: Mapping[str, Tensor] | None = None) -> Iterator[None]:
        """Hold other parameters for a while, with the buffers that belong to them; ``None`` for its own."""
        if flat_KP is None:
            yield
            return
        moving_KP, moving = self.flat_KP.detach().clone(), self.copied_buffers()
        self.put(flat_KP, buffers or {})
        yield
        self.put(moving_KP, moving)

    def copied_buffers(self) -> dict[str, Tensor]:
        """Copy the buffers of all candidates."""
        return {name: stacked.clone() for name, stacked in self.buffers.items()}

    def weights(self, k: int) -> dict[str, Tensor]:
        """Copy one candidate's parameters and buffers out of the stack and off the device, by name."""
        row_P = self.flat_KP[k].cpu()
        return unflatten_row(row_P, self.layout) | {
            name: stacked[k].clone().cpu() for name, stacked in self.buffers.items()
        }


def leaves(flat_KP: Tensor, layout: Layout) -> dict[str, Tensor]:
    """View every parameter of the flat buffer as a leaf that gradients can be asked for."""
    return {name: view.detach().requires_grad_() for name, view in views(flat_KP, layout).items()}


def gradients_of(loss_K: Tensor, parameters: Sequence[Tensor], *, num_candidates: int) -> list[Tensor]:
    """Differentiate the sum of the losses for each parameter.

    Candidates share no parameter, so the gradient of the sum is each one's own. A parameter
    that the losses do not depend on has gradient zero.

    Raises:
        ShapeError: There is not one loss for each candidate.
    """
    if loss_K.shape != (num_candidates,):
        raise ShapeError(
            f"the losses of {num_candidates} candidates have shape {tuple(loss_K.shape)}",
            fix=f"give one number for each candidate, shape ({num_candidates},), such as loss_KN.mean(-1)",
        )
    found = torch.autograd.grad(loss_K.sum(), parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def row_chunks(
    num_rows: int, *, floats_per_row: int, limit: int = 4_000_000, near: int = 500_000, fewest: int = 128
) -> Iterator[slice]:
    """Cut rows into slices whose activations stay in the cache.

    Args:
        num_rows: How many there are.
        floats_per_row: Activations of one row.
        limit: Most floats of a slice; only a slice of one row may have more.
        near: Floats from which a slice is cut although it may have more.
        fewest: Rows below which that does not pay.
    """
    size = min(num_rows, limit // floats_per_row, max(fewest, near // floats_per_row))
    for start in range(0, num_rows, max(1, size)):
        yield slice(start, min(start + max(1, size), num_rows))
