"""Build the modules of a stack, each from its own seed, and put them behind one flat buffer."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from functools import lru_cache

import torch
from torch import nn

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.chance.drawing import seeded
from goodfit.engine.history import Way
from goodfit.engine.machine.device import PROCESSOR
from goodfit.engine.machine.garbage import uncollected
from goodfit.engine.plan import Plan
from goodfit.engine.ways.backend import Backend
from goodfit.engine.ways.batched import Batched
from goodfit.engine.ways.one_by_one import OneByOne
from goodfit.engine.ways.stacked import Stacked
from goodfit.nets import given
from goodfit.nets.chain import Chain, chain_of
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Network, Sizes
from goodfit.seeds import derive
from goodfit.tensors import common_layout

CHAIN_ROWS = 8
MOST_CHAINS = 64
"""Networks whose reading as a chain is remembered; a run edits one into a few dozen."""
_chains: dict[Hashable, Chain | None] = {}
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


def forget_networks() -> None:
    """Forget what was read of the users' networks: the same function may make others in the next run."""
    _chains.clear()
    _count.cache_clear()
    given.forget()


def build_module(candidate: Candidate, split: Split) -> nn.Module:
    """Build one candidate's network; its initial weights depend on its seed and structure only."""
    with seeded(derive(split.seed, "weights", candidate.seed)):
        plan = candidate.plan
        return plan.network.build(
            sizes_of(plan, split), dropout=plan.dropout, input_dropout=plan.input_dropout
        )


def build_backend(
    candidates: Sequence[Candidate], split: Split, *, way: Way | None = None, device: torch.device = PROCESSOR
) -> Backend:
    """Build all candidates of one structure and put them behind one flat buffer.

    Args:
        candidates: At least one.
        split: The data.
        way: How they are computed; by default by hand where that is written, else one by one.
        device: Where they are computed. They are built on the processor, so that they begin alike everywhere.
    """
    plan = candidates[0].plan
    if way == "stacked" and not isinstance(plan.network, MLP):
        return _stacked_as_chain(candidates, split, device)
    with uncollected():
        modules = [build_module(candidate, split) for candidate in candidates]
    if isinstance(plan.network, MLP) and way in (None, "stacked"):
        return Stacked(plan.network, modules, dtype=PRECISIONS[plan.precision], device=device)
    if way == "batched":
        return Batched(modules, _with_every_dropout(candidates, split), device=device)
    return OneByOne(modules, device=device)


def chain_in(candidate: Candidate, split: Split) -> Chain | None:
    """Read one candidate's network as a chain, apart from the dropout that its plan adds.

    The package's own networks are not read: multilayer ones need it not, and the others are no chains.
    """
    if not isinstance(candidate.plan.network, given.Given):
        return None
    plan, sizes = candidate.plan, sizes_of(candidate.plan, split)
    key = (plan.network, sizes)
    if key not in _chains:
        rows = split.rows("train", plan.inputs)
        module = _without_dropout(candidate, split)
        _chains[key] = chain_of(module, sizes, example_ND=rows.x[:CHAIN_ROWS])
        if len(_chains) > MOST_CHAINS:
            del _chains[next(iter(_chains))]
    return _chains.setdefault(key, _chains.pop(key))  # behind those asked for less lately


def _stacked_as_chain(candidates: Sequence[Candidate], split: Split, device: torch.device) -> Backend:
    """Compute networks of the user's own by hand; dropout comes from the plan's rates, as it always does."""
    chain, sizes = chain_in(candidates[0], split), sizes_of(candidates[0].plan, split)
    assert chain is not None, "whoever asks for this way has seen that it is one"
    # arms of one seed begin alike, and a network with edits is dear to build
    first_of_seed = {candidate.seed: candidate for candidate in reversed(candidates)}
    with uncollected():
        own = {seed: _without_dropout(candidate, split) for seed, candidate in first_of_seed.items()}
        common_layout([dict(module.named_parameters()) for module in own.values()])
        built = {seed: chain.module_like(module, sizes) for seed, module in own.items()}
    modules = [built[candidate.seed] for candidate in candidates]
    return Stacked(chain.network, modules, device=device, names=chain.names)


def _without_dropout(candidate: Candidate, split: Split) -> nn.Module:
    plan = dataclasses.replace(candidate.plan, dropout=0.0, input_dropout=0.0)
    return build_module(dataclasses.replace(candidate, plan=plan), split)


def _with_every_dropout(candidates: Sequence[Candidate], split: Split) -> nn.Module:
    """Build a module that has a dropout wherever one of the candidates has one."""
    plans = [candidate.plan for candidate in candidates]
    plan = dataclasses.replace(
        plans[0],
        dropout=max(plan.dropout for plan in plans),
        input_dropout=max(plan.input_dropout for plan in plans),
    )
    return build_module(dataclasses.replace(candidates[0], plan=plan), split)
