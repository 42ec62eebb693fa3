"""Read a module as a chain of layers, which is what this package's own networks are.

A network of the user's own is computed by its own ``forward``, one after the other or batched. Where that is
nothing but linear layers with one activation behind each, as modules or as functions, the engine's own way to
compute such a chain gives the same numbers for a fraction of the calls.

Letters: N rows, D inputs.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from goodfit.nets.activations import name_of
from goodfit.nets.adapter import Adapter
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes
from goodfit.nets.rewriting import FUNCTIONS, METHODS

SAME = 1e-4
"""Largest distance between the scores of both, over their size, that can be rounding."""
FLATTENING = (torch.flatten, torch.reshape, "flatten", "view", "reshape")
OWN_PARAMETERS = ("maxout", "prelu")
"""Activations whose layers are wider, or have more parameters, than a chain is read for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chain:
    """A module as a network of this package.

    Attributes:
        network: The structure.
        names: The module's name of each parameter of the structure's own module.
    """

    network: MLP
    names: Mapping[str, str]

    def module_like(self, module: nn.Module, sizes: Sizes) -> nn.Module:
        """Build the structure's own module with the parameters of another of the same chain."""
        twin = self.network.build(sizes)
        state = module.state_dict()
        twin.load_state_dict({own: state[name] for own, name in self.names.items()})
        return twin


def chain_of(module: nn.Module, sizes: Sizes, *, example_ND: Tensor) -> Chain | None:
    """Read a module as a chain of linear layers with one and the same activation between them.

    Args:
        module: Any module; it is left as it is.
        sizes: Of its inputs and outputs.
        example_ND: Rows on which both have to give the same scores.

    Returns:
        The chain, or ``None`` for every other module.

    Example:
        >>> rows = torch.randn(4, 5)
        >>> layers = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> chain_of(layers, Sizes(inputs=(5,), outputs=2), example_ND=rows).network
        MLP(widths=(3,), activation='tanh', pieces=2, normalisation=None, skip=False, initialisation='torch')
    """
    if sizes.cardinalities:
        return None
    # around a network of one plain input an adapter does nothing but put its scores in one line
    is_around = isinstance(module, Adapter) and module.form.is_plain
    parts = _parts(module.get_submodule("module"), "module.") if is_around else _parts(module)
    chain = None if parts is None else _read(parts)
    if chain is None or set(chain.names.values()) != set(module.state_dict()):
        return None  # what else it has would have to be handed over, too
    return chain if _agrees(chain, module, sizes, example_ND) else None


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]] | None:
    """List the modules and functions that ``forward`` applies in turn; ``None`` if it does anything else."""
    if any(_is_hooked(part) for part in module.modules()):
        return None
    modes = [(part, part.training) for part in module.modules()]
    try:
        learning, judging = (fx.Tracer().trace(module.train(mode)) for mode in (True, False))
    except Exception:  # what reads numbers, or is not for tracing, raises what it likes
        return None
    finally:
        for part, mode in modes:
            part.training = mode
    if str(learning) != str(judging):
        return None
    sizes = {node for node in judging.nodes if _asks_for_size(node)}
    nodes = [node for node in judging.nodes if node not in sizes]
    in_turn = all(
        node.args[:1] == (before,) and set(node.all_input_nodes) - sizes == {before}
        for before, node in itertools.pairwise(nodes)
    )
    parts = [_part(module, node) for node in nodes[1:-1]]
    if not in_turn or nodes[0].op != "placeholder":
        return None
    named = [(f"{prefix}{part[0]}", part[1]) for part in parts if part is not None]
    return named if len(named) == len(parts) else None


def _asks_for_size(node: fx.Node) -> bool:
    """Whether a node is ``x.size(0)`` or ``x.shape[0]``, or part of it."""
    if node.op == "call_function" and node.target in (getattr, operator.getitem):
        return True
    return node.op == "call_method" and node.target == "size"


def _part(module: nn.Module, node: fx.Node) -> tuple[str, nn.Module] | None:
    """Find the module that a node calls, or the one that does what its function does."""
    if node.op == "call_module":
        return str(node.target), module.get_submodule(str(node.target))
    if node.target in FLATTENING:  # whether it flattens is seen where both are computed
        return "", nn.Flatten()
    has_settings = len(node.args) > 1 or set(node.kwargs) - {"inplace"}
    table = {"call_function": FUNCTIONS, "call_method": METHODS}.get(node.op, {})
    return None if has_settings or node.target not in table else ("", table[node.target]())


def _read(parts: list[tuple[str, nn.Module]]) -> Chain | None:
    """Read parts in turn: perhaps a flattening, then linear layers and activations by turns."""
    if parts and isinstance(parts[0][1], nn.Flatten):
        parts = parts[1:]
    linear, between = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or not all(_is_plain(part) for _, part in linear):
        return None
    if len({id(part) for _, part in linear}) < len(linear):  # they learn together
        return None
    activations = {name_of(part) for _, part in between}
    if len(activations) != 1 or activations & {None, *OWN_PARAMETERS}:
        return None
    (activation,) = activations
    names = [*(f"layers.{place}.linear" for place in range(len(between))), "output"]
    return Chain(
        network=MLP(
            widths=tuple(part.out_features for _, part in linear[:-1]),  # type: ignore[misc]  # all are linear
            activation=str(activation),
        ),
        names={
            f"{own}.{kind}": f"{name}.{kind}"
            for own, (name, _) in zip(names, linear, strict=True)
            for kind in ("weight", "bias")
        },
    )


def _is_plain(part: nn.Module) -> bool:
    """Whether a part is a linear layer of which every number learns."""
    if type(part) is not nn.Linear or part.bias is None:
        return False
    return set(dict(part.named_parameters())) == {"weight", "bias"} and all(
        parameter.requires_grad for parameter in part.parameters()
    )


def _is_hooked(part: nn.Module) -> bool:
    hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    return any(hooks)


@torch.no_grad()
def _agrees(chain: Chain, module: nn.Module, sizes: Sizes, example_ND: Tensor) -> bool:
    with torch.random.fork_rng(devices=[]):
        own, other = module(example_ND), chain.module_like(module, sizes)(example_ND)
    return own.shape == other.shape and bool((own - other).norm() <= SAME * own.norm())
