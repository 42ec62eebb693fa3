"""Build the modules of a stack, each from its own seed, and choose how to compute them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import nn

from goodfit.data.split import Split
from goodfit.engine.backend import Backend
from goodfit.engine.candidate import Candidate
from goodfit.engine.one_by_one import OneByOne
from goodfit.engine.plan import Plan
from goodfit.engine.stacked import Stacked
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network, Sizes
from goodfit.seeds import derive

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}


def sizes_of(plan: Plan, split: Split) -> Sizes:
    """Sizes of the network's inputs and outputs for this data."""
    return Sizes(
        inputs=split.input_shape(plan.inputs),
        cardinalities=split.cardinalities,
        outputs=plan.loss.num_outputs,
    )


def num_parameters(plan: Plan, split: Split) -> int:
    """Count the trainable numbers of the plan's network."""
    return _count(plan.network, sizes_of(plan, split))


@lru_cache(maxsize=256)
def _count(network: Network, sizes: Sizes) -> int:
    return network.count(sizes)


def build_module(candidate: Candidate, split: Split) -> nn.Module:
    """Build one candidate's network; its initial weights depend on its seed and structure only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(split.seed, "weights", candidate.seed))
        plan = candidate.plan
        return plan.network.build(
            sizes_of(plan, split), dropout=plan.dropout, input_dropout=plan.input_dropout
        )


def build_backend(candidates: Sequence[Candidate], split: Split) -> Backend:
    """Build all candidates of one structure and put them behind one flat buffer."""
    modules = [build_module(candidate, split) for candidate in candidates]
    plan = candidates[0].plan
    if isinstance(plan.network, MLP):
        return Stacked(plan.network, modules, dtype=PRECISIONS[plan.precision])
    return OneByOne(modules)
