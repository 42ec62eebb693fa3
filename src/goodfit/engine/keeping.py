"""Weights that are kept beside the moving ones: the best so far, and their running average.

Letters: K candidates, M of them that stay, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from goodfit.engine.backend import Backend
from goodfit.engine.evaluation import Measured
from goodfit.engine.plan import Plan
from goodfit.tensors import column

MANY_ERRORS = 3.0
"""Standard errors above which a last loss is worse than the lowest of many, which is low by chance."""


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


def averages_of(plans: Sequence[Plan], flat_KP: Tensor, *, total_steps: int) -> AveragedWeights | None:
    """Begin the averages that plans ask for; ``None`` if none does (arguments as there)."""
    decays, tails = [plan.averaging for plan in plans], [plan.tail_averaging for plan in plans]
    if not (any(decays) or any(tails)):
        return None
    return AveragedWeights(
        flat_KP, column(decays, flat_KP), tail_K1=column(tails, flat_KP), total_steps=total_steps
    )


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
