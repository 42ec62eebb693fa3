"""The training that a run prescribes, read back from the words of its record."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from goodfit.data.splits import num_folds
from goodfit.errors import RunFolderError
from goodfit.procedure.run import Run
from goodfit.rules.base import Rule, rule_named
from goodfit.rules.own import Group
from goodfit.rules.schedules import Schedule, schedule_named

SHARES = {"cosine": {"warmup": 0.05}, "warm-up": {"share": 0.1}}
"""Shares of the schedules that plans and remedies use; the record names the schedule alone."""
PARTICULARS = ("momentum", "alpha", "beta1", "beta2", "eps")
KNOWN = (
    *PARTICULARS, "optimizer",
    "network", "loss", "rule", "lr", "schedule", "epochs", "batch size", "inputs", "weight decay", "L1", "L2",
    "dropout", "input dropout", "label smoothing", "input noise", "mixup", "shift", "mirror", "clip norm",
    "early stopping patience", "weight averaging", "tail averaging", "ensemble", "precision",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """How the handed-back networks were trained.

    Attributes:
        loss: Name of the loss.
        rule: Update rule with its numbers, its decoupled weight decay among them; ``None`` for an optimizer
            of the user's own.
        lr: Its rate; the largest one of an own optimizer's groups.
        weight_decay: Decoupled decay.
        optimizer: Where the class of an own optimizer is found, and its groups.
        schedule: How the learning rate changes.
        epochs: Passes over the training rows.
        batch_size: Rows of a step.
        l1: Strength of L1.
        l2: Strength of L2.
        dropout: Share of hidden units silenced.
        input_dropout: Share of inputs silenced.
        label_smoothing: Share of the target spread over the classes.
        input_noise: Standard deviation of the noise added to the inputs.
        mixup: Both parameters of the Beta distribution of mixed rows' shares; 0 is off.
        shift: Largest shift of an image, as a share of its size.
        mirror: Share of images mirrored.
        clip_norm: Largest norm of the gradient.
        patience: Epochs to wait for a better validation loss; ``None`` trains to the end.
        averaging: Decay of the average of the weights; 0 is off.
        tail_averaging: Share of the training whose weights are averaged evenly; 0 is off.
        members: Networks whose mean predicts.
        folds: Parts of the rows; each member learns from all but one of its own.
        unknown: What was done beyond this, as (word, value).
    """

    loss: str
    rule: Rule | None
    lr: float
    weight_decay: float
    schedule: Schedule
    epochs: int
    batch_size: int
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    label_smoothing: float = 0.0
    input_noise: float = 0.0
    mixup: float = 0.0
    shift: float = 0.0
    mirror: float = 0.0
    clip_norm: float = math.inf
    patience: int | None = None
    averaging: float = 0.0
    tail_averaging: float = 0.0
    members: int = 1
    folds: int = 1
    unknown: tuple[tuple[str, str], ...] = ()
    optimizer: tuple[str, tuple[Group, ...]] | None = None

    @property
    def averages(self) -> bool:
        """Whether an average of the weights is handed over in place of the last ones."""
        return self.averaging > 0 or self.tail_averaging > 0


def training_of(run: Run, *, members: int) -> Training:
    """Read the training from a run's treated plan.

    Args:
        run: The record.
        members: Networks that were handed back.

    Raises:
        RunFolderError: The record lacks a word that every plan has, or holds no number where one belongs.
    """
    words = dict(run.treated_plan)
    try:
        training = _read(words, members=members, num_rows=run.data.num_train + run.data.num_validation)
    except (KeyError, ValueError) as error:
        raise RunFolderError(
            f"the run's plan cannot be read: {type(error).__name__} {error} in {words}",
            fix="repeat the run with this version of goodfit",
        ) from error
    if run.data.is_weighted:  # the record has no weights, and a script reads only rows and targets
        lost = ("sample_weight", "(it counts every row once)")
        training = dataclasses.replace(training, unknown=(*training.unknown, lost))
    return training


def _read(words: Mapping[str, str], *, members: int, num_rows: int) -> Training:
    numbers = {
        field: float(words.get(word, usual))
        for field, word, usual in (
            ("l1", "L1", "0"),
            ("l2", "L2", "0"),
            ("dropout", "dropout", "0"),
            ("input_dropout", "input dropout", "0"),
            ("label_smoothing", "label smoothing", "0"),
            ("input_noise", "input noise", "0"),
            ("mixup", "mixup", "0"),
            ("shift", "shift", "0"),
            ("mirror", "mirror", "0"),
            ("clip_norm", "clip norm", "inf"),
            ("averaging", "weight averaging", "0"),
            ("tail_averaging", "tail averaging", "0"),
        )
    }
    particulars = {name: float(words[name]) for name in PARTICULARS if name in words}
    patience = words.get("early stopping patience")
    schedule: dict[str, Any] = SHARES.get(words["schedule"], {})
    lr, weight_decay = float(words["lr"]), float(words.get("weight decay", "0"))
    return Training(
        loss=words["loss"],
        rule=None
        if "optimizer" in words
        else rule_named(words["rule"], lr=lr, weight_decay=weight_decay, **particulars),
        lr=lr,
        weight_decay=weight_decay,
        optimizer=_optimizer(words["optimizer"]) if "optimizer" in words else None,
        schedule=schedule_named(words["schedule"], **schedule),
        epochs=int(words["epochs"]),
        batch_size=int(words["batch size"]),
        patience=None if patience is None else int(float(patience)),
        members=members,
        folds=num_folds(num_rows, members=members),
        unknown=tuple((word, value) for word, value in words.items() if word not in KNOWN),
        **numbers,
    )


def _optimizer(text: str) -> tuple[str, tuple[Group, ...]]:
    """Read where an optimizer's class is found, and its groups; JSON has turned tuples into lists."""
    record = json.loads(text)
    groups = tuple(
        Group(
            names=tuple(group["names"]),
            settings=tuple(
                (name, tuple(value) if isinstance(value, list) else value)
                for name, value in group["settings"].items()
            ),
        )
        for group in record["groups"]
    )
    return record["source"], groups
