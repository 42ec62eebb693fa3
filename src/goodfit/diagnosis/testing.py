"""Why is testing not good, although training is? Asked only after question one was answered "yes".

Letters: S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from goodfit.diagnosis import measures
from goodfit.diagnosis.calibration import poor_calibration
from goodfit.diagnosis.catalogue import CATALOGUE
from goodfit.diagnosis.finding import Evidence, Finding
from goodfit.engine.history import History

LEVEL = 0.95
LEAST_GAP = 0.02
"""A smaller gap is no reason to regularise, however certain it is."""
TURNED = 0.20
"""Rise of the validation loss above its lowest point, as a share of it."""
WIDEST = 0.05
MOST_ROWS = 2000
"""Rows on which the engine measures one point of a curve, at most."""


def findings(histories: Sequence[History]) -> tuple[Finding, ...]:
    """Find what keeps one plan from good results on data it has not seen.

    Call it only when question one was answered "yes": a bad validation score of a network that has not
    even learnt its training rows is no overfitting.

    Args:
        histories: The seeds of one arm.

    Returns:
        Findings in the order of the catalogue.

    Example:
        >>> findings([])
        ()
    """
    histories = [history for history in histories if _scores(history) is not None]
    if not histories:
        return ()
    detectors = (overfitting, overtraining, validation_too_small, no_gap, poor_calibration)
    return tuple(found for detect in detectors if (found := detect(histories)))


def overfitting(histories: Sequence[History]) -> Finding | None:
    """Training above validation, beyond what seeds and rows explain."""
    gap, reach = _gap(histories)
    if not (gap - reach > 0 and gap > LEAST_GAP):
        return None
    return CATALOGUE["GF201"].finding(
        f"training {_word(histories)} lies {gap:.3f} above validation "
        f"(95 % interval {gap - reach:.3f} to {gap + reach:.3f}); limit {LEAST_GAP:g}",
        Evidence(what="training score minus validation score", value=gap, limit=LEAST_GAP),
        Evidence(what="its lower end", value=gap - reach, limit=0.0),
    )


def overtraining(histories: Sequence[History]) -> Finding | None:
    """A validation loss that turned up while the training loss went on falling."""
    turns = [turn for history in histories if (turn := _turn(history)) is not None]
    rise = float(np.median([rise for _, rise in turns])) if 2 * len(turns) > len(histories) else 0.0
    if not rise > TURNED:
        return None
    epoch = int(np.median([epoch for epoch, _ in turns]))
    return CATALOGUE["GF202"].finding(
        f"the validation loss was lowest at epoch {epoch} and ended {rise:.0%} above that; "
        f"limit {TURNED:.0%}",
        Evidence(
            what="validation loss at the end over its lowest, less one", value=rise, limit=TURNED, epoch=epoch
        ),
    )


def validation_too_small(histories: Sequence[History]) -> Finding | None:
    """An interval of the validation score, from its rows alone, too wide to decide by."""
    scores = [pair[1] for history in histories if (pair := _scores(history)) is not None]
    num_rows = histories[0].num_validation_rows
    reach = 1.96 * math.sqrt(row_variance(float(np.mean(scores)), num_rows, histories[0].metric))
    if not reach > WIDEST:
        return None
    return CATALOGUE["GF203"].finding(
        f"{num_rows} validation rows know {_word(histories)} to ±{reach:.2f}; "
        f"±{WIDEST:g} is needed to choose by",
        Evidence(what="half of the 95 % interval of the validation score", value=reach, limit=WIDEST),
    )


def no_gap(histories: Sequence[History]) -> Finding | None:
    """Validation as good as training: what is missing is not regularisation."""
    gap, reach = _gap(histories)
    if not gap + reach < LEAST_GAP:
        return None
    return CATALOGUE["GF204"].finding(
        f"training {_word(histories)} lies at most {max(0.0, gap + reach):.3f} above validation; "
        f"below {LEAST_GAP:g} regularisation has nothing to give back",
        Evidence(what="upper end of training minus validation", value=gap + reach, limit=LEAST_GAP),
    )


def _scores(history: History) -> tuple[float, float] | None:
    """Training and validation score of the weights that were kept."""
    place = len(history.epochs) - 1
    if history.ending == "stopped early" and history.best_epoch in history.epochs:
        place = history.epochs.index(history.best_epoch)
    if place < 0:
        return None
    train, validation = history.train_score[place], history.validation_score[place]
    return None if train is None or validation is None else (train, validation)


def _gap(histories: Sequence[History]) -> tuple[float, float]:
    """Mean gap and half of its interval: t for the seeds, normal for the rows of both parts, as squares."""
    scores_S2 = np.array([_scores(history) for history in histories], dtype=float)
    gap_S = scores_S2[:, 0] - scores_S2[:, 1]
    first = histories[0]
    by_row = sum(
        row_variance(float(score), num_rows, first.metric)
        for score, num_rows in zip(
            scores_S2.mean(0), (first.num_rows, first.num_validation_rows), strict=True
        )
    )
    by_seed = 0.0
    if len(gap_S) > 1:
        t = float(stdtrit(len(gap_S) - 1, (1 + LEVEL) / 2))
        by_seed = t**2 * float(gap_S.var(ddof=1)) / len(gap_S)
    return float(gap_S.mean()), math.sqrt(by_seed + 1.96**2 * by_row)


def row_variance(score: float, num_rows: int, metric: str) -> float:
    """Estimate the variance of a score that comes from having few rows.

    Accuracy is a share, and other metrics from 0 to 1 are taken for one. For R squared it is twice what
    normal errors give (Olkin & Finn, "Correlations redux", Psychological Bulletin 118, 1995), because real
    errors have heavier tails.
    """
    rows = max(1, min(num_rows, MOST_ROWS))
    if metric != "r2" and 0 <= score <= 1:
        share = min(max(score, 1 / (rows + 2)), 1 - 1 / (rows + 2))
        return share * (1 - share) / rows
    return 8 * min(max(score, 0.25), 1.0) * (1 - min(score, 1.0)) ** 2 / rows


def _turn(history: History) -> tuple[int, float] | None:
    """Epoch of the lowest validation loss, and how far the loss ended above it (early stopping goes back)."""
    loss_E = measures.array(history.validation_loss)
    known = np.flatnonzero(np.isfinite(loss_E))
    if len(known) < 3 or history.ending == "stopped early":
        return None
    lowest = int(known[np.argmin(loss_E[known])])
    size = max(1, len(loss_E) // 8)
    end = measures.typical(loss_E[-size:])
    rise = (end - loss_E[lowest]) / loss_E[lowest] if loss_E[lowest] > 0 else float("nan")
    return (history.epochs[lowest], float(rise)) if rise > 0 else (history.epochs[lowest], 0.0)


def _word(histories: Sequence[History]) -> str:
    return "R squared" if histories[0].metric == "r2" else histories[0].metric
