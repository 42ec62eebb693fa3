"""Read a module as a chain of layers, which is what this package's own networks are.

A network of the user's own is computed by its own ``forward``, one after the other or batched. Where it is
nothing but linear layers with one activation behind each, the engine's own way to compute such a chain gives
the same numbers for a fraction of the calls.

Letters: N rows, D inputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from goodfit.nets.activations import name_of
from goodfit.nets.mlp import MLP
from goodfit.nets.network import Sizes

SAME = 1e-4
"""Largest distance between the scores of both, over their size, that can be rounding."""
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
    chain = _read(list(_parts(module, "")))
    return chain if chain is not None and _agrees(chain, module, sizes, example_ND) else None


def _parts(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential or _is_hooked(module):
        yield name, module
        return
    # not named_children, which tells a part that stands there twice but once
    for child_name, child in module._modules.items():
        assert child is not None
        yield from _parts(child, f"{name}.{child_name}" if name else child_name)


def _read(parts: list[tuple[str, nn.Module]]) -> Chain | None:
    """Read parts in turn: perhaps a flattening, then linear layers and activations by turns."""
    if parts and isinstance(parts[0][1], nn.Flatten):
        parts = parts[1:]
    linear, between = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or not all(_is_plain(part) for _, part in linear):
        return None
    if len({id(part) for _, part in linear}) < len(linear):  # they learn together
        return None
    activations = {name_of(part) for _, part in between if not _is_hooked(part)}
    is_one = len(activations) == 1 and all(not _is_hooked(part) for _, part in between)
    if not is_one or activations & {None, *OWN_PARAMETERS}:
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
    """Whether a part is a linear layer of which every number learns, and nothing else is done to it."""
    if type(part) is not nn.Linear or part.bias is None or _is_hooked(part):
        return False
    return set(dict(part.named_parameters())) == {"weight", "bias"} and all(
        parameter.requires_grad for parameter in part.parameters()
    )


def _is_hooked(part: nn.Module) -> bool:
    hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    return any(hooks) or any(True for _ in part.children() if type(part) is not nn.Sequential)


@torch.no_grad()
def _agrees(chain: Chain, module: nn.Module, sizes: Sizes, example_ND: Tensor) -> bool:
    with torch.random.fork_rng(devices=[]):
        own, other = module(example_ND), chain.module_like(module, sizes)(example_ND)
    return own.shape == other.shape and bool((own - other).norm() <= SAME * own.norm())
