"""Edits that give a copy of a module other layers: Maxout, normalisation, skips, more width, more depth.

Each is tried layer by layer (:mod:`goodfit.nets.attempts`). What was there keeps its weights bit for bit;
what is new starts so that it disturbs least.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.nets.activations import Maxout
from goodfit.nets.additions import SKIP_MARK, Scaled, add_before, add_behind, add_skip
from goodfit.nets.attempts import link_by_link
from goodfit.nets.calls import as_modules
from goodfit.nets.passage import (
    ACTIVATION_MODULES,
    CONVOLUTIONS,
    NORMS,
    Call,
    Link,
    hidden_activation_calls,
    last_weighted,
    trace,
    used_once,
)
from goodfit.nets.resizing import resized
from goodfit.nets.surgery import Edited, replace_part

_LAST = (*ACTIVATION_MODULES, nn.Softmax, nn.LogSoftmax)


def put_maxout(module: nn.Module, *, example: Sequence[Tensor], pieces: int = 2) -> Edited:
    """Put Maxout in place of every hidden activation; the layer before it gets its pieces, and so grows.

    Args:
        module: Any module; it is left as it is.
        example: Arguments of one forward pass.
        pieces: Weighted sums that compete for each unit. The layer's own weights become the first piece.

    Raises:
        PlanError: Fewer than 2 pieces.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        >>> put_maxout(net, example=[torch.zeros(2, 4)]).changed
        ('1: Tanh -> Maxout of 2 pieces, 40 -> 80 parameters',)
    """
    if pieces < 2:
        raise PlanError(f"maxout has {pieces} pieces", fix="give at least 2")

    def step(edited: nn.Module, link: Link) -> str | None:
        activation = link.activation
        if activation is None or isinstance(activation.part, Maxout) or _is_frozen(link.first.part):
            return None
        first = link.first.part
        size = _width(first) * pieces
        layer = resized(first, outputs=size, spread=pieces)
        for passed in link.between[: link.between.index(activation)]:
            if isinstance(passed.part, NORMS):
                replace_part(edited, passed.part, resized(passed.part, outputs=size, spread=pieces))
        dim = 1 if isinstance(first, CONVOLUTIONS) else -1
        maxout = Maxout(pieces, dim=dim).train(activation.part.training)
        replace_part(edited, first, layer)
        replace_part(edited, activation.part, maxout)
        counts = [sum(p.numel() for p in part.parameters()) for part in (first, layer)]
        return (
            f"{activation.name}: {type(activation.part).__name__} -> Maxout of {pieces} pieces, "
            f"{counts[0]} -> {counts[1]} parameters"
        )

    return link_by_link(module, step, example, only_activations_once=True)


def widen(module: nn.Module, factor: float, *, example: Sequence[Tensor]) -> Edited:
    """Make hidden layers wider without changing what the module computes.

    New units start as a fresh layer does and are not listened to yet: the next layer's weights for them are
    zero.

    Args:
        module: Any module; it is left as it is.
        factor: Width over width, above 1.
        example: Arguments of one forward pass.

    Raises:
        PlanError: The factor is not above 1.
    """
    if not factor > 1:
        raise PlanError(f"the factor is {factor:g}", fix="give one above 1")

    def step(edited: nn.Module, link: Link) -> str | None:
        if link.then is None or _is_frozen(link.first.part) or _is_frozen(link.then.part):
            return None
        first, then = link.first.part, link.then.part
        width, inputs = _width(first), _inputs(then)
        times = inputs // width
        wide = round(width * factor)
        if inputs % width or _is_grouped(first) or _is_grouped(then):
            return None
        for passed in link.between:
            if isinstance(passed.part, NORMS):
                replace_part(edited, passed.part, resized(passed.part, outputs=wide))
        replace_part(edited, first, resized(first, outputs=wide))
        replace_part(edited, then, resized(then, inputs=wide * times))
        return f"{link.first.name}: {width} -> {wide} outputs"

    return link_by_link(module, step, example, keeps_function=True)


def normalise(module: nn.Module, way: str, *, example: Sequence[Tensor]) -> Edited:
    """Put a normalisation before every hidden activation whose layer has none.

    Args:
        module: Any module; it is left as it is.
        way: ``"batch"``, over the rows of a batch, or ``"layer"``, over the units of a row (behind
            convolutions over all channels).
        example: Arguments of one forward pass.

    Raises:
        PlanError: There is no such way.
    """
    if way not in ("batch", "layer"):
        raise PlanError(f"normalisation is {way!r}", fix='give "batch" or "layer"')

    def step(edited: nn.Module, link: Link) -> str | None:
        activation = link.activation
        if activation is None or any(isinstance(passed.part, NORMS) for passed in link.between):
            return None
        norm = _norm(way, activation)
        if norm is None or "norm" in dict(activation.part.named_children()):
            return None
        add_before(activation.part, "norm", norm)
        return f"{activation.name}: {type(norm).__name__} before {type(activation.part).__name__}"

    return link_by_link(module, step, example, only_activations_once=True)


def skip(module: nn.Module, *, example: Sequence[Tensor]) -> Edited:
    """Add a layer's input to what its activation puts out, wherever both have one shape."""

    def step(edited: nn.Module, link: Link) -> str | None:
        activation = link.activation
        if activation is None or link.first.given_shape != activation.shape:
            return None
        if hasattr(activation.part, SKIP_MARK):
            return None
        add_skip(link.first.part, activation.part)
        return f"{activation.name}: the input of {link.first.name} is added"

    return link_by_link(module, step, example, only_activations_once=True)


def deepen(module: nn.Module, *, example: Sequence[Tensor]) -> Edited:
    """Put one more layer of the same width and activation behind the last hidden activation.

    It starts as the identity, so that an activation such as ReLU passes it unchanged.
    """
    reached = as_modules(module, example=example)
    edited = reached.module
    calls = trace(edited, example)
    fitting = [
        c for c in hidden_activation_calls(calls) if used_once(c, calls) and _layer_like(c) is not None
    ]
    fitting = [c for c in fitting if not isinstance(c.part, Maxout)]
    changed: list[str] = []
    if fitting:
        last = fitting[-1]
        layer = _layer_like(last)
        assert layer is not None
        further = nn.Sequential(layer, copy.deepcopy(last.part)).train(last.part.training)
        add_behind(last.part, "deeper", further)
        changed.append(f"{last.name}: one more layer, {layer}")
    return Edited(module=edited, changed=tuple(changed), original=module, unreached=reached.unreached)


def without_last_activation(module: nn.Module, *, example: Sequence[Tensor]) -> Edited:
    """Remove what bounds or normalises the outputs behind the last weighted layer: the loss does that.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
        >>> without_last_activation(net, example=[torch.zeros(2, 4)]).changed
        ('1: Softmax -> Identity',)
    """
    reached = as_modules(module, example=example)
    edited, changed = reached.module, []
    calls = trace(edited, example)
    for call in calls[last_weighted(calls) + 1 :]:
        if isinstance(call.part, _LAST) and used_once(call, calls):
            replace_part(edited, call.part, nn.Identity())
            changed.append(f"{call.name}: {type(call.part).__name__} -> Identity")
    return Edited(module=edited, changed=tuple(changed), original=module, unreached=reached.unreached)


def scale_outputs(
    module: nn.Module, center: Sequence[float], scale: Sequence[float], *, example: Sequence[Tensor]
) -> Edited:
    """Bring what the last linear layer puts out into the units of the targets.

    Args:
        module: Any module; it is left as it is.
        center: Mean of the targets, one for each output.
        scale: Their deviation, likewise.
        example: Arguments of one forward pass.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> scale_outputs(net, [200.0], [50.0], example=[torch.zeros(2, 4)]).changed
        ('2: Linear, then 50 times as large, plus 200',)
    """
    reached = as_modules(module, example=example)
    edited, changed = reached.module, []
    calls = trace(edited, example)
    last = calls[last_weighted(calls)] if calls else None
    fits = last is not None and isinstance(last.part, nn.Linear) and last.part.out_features == len(scale)
    if last is not None and fits and used_once(last, calls):
        add_behind(last.part, "scaled", Scaled(center, scale))
        said = ", ".join(f"{s:.4g} times as large, plus {c:.4g}" for s, c in zip(scale, center, strict=True))
        changed.append(f"{last.name}: Linear, then {said}")
    return Edited(module=edited, changed=tuple(changed), original=module, unreached=reached.unreached)


def _norm(way: str, activation: Call) -> nn.Module | None:
    """Make the normalisation for what an activation is given; its channels are the second axis of images."""
    shape = activation.given_shape
    if len(shape) == 2:
        return nn.BatchNorm1d(shape[1]) if way == "batch" else nn.LayerNorm(shape[1])
    if len(shape) == 4:
        return nn.BatchNorm2d(shape[1]) if way == "batch" else nn.GroupNorm(1, shape[1])
    return nn.LayerNorm(shape[-1]) if len(shape) == 3 and way == "layer" else None


def _layer_like(call: Call) -> nn.Linear | nn.Conv2d | None:
    shape = call.shape
    layer: nn.Linear | nn.Conv2d
    if len(shape) == 4:
        layer = nn.Conv2d(shape[1], shape[1], 3, padding=1)
        nn.init.dirac_(layer.weight)
    elif len(shape) in (2, 3):
        layer = nn.Linear(shape[-1], shape[-1])
        nn.init.eye_(layer.weight)
    else:
        return None
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _width(part: nn.Module) -> int:
    return int(part.out_features if isinstance(part, nn.Linear) else part.out_channels)  # type: ignore[arg-type]  # torch's own


def _inputs(part: nn.Module) -> int:
    return int(part.in_features if isinstance(part, nn.Linear) else part.in_channels)  # type: ignore[arg-type]  # torch's own


def _is_grouped(part: nn.Module) -> bool:
    return getattr(part, "groups", 1) != 1


def _is_frozen(part: nn.Module) -> bool:
    return not all(p.requires_grad for p in part.parameters())
