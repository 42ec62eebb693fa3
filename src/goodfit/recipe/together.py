"""Remedies put together: where time holds one trial or two, what a sound plan has is tried as a whole.

One remedy after the other needs a trial for each, and a network with several faults is not repaired by the
first of them. A whole is shown to help as a whole: that each part of it was needed is not said.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from goodfit.engine.plan import Plan
from goodfit.nets.activations import activation_named
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.recipe.order import RECIPE
from goodfit.recipe.remedy import Remedy, joined

SOUND_DEPTH = 3
SOUND_WIDTH = 64
FEWEST_UNITS = 32
"""Units of the narrowest hidden layer below which a sound plan has more."""
FAST_RATE = 5e-3
"""Of Adam, for trainings of few steps; the usual one stands beside it."""
_KNOWN = {remedy.code: remedy for remedy in RECIPE}

Steps = tuple[tuple[str, float], ...]


def sound_remedies(plan: Plan, *, without: Collection[str] = ()) -> tuple[Remedy, ...]:
    """Put together what helps training, first what leaves the structure alone; fast rates before usual ones.

    Args:
        plan: The plan to treat; what it has already is left out.
        without: Codes of remedies that cannot be applied.

    Returns:
        Remedies, most of several parts; no two lead to the same plan.

    Example:
        >>> from goodfit.engine.goodness.losses import Loss
        >>> from goodfit.rules.base import rule_named
        >>> sick = Plan(
        ...     network=MLP(widths=(64,), activation="sigmoid"),
        ...     loss=Loss(name="squared", kind="numbers", num_outputs=1),
        ...     rule=rule_named("gradient-descent", lr=1e-5),
        ...     epochs=10,
        ...     batch_size=32,
        ... )
        >>> for remedy in sound_remedies(sick)[:2]:
        ...     print(remedy.code, *(code for code, _ in remedy.parts))
        sound-rule adam
        sound-fast-start relu adam
    """
    outputs = ("usual-loss", "plain-output", "scale-targets")
    proper: Steps = (("scale-inputs", 0.0), *((code, 0.0) for code in outputs))
    rule: Steps = (*proper, ("unregularised", 0.0), ("adam", 1e-3))
    fast: Steps = (*rule[:-1], ("adam", FAST_RATE))
    units: Steps = (*_units(plan), ("he-init", 0.0))
    starts = {"sound-fast-start": (*units, *fast), "sound-start": (*units, *rule)}
    sizes = {
        "sound-fast-size": (*_size(plan), *units, *fast),
        "sound-size": (*_size(plan), *units, *rule),
    }
    # time may hold two or three of them: a few layers cost less than many, and learn more surely
    built = sizes | starts if _is_deep(plan) else starts | sizes
    norm = "layer-norm" if "batch-norm" in without else "batch-norm"
    norms = {"sound-norms": (*units, (norm, 0.0), *rule)}
    wholes: dict[str, Steps] = {"sound-rule": rule, **built, **norms}
    found, plans = [], [plan]
    for code, steps in wholes.items():
        needed = _needed(plan, steps, without)
        if not needed:
            continue
        whole = joined(needed, code=code)
        treated = whole.treat(plan, 0.0)
        if treated not in plans:
            plans.append(treated)
            found.append(whole)
    return tuple(found)


def in_short_time(
    wholes: tuple[Remedy, ...], groups: Sequence[tuple[Remedy, ...]], plan: Plan
) -> tuple[tuple[Remedy, ...], ...]:
    """Order groups of remedies for few trials: wholes first, then what trains beside the plan in one stack.

    Args:
        wholes: What :func:`sound_remedies` has put together.
        groups: Those made for each finding, and last all others.
        plan: The plan to treat.
    """
    ordered = (tuple(sorted(group, key=lambda remedy: not _shares_a_stack(remedy, plan))) for group in groups)
    # a group of its own: the fewer are tried at once, the less their p-values are corrected
    return (wholes, *ordered) if wholes else tuple(ordered)


def _shares_a_stack(remedy: Remedy, plan: Plan) -> bool:
    return remedy.treat(plan, remedy.doses[0]).structure == plan.structure


def _units(plan: Plan) -> Steps:
    """A new activation where the present one has bounds, or where it is not known."""
    if isinstance(plan.network, Given):
        return (("relu", 0.0),)
    name = getattr(plan.network, "activation", "relu")
    return (("relu", 0.0),) if activation_named(name).bounds is not None else ()


def _is_deep(plan: Plan) -> bool:
    return isinstance(plan.network, MLP) and len(plan.network.widths) > 2 * SOUND_DEPTH


def _size(plan: Plan) -> Steps:
    """Fewer layers where there are many, wider ones where one is narrow."""
    if not isinstance(plan.network, MLP) or not plan.network.widths:
        return ()
    narrowest = min(plan.network.widths[:SOUND_DEPTH])
    wider = (("wider", SOUND_WIDTH / narrowest),) if narrowest < FEWEST_UNITS else ()
    return (("shallower", float(SOUND_DEPTH)), *wider)


def _needed(plan: Plan, steps: Steps, without: Collection[str]) -> list[tuple[Remedy, float]]:
    """Those of the steps that can be applied and change something in what the steps before them leave."""
    needed = []
    for code, dose in steps:
        treated = plan if code in without else _KNOWN[code].treat(plan, dose)
        if treated != plan:
            plan = treated
            needed.append((_KNOWN[code], dose))
    return needed
