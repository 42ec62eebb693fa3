"""From an observation to findings, and to the list of what was not checked."""

from __future__ import annotations

from goodfit.watch.judging import batches, contracts, course, inside, rules, scales, weights, wiring
from goodfit.watch.observation import Observation
from goodfit.watch.sighting import ORDER, Sighting

EXPLAINED = {
    "GF014": ("GF026", "GF104", "GF114"),
    "GF025": ("GF026",),
    "GF012": ("GF114", "GF029"),
    "GF022": ("GF113", "GF114"),
}
"""Findings that only say again what another one explains."""


def judge(observation: Observation) -> tuple[Sighting, ...]:
    """Find everything that is wrong.

    Args:
        observation: What was seen. While a script still runs, only what can be told already is judged.

    Returns:
        Sightings, errors first, then in the order of their codes.

    Example:
        >>> from goodfit.watch.observation import Observation
        >>> empty = Observation(num_steps=0, objective=(), is_negated=False, losses=(), optimizers=(),
        ...     networks=(), parameters=(), layers=(), nonfinite=None, early_schedule=None,
        ...     comparison=None, unseen=(), is_over=True, is_whole=True)
        >>> judge(empty)
        ()
    """
    seen = [found for part in (contracts, wiring, rules, batches) for found in part.findings(observation)]
    if observation.is_over and observation.num_steps:
        seen += [
            *course.findings(observation),
            *scales.findings(observation),
            *weights.findings(observation),
            *inside.findings(observation),
        ]
    explained = {code for found in seen for code in EXPLAINED.get(found.finding.code, ())}
    kept = [found for found in seen if found.finding.code not in explained]
    return tuple(sorted(kept, key=lambda found: (ORDER[found.finding.severity], found.finding.code)))


def not_checked(observation: Observation) -> tuple[str, ...]:
    """List what could not be judged, and why."""
    missing = list(observation.unseen)
    if not observation.num_steps:
        missing.append("training: no optimizer took a step")
    if not observation.losses:
        missing.append("losses: none of torch's loss functions was called with gradients")
    if not observation.networks:
        missing.append("networks: no module was called")
    if observation.num_steps and observation.is_over and observation.comparison is None:
        missing.append("answers beside references: too few rows of numbers with targets were seen")
    if observation.networks and not any(use.num_evaluations for use in observation.networks):
        missing.append("evaluation: none was seen")
    if not observation.layers and observation.networks:
        missing.append("dying and saturated units: activations that are functions cannot be seen")
    return tuple(missing)
