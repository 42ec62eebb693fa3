"""Try an edit of a module layer by layer; what no longer runs, or returns what does not fit, is not kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.nets.calls import as_modules
from goodfit.nets.passage import Link, links, trace, used_once
from goodfit.nets.surgery import Edited


def link_by_link(
    module: nn.Module,
    step: Callable[[nn.Module, Link], str | None],
    example: Sequence[Tensor],
    *,
    only_activations_once: bool = False,
    keeps_function: bool = False,
) -> Edited:
    """Try an edit on one link after the other, each on a copy of what was kept so far.

    Args:
        module: Any module; it is left as it is.
        step: Edits one link of the copy, and says what it did; ``None`` where there is nothing to do.
        example: Arguments of one forward pass.
        only_activations_once: Leave out links whose activation is used in several places.
        keeps_function: Keep an edit only if the outputs stay what they were.

    Returns:
        The module with every edit that fits, and why the others do not.
    """
    reached = as_modules(module, example=example)
    edited, changed, unreached = reached.module, [], list(reached.unreached)
    for place in range(len(links(trace(edited, example)))):
        attempt = copy.deepcopy(edited)
        calls = trace(attempt, example)
        link = links(calls)[place]
        if only_activations_once and link.activation is not None and not used_once(link.activation, calls):
            unreached.append(f"{link.activation.name} is used in several places")
            continue
        said = step(attempt, link)
        if said is None:
            continue
        reason = _misfit(edited, attempt, example, keeps_function)
        if reason:
            unreached.append(f"{link.first.name}: {reason}")
        else:
            edited = attempt
            changed.append(said)
    return Edited(
        module=edited,
        changed=tuple(changed),
        original=module,
        unreached=tuple(dict.fromkeys(unreached)),
    )


def _misfit(before: nn.Module, after: nn.Module, example: Sequence[Tensor], keeps_function: bool) -> str:
    """Why an edited module cannot take the old one's place; empty if it can."""
    generator = torch.Generator().manual_seed(0)
    shaken = [t + torch.randn(t.shape, generator=generator) if t.is_floating_point() else t for t in example]
    try:
        one, other = (_outputs(each, shaken) for each in (before, after))
    except Exception as error:  # another layer still expects the old size
        return f"what follows does not take it ({str(error).partition(chr(10))[0][:80]})"
    if one.shape != other.shape:
        return "the outputs would have another shape"
    if keeps_function and not torch.allclose(one, other, rtol=1e-4, atol=1e-5):
        return "the outputs would change"
    return ""


@torch.no_grad()
def _outputs(module: nn.Module, example: Sequence[Tensor]) -> Tensor:
    outputs: Any = copy.deepcopy(module).eval()(*example)
    return outputs if isinstance(outputs, Tensor) else torch.zeros(0)
