"""Findings from the training curve."""

from __future__ import annotations

from collections.abc import Sequence

from goodfit.diagnosis import measures
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.diagnosis.inside import has_learnt
from goodfit.engine.history import History

LEAST_EPOCHS = 5
"""Shorter curves have no shape yet."""
FLAT = 0.01
STEADY_FALL = 0.02
STEADY_RISES = 0.3
JUMPS = 0.015
"""Mean rise an epoch over the first loss; healthy trainings had under 0.001, a rate far too high 0.046."""
RISES = 0.25
GROWN = 1.5
SMOOTH_FALL = 0.05
SMOOTH_JUMPS = 0.005
LEARNT_LITTLE = 0.95


def plateau(histories: Sequence[History]) -> Finding | None:
    """A loss that stopped falling halfway while it was high."""
    fall = measures.over_seeds(histories, lambda history: measures.fall(history, 0.5))
    if _is_short(histories) or has_learnt(histories) or not abs(fall) < FLAT:
        return None
    return CATALOGUE["GF108"].finding(
        f"the training loss fell by {fall:.2%} over the second half of the training; "
        f"below {FLAT:.0%} it is stuck",
        Evidence(what="fall of the training loss over the second half", value=fall, limit=FLAT),
    )


def slow_convergence(histories: Sequence[History]) -> Finding | None:
    """A loss that was still falling steadily at the end."""
    fall = measures.over_seeds(histories, measures.late_fall)
    rises = measures.over_seeds(histories, measures.rising_share)
    if _is_short(histories) or has_learnt(histories) or not (fall > STEADY_FALL and rises < STEADY_RISES):
        return None
    return CATALOGUE["GF109"].finding(
        f"the last quarter of the training still took {fall:.1%} of the first loss away; "
        f"less than {STEADY_FALL:.0%} means arrived",
        Evidence(what="fall over the last quarter, over the first loss", value=fall, limit=STEADY_FALL),
    )


def oscillation(histories: Sequence[History]) -> Finding | None:
    """A loss that jumps."""
    jumps = measures.over_seeds(histories, measures.jumps)
    rises = measures.over_seeds(histories, measures.rising_share)
    if _is_short(histories) or not (jumps > JUMPS and rises > RISES):
        return None
    return CATALOGUE["GF110"].finding(
        f"the training loss rose in {rises:.0%} of the later epochs, by {jumps:.1%} of the first loss "
        f"on average over all of them; limit {JUMPS:.1%}",
        Evidence(what="mean rise an epoch, over the first loss", value=jumps, limit=JUMPS),
    )


def divergence(histories: Sequence[History]) -> Finding | None:
    """A loss that grew, or went beyond all numbers."""
    grown = [h for h in histories if measures.growth(h) > GROWN]
    if not grown:
        return None
    share = len(grown) / len(histories)
    most = max(measures.growth(history) for history in grown)
    how = "beyond all numbers" if most == float("inf") else f"{most:.3g}-fold"
    return CATALOGUE["GF111"].finding(
        f"the training loss grew {how} in {len(grown)} of {len(histories)} seeds; limit {GROWN:g}-fold",
        Evidence(what="share of seeds whose loss grew", value=share, limit=0.0, epoch=grown[0].epochs[-1]),
        severity="error" if share >= 0.5 else "warning",
    )


def capacity_too_small(histories: Sequence[History]) -> Finding | None:
    """A smooth training that ended high, in a network with fewer parameters than rows.

    Call it only when nothing is wrong inside: a network with as many parameters as rows can learn them by
    heart, and one with dead or vanishing parts has more capacity than it uses.
    """
    fall = measures.over_seeds(histories, lambda history: measures.fall(history, 0.75))
    jumps = measures.over_seeds(histories, measures.jumps)
    kept = measures.over_seeds(histories, measures.growth)
    share = histories[0].num_parameters / max(1, histories[0].num_rows)
    is_smooth = abs(fall) < SMOOTH_FALL and jumps < SMOOTH_JUMPS
    if _is_short(histories) or not is_smooth or not 0.1 < kept < LEARNT_LITTLE or share >= 1:
        return None
    return CATALOGUE["GF112"].finding(
        f"training ended smoothly with {kept:.0%} of the first loss left, and the network has "
        f"{histories[0].num_parameters} parameters for {histories[0].num_rows} rows",
        Evidence(what="loss left, over the first loss", value=kept, limit=0.1),
        Evidence(what="parameters over rows", value=share, limit=1.0),
    )


def _is_short(histories: Sequence[History]) -> bool:
    return max(len(history.epochs) for history in histories) < LEAST_EPOCHS


DETECTORS = (plateau, slow_convergence, oscillation, divergence)
