"""Weights that are kept beside the moving ones, the best and a running average, and who hands over which.

Letters: K candidates, M of them that stay, P parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from goodfit.engine.candidate import Candidate
from goodfit.engine.looks.evaluation import Measured
from goodfit.engine.plan import Plan
from goodfit.engine.ways.backend import Backend
from goodfit.tensors import column

MANY_ERRORS = 3.0
"""Standard errors above which a last loss is worse than the lowest of many, which is low by chance."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HandedOver:
    """What all candidates of a stack would hand over now.

    Attributes:
        flat_KP: Their weights.
        buffers: The buffers that belong to them.
        seen: The point of the curves at these weights.
    """

    flat_KP: Tensor
    buffers: dict[str, Tensor]
    seen: Measured


class Kept:
    """All that a stack keeps beside its moving weights, as its candidates need it.

    Args:
        candidates: The stack's.
        backend: The stack to copy from.
        total_steps: Steps of the whole training.

    Attributes:
        averaged: The averages that plans ask for; ``None`` if none does.
    """

    def __init__(self, candidates: Sequence[Candidate], backend: Backend, *, total_steps: int) -> None:
        self._backend = backend
        self.averaged = _averages_of([c.plan for c in candidates], backend.flat_KP, total_steps=total_steps)
        looks_back = any(c.falls_back or c.plan.patience is not None for c in candidates)
        self._best = BestWeights(backend) if looks_back else None

    @property
    def looks_back(self) -> bool:
        """Whether anybody may hand over weights of an earlier time."""
        return self._best is not None

    def remember(self, improved_K: Tensor, measured: Measured) -> None:
        """Copy what belongs to the candidates that have just improved (as in :class:`BestWeights`)."""
        if self._best is not None:
            self._best.remember(improved_K, measured)

    def handed_over(self, members: Sequence[Candidate], last: Measured) -> HandedOver:
        """Put together each candidate's best weights if it goes back to them, else its last ones.

        Args:
            members: The candidates that are still there.
            last: What is seen of them now.
        """
        last_KP = self._backend.flat_KP if self.averaged is None else self.averaged.flat_KP
        flat_KP, buffers = last_KP.detach().clone(), self._backend.copied_buffers()
        if self._best is None:
            return HandedOver(flat_KP=flat_KP, buffers=buffers, seen=last)
        waits_K = torch.tensor([candidate.plan.patience is not None for candidate in members])
        falls_back_K = torch.tensor([candidate.falls_back for candidate in members])
        back_K = waits_K | (falls_back_K & self._best.is_passed_K(last).cpu())
        flat_KP[back_K] = self._best.flat_KP[back_K]
        for name, stacked in buffers.items():
            stacked[back_K] = self._best.buffers[name][back_K]
        return HandedOver(flat_KP=flat_KP, buffers=buffers, seen=self._best.seen_or(last, ~back_K))

    def keep(self, index_M: Tensor) -> None:
        """Forget the candidates that left."""
        for part in (self.averaged, self._best):
            if part is not None:
                part.keep(index_M)


def _averages_of(plans: Sequence[Plan], flat_KP: Tensor, *, total_steps: int) -> AveragedWeights | None:
    decays, tails = [plan.averaging for plan in plans], [plan.tail_averaging for plan in plans]
    if not (any(decays) or any(tails)):
        return None
    return AveragedWeights(
        flat_KP, column(decays, flat_KP), tail_K1=column(tails, flat_KP), total_steps=total_steps
    )


class BestWeights:
    """The weights at each candidate's lowest validation loss, and what was seen of them.

    Args:
        backend: The stack to copy from.

    Attributes:
        seen: The point of the curves at these weights, once there is one.
    """

    seen: Measured | None = None

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.flat_KP = backend.flat_KP.detach().clone()
        self.buffers = {name: stacked.clone() for name, stacked in backend.buffers.items()}

    def remember(self, improved_K: Tensor, measured: Measured) -> None:
        """Copy what belongs to the candidates that have just improved.

        Args:
            improved_K: Which they are; at the first call all, to start from.
            measured: What was seen of all; what is kept is written over later.
        """
        if self.seen is None:
            self.seen = measured
        else:
            self.seen.put(improved_K, measured)
        self.flat_KP[improved_K] = self._backend.flat_KP.detach()[improved_K]
        for name, stacked in self._backend.buffers.items():
            self.buffers[name][improved_K] = stacked[improved_K]

    def is_passed_K(self, last: Measured) -> Tensor:
        """Tell whose last losses lie above the lowest beyond chance, paired over the watched rows.

        A loss that is no number lies above; where a loss is not told row by row, any that is higher does.

        Args:
            last: What is seen of all now.
        """
        assert self.seen is not None
        more_KN = last.watched.loss_KN - self.seen.watched.loss_KN
        num_rows = more_KN.shape[1]
        chance_K = more_KN.std(1) / num_rows**0.5 if num_rows > 1 else torch.zeros(len(more_KN))
        return ~(more_KN.mean(1) <= MANY_ERRORS * chance_K.to(more_KN))

    def seen_or(self, last: Measured, last_K: Tensor) -> Measured:
        """Put together what was seen of the best weights and, of those named, of the last."""
        assert self.seen is not None
        seen = self.seen.of(torch.ones_like(last_K))
        seen.put(last_K, last)
        return seen

    def keep(self, index_M: Tensor) -> None:
        """Forget the candidates that left."""
        self.flat_KP = self.flat_KP[index_M]
        self.seen = None if self.seen is None else self.seen.of(index_M)
        self.buffers = {name: stacked[index_M] for name, stacked in self.buffers.items()}


class AveragedWeights:
    r"""An average of each candidate's weights: exponential, or even over the end of the training.

    .. math:: \bar w \leftarrow d_t \bar w + (1 - d_t) w, \quad
        d_t = \min(d, (1 + t) / (10 + t)) \quad \text{or} \quad d_t = 1 - 1 / n_t

    The exponential decay grows from small to :math:`d`, so that the average soon forgets the random start.
    The even average begins with the share of the training that is its own, and :math:`n_t` is the number of
    steps since then; before that, and with a decay and a share of 0, it is the weights themselves.

    Args:
        flat_KP: The weights to start from.
        decay_K1: Each candidate's :math:`d`.
        tail_K1: Share of the training, at its end, whose weights each candidate averages evenly.
        total_steps: Steps of the whole training.

    Reference:
        Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018.
    """

    def __init__(self, flat_KP: Tensor, decay_K1: Tensor, *, tail_K1: Tensor, total_steps: int) -> None:
        self.flat_KP, self._decay_K1 = flat_KP.detach().clone(), decay_K1
        # without a tail the count since its beginning stays 1, and the even average is the last weights
        self._before_K1 = torch.where(tail_K1 > 0, ((1 - tail_K1) * total_steps).floor(), torch.inf)

    def add(self, flat_KP: Tensor, *, count: int) -> None:
        """Take in the weights after step number ``count``."""
        decay_K1 = self._decay_K1.clamp(max=(1 + count) / (10 + count))
        self.mix(flat_KP, torch.maximum(decay_K1, self._even_K1(count)))

    def mix(self, flat_KP: Tensor, decay_K1: Tensor) -> None:
        """Take in weights where those before keep the share ``decay_K1``."""
        torch.lerp(flat_KP.detach(), self.flat_KP, decay_K1, out=self.flat_KP)

    def decays(self, first: int, num_steps: int) -> Tensor:
        """Compute the decay of each of so many steps from number ``first`` on, ``(S, K, 1)``."""
        steps = range(first, first + num_steps)
        most_S = self._decay_K1.new_tensor([(1 + count) / (10 + count) for count in steps])
        decay_SK1 = torch.minimum(self._decay_K1, most_S.view(-1, 1, 1))
        return torch.maximum(decay_SK1, self._even_K1(most_S.new_tensor(list(steps)).view(-1, 1, 1)))

    def _even_K1(self, count: int | Tensor) -> Tensor:
        return 1 - 1 / (count - self._before_K1).clamp_min(1)

    def keep(self, index_M: Tensor) -> None:
        """Forget the candidates that left."""
        self.flat_KP, self._decay_K1 = self.flat_KP[index_M], self._decay_K1[index_M]
        self._before_K1 = self._before_K1[index_M]
