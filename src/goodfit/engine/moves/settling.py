"""Statistics of batch normalisation once a training is over, as the network will meet them in use.

While it trains, running means and variances follow rows that are noisy, mixed or partly silenced, and weights
that move on. In use rows are whole and weights still, so its sums would be normalised by numbers of others.

Letters: K candidates, N rows, U weighted sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from goodfit.engine.chance.noise import Streams
from goodfit.engine.plan import Plan
from goodfit.engine.ways.backend import Backend, Batch, Dropout
from goodfit.engine.ways.norms import BATCH_NORM_MOMENTUM
from goodfit.nets.mlp import MLP

ROWS_AT_ONCE = 1000
STATISTICS = (".running_mean", ".running_var")


def needs_settling(plan: Plan) -> bool:
    """Whether statistics that followed the training are not those of whole rows and of the last weights.

    That is asked of the package's own MLP; a module of the user's own does as torch does.
    """
    if not isinstance(plan.network, MLP) or plan.network.normalisation != "batch":
        return False
    silences, changes = plan.dropout or plan.input_dropout, plan.input_noise or plan.mixup
    return bool(silences or changes or plan.averaging or plan.tail_averaging)


def pieces(rows_KN: Tensor) -> tuple[Tensor, ...]:
    """Part rows into pieces of one size, or nearly."""
    return rows_KN.chunk(math.ceil(rows_KN.shape[1] / ROWS_AT_ONCE), dim=1)


@torch.no_grad()
def settle(backend: Backend, batches: Iterable[Batch], *, needs_K: Tensor, streams: Streams) -> None:
    r"""Compute running means and variances anew: the mean over pieces of training rows as they are.

    A buffer that is zero before a forward pass is :math:`m\,\hat\mu` after it, with the momentum :math:`m`.

    Args:
        backend: The stack, with the weights that are handed over; its buffers are changed in place.
        batches: Pieces of training rows.
        needs_K: Whose statistics are to change.
        streams: Of dropout; no unit is silenced, so that nothing is drawn from them.

    Reference:
        Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021, arXiv:2105.07576, section 3; for averaged
        weights Izmailov et al., UAI 2018; for dropout before it Li et al., CVPR 2019, arXiv:1801.05134.
    """
    none_K1 = torch.zeros_like(backend.flat_KP[:, :1])
    still = Dropout(hidden_K1=none_K1, input_K1=none_K1, hidden_streams=streams, input_streams=streams)
    before = backend.copied_buffers()
    statistics = {name: b for name, b in backend.buffers.items() if name.endswith(STATISTICS)}
    totals, num_batches = {name: torch.zeros_like(b) for name, b in statistics.items()}, 0
    for batch in batches:
        for buffer in statistics.values():
            buffer.zero_()
        backend.scores(batch, dropout=still)
        for name, buffer in statistics.items():
            totals[name] += buffer
        num_batches += 1
    for name, buffer in backend.buffers.items():
        buffer.copy_(before[name])
        if name in totals:
            buffer[needs_K] = totals[name][needs_K] / (num_batches * BATCH_NORM_MOMENTUM)
