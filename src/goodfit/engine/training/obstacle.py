"""Whether ``torch.func`` can batch a module: it is tried, and held against one network after the other.

Letters: K candidates, B rows of a batch, P parameters.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.noise import Streams
from goodfit.engine.history import Way
from goodfit.engine.machine.device import placement
from goodfit.engine.rows.pool import Pool
from goodfit.engine.ways.backend import Dropout
from goodfit.engine.ways.construction import build_backend, sizes_of

SAME = 1e-3
"""Largest relative distance between the gradients of two ways that can be rounding."""
LONGEST = 160
"""Characters of a reason."""

_known: dict[Hashable, str | None] = {}


def obstacle_to_batching(candidates: Sequence[Candidate], split: Split) -> str | None:
    """Try one step of a few candidates batched and one by one.

    Returns:
        Why they cannot be batched, in one line; ``None`` if both ways give the same gradients and buffers.
    """
    few = list({_drops(candidate): candidate for candidate in candidates}.values())[:3]
    few = few if len(few) > 1 else list(candidates[:2])
    plan = few[0].plan
    sizes = sizes_of(plan, split)
    key = (plan.network, plan.loss, sizes, torch.get_default_dtype(), placement().device, *map(_drops, few))
    if key not in _known:
        _known[key] = _find_obstacle(few, split)
    return _known[key]


def _find_obstacle(few: Sequence[Candidate], split: Split) -> str | None:
    alone = _first_step(few, split, "one by one")
    try:
        together = _first_step(few, split, "batched")
    except Exception as error:  # whatever torch or the user's code raises, the other way can do it
        return _first_line(error)
    are_same = all(_same(*pair) for pair in zip(alone, together, strict=True))
    return None if are_same else "its gradients or buffers would be others than alone"


def _first_step(few: Sequence[Candidate], split: Split, way: Way) -> list[Tensor]:
    """Gradients of the first step, and the buffers behind it."""
    plan, device = few[0].plan, torch.device(placement().device)
    pool, backend = Pool(split, few, device=device), build_backend(few, split, way=way, device=device)
    streams = Streams(split.seed, "hidden dropout", seeds=[candidate.seed for candidate in few])
    none_K1 = torch.zeros(len(few), 1, device=device)
    rows_KB = pool.learn_KN[:, : plan.batch_size]
    grad_KP = backend.loss_gradients(
        pool.batch(rows_KB),
        pool.targets(rows_KB),
        loss=plan.loss,
        dropout=Dropout(hidden_K1=none_K1, input_K1=none_K1, hidden_streams=streams, input_streams=streams),
    )
    return [grad_KP, *backend.buffers.values()]


def _same(one: Tensor, other: Tensor) -> bool:
    if not one.is_floating_point():
        return torch.equal(one, other)
    distance_K, size_K = (t.reshape(len(t), -1).norm(dim=1) for t in (one - other, one))
    return bool((distance_K <= SAME * size_K + torch.finfo(one.dtype).tiny).all())


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _drops(candidate: Candidate) -> tuple[bool, bool]:
    return candidate.plan.dropout > 0, candidate.plan.input_dropout > 0
