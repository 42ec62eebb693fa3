"""Who goes into a population, and what comes out of it."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import Tensor

from goodfit.engine.history import History
from goodfit.engine.plan import Plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """One network to train.

    Attributes:
        arm: Name of the arm it belongs to, such as ``"as it is"`` or ``"relu"``.
        seed: Decides its initial weights, batches and dropout draws; arms that share it are paired.
        plan: How it is trained.
        fold: ``None`` trains on the training part. ``(i, m)`` trains on training and validation rows
            together, except for every m-th row from the i-th on, which it watches instead of the
            validation part.
        falls_back: Whether it hands over the weights of its lowest validation loss where the last ones are
            worse beyond chance. With a patience it hands over the best in any case.
    """

    arm: str
    seed: int
    plan: Plan
    fold: tuple[int, int] | None = None
    falls_back: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """One candidate after its training.

    Attributes:
        candidate: Who it was.
        history: What the training left behind.
        weights: Parameters and buffers by name, as ``nn.Module.load_state_dict`` takes them.
        predicted_NO: Probabilities or values on the validation rows, shape ``(N, O)``.
        predicted_train_NO: The same on the sample of training rows.
        train_y_N: Targets of that sample.
        train_scores_N: Score of each of a fixed sample of training rows; their mean is the training score.
        validation_scores_N: Score of each validation row.
        train_weight_N: Weights of the sample of training rows; ``None`` where all are equal.
    """

    candidate: Candidate
    history: History
    weights: dict[str, Tensor]
    predicted_NO: np.ndarray
    predicted_train_NO: np.ndarray
    train_y_N: np.ndarray
    train_scores_N: np.ndarray
    validation_scores_N: np.ndarray
    train_weight_N: np.ndarray | None = None
