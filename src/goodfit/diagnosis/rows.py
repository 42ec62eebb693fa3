"""What is wrong with the rows: copies, contradictions, their order, and parts that differ."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import bdtrc

from goodfit.diagnosis import measures
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import Association, Harness, History

REPEATED = 0.01
FEWEST_REPEATED = 5
MANY_REPEATED = 0.2
"""Few columns of few values repeat by themselves; a fifth of the rows is more than that."""
SURE = 0.001
"""Chance of a false alarm that a test on rows may have; many tests are made in one run."""
SORTED = 0.5
FEWEST_IN_ORDER = 50
CHANCE = 0.5
NUM_ERRORS = 3.0
UNRELATED = 0.58
"""Area under the curve: the weakest relation of thirty healthy twins had 0.85; shuffled targets have 0.5."""
APART, FAR_APART = 0.6, 0.75
LEAST_SCORE = 0.05


def repeated_rows(harness: Harness) -> Finding | None:
    """Validation rows that can be answered by heart.

    A warning where they are more than the training rows' own repetition explains, so that copies went
    into both parts; or where they are many and all have their copies' targets. Coarse columns repeat by
    chance, and then the rows are different cases.
    """
    count, looked_at = harness.num_repeated_rows, harness.num_validation_rows
    if count < FEWEST_REPEATED or count <= REPEATED * looked_at:
        return None
    by_chance = harness.num_train_repeats / max(1, harness.num_train_rows)
    # a record of a version that did not look at training rows knows no chance
    is_excess = bool(harness.num_train_rows) and _is_above(count, looked_at, by_chance)
    is_copied = harness.num_repeats_alike == count or not harness.num_train_rows
    return CATALOGUE["GF006"].finding(
        f"{count} of {looked_at} validation rows have inputs that stand in the training rows too, "
        f"{harness.num_repeats_alike} with the same target; of training rows {by_chance:.1%} repeat another",
        Evidence(what="share of repeated validation rows", value=count / looked_at, limit=REPEATED),
        Evidence(what="share of training rows that repeat another", value=by_chance, limit=REPEATED),
        severity="warning" if is_excess or (is_copied and count > MANY_REPEATED * looked_at) else "info",
    )


def repeated_inputs(harness: Harness) -> Finding | None:
    """Training rows that stand there more than once; those that contradict each other cannot be learnt."""
    count, looked_at = harness.num_train_repeats, harness.num_train_rows
    if count < FEWEST_REPEATED or count <= MANY_REPEATED * looked_at:
        return None
    return CATALOGUE["GF040"].finding(
        f"{count} of {looked_at} training rows have the inputs of another one, "
        f"{harness.num_contradictions} of them with another target; limit {MANY_REPEATED:.0%}",
        Evidence(what="share of repeated training rows", value=count / looked_at, limit=MANY_REPEATED),
        Evidence(
            what="share of contradicting training rows",
            value=harness.num_contradictions / looked_at,
            limit=0.0,
        ),
    )


def sorted_targets(harness: Harness) -> Finding | None:
    """Targets that come in an order."""
    order = harness.target_order
    if order is None or not order > SORTED or harness.num_train_rows < FEWEST_IN_ORDER:
        return None
    return CATALOGUE["GF041"].finding(
        f"neighbouring rows have like targets ({order:.2f}, by chance 0, sorted 1); "
        "rows of one source or time may stand in both parts",
        Evidence(what="likeness of neighbours' targets", value=order, limit=SORTED),
    )


def unrelated_targets(harness: Harness, histories: Sequence[History]) -> Finding | None:
    """Targets that neither trees nor the network can tell from the inputs of rows they have not seen.

    Args:
        harness: With the trees' answer.
        histories: The seeds of the plan as it came.
    """
    signal = harness.input_signal
    if signal is None or not histories or not _highest(signal) < UNRELATED:
        return None
    guess = harness.majority_share or 0.0
    best = measures.over_seeds(histories, lambda history: _most(history.validation_score))
    variance = max(guess * (1 - guess), 0.01) / max(1, harness.num_validation_rows)
    margin = max(LEAST_SCORE, NUM_ERRORS * variance**0.5)
    if not best < guess + margin:
        return None
    return CATALOGUE["GF029"].finding(
        f"trees tell the targets of rows they have not seen no better than chance ({signal.value:.2f}, "
        f"chance {CHANCE}), and the network reaches {best:.3f} on validation rows, a guess {guess:.3f}",
        Evidence(what="upper end of the area under the curve", value=_highest(signal), limit=UNRELATED),
        Evidence(what="best validation score over that of a guess", value=best - guess, limit=margin),
    )


def shifted_validation(harness: Harness) -> Finding | None:
    """Validation rows that trees tell from training rows."""
    apart = harness.parts_apart
    if apart is None:
        return None
    lowest = apart.value - NUM_ERRORS * apart.error
    if not lowest > APART:
        return None
    return CATALOGUE["GF206"].finding(
        f"trees tell validation rows from training rows: area under the curve {apart.value:.2f} "
        f"({lowest:.2f} to {_highest(apart):.2f}), chance {CHANCE}, limit {APART}",
        Evidence(what="lower end of the area under the curve", value=lowest, limit=APART),
        severity="warning" if lowest > FAR_APART else "info",
    )


def _is_above(count: int, num_rows: int, share: float) -> bool:
    """Whether so many of the rows, or more, are too many for chance, by the binomial distribution."""
    return bool(bdtrc(count - 1, num_rows, min(share, 1.0)) < SURE)


def _highest(found: Association) -> float:
    return min(1.0, found.value + NUM_ERRORS * found.error)


def _most(curve: Sequence[float | None]) -> float:
    return max((value for value in curve if value is not None), default=float("nan"))
