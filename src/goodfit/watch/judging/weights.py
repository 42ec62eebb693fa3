"""How a script begins: frozen parameters, fresh weights of an odd scale, units that are copies.

Told aloud only if training suffered: weights may come from an earlier training, and layers be frozen on
purpose.
"""

from __future__ import annotations

from goodfit.diagnosis.finding import Severity
from goodfit.diagnosis.weights import LEAST_SCALE, MOST_SCALE
from goodfit.watch.judging.standing import is_unfinished
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import Sighting, measured, sighting
from goodfit.watch.uses import NetworkUse

MOST_NAMES = 3


def findings(observation: Observation) -> tuple[Sighting, ...]:
    """Find what is odd about the networks that a script trains."""
    severity: Severity | None = None if is_unfinished(observation) else "info"
    several = [
        detect(use, severity)
        for use in observation.networks
        if use.num_training
        for detect in (frozen_parameters, twin_units, odd_weights)
    ]
    return tuple(found for found in several if found is not None)


def frozen_parameters(use: NetworkUse, severity: Severity | None) -> Sighting | None:
    """A network of which a part cannot learn."""
    frozen, every = use.fresh.num_frozen, use.fresh.num_parameters
    if not 0 < frozen < every:
        return None
    return sighting(
        "GF039",
        f"{frozen / every:.0%} of the {every} parameters of {use.name} are frozen: they ask for no gradients",
        measured("share of frozen parameters", frozen / every, 0.0),
        place=use.place,
        advice="call requires_grad_(True) on what shall learn, before the optimizer is made",
        severity=severity,
    )


def twin_units(use: NetworkUse, severity: Severity | None) -> Sighting | None:
    """Layers whose units began as copies of each other and ended so."""
    layers = use.fresh.twin_layers
    if not layers:
        return None
    return sighting(
        "GF042",
        f"the units of {', '.join(layers[:MOST_NAMES])} began as copies of each other and ended so: a layer "
        "of copies is as good as one unit",
        *(measured("units that are no copies", 1.0, 2.0, layer=layer) for layer in layers),
        place=use.place,
        advice="leave the weights as the layers draw them, or draw them from nn.init.kaiming_normal_",
        severity=severity,
    )


def odd_weights(use: NetworkUse, severity: Severity | None) -> Sighting | None:
    """Fresh weights far too large or too small."""
    odd = [
        (layer, scale)
        for layer, scale in use.fresh.scales
        if not LEAST_SCALE <= scale <= MOST_SCALE and layer not in use.fresh.twin_layers
    ]
    if not odd:
        return None
    layer, scale = max(odd, key=lambda pair: max(pair[1] / MOST_SCALE, LEAST_SCALE / max(pair[1], 1e-30)))
    limit = MOST_SCALE if scale > MOST_SCALE else LEAST_SCALE
    return sighting(
        "GF043",
        f"the fresh weights of {layer} have {scale:.2g} times the scale that keeps the size of a signal; "
        f"sound are {LEAST_SCALE:g} to {MOST_SCALE:g}",
        measured("deviation of the weights times the root of the inputs", scale, limit, layer=layer),
        place=use.place,
        advice="leave the weights as the layers draw them, or draw them from nn.init.kaiming_normal_",
        severity=severity,
    )
