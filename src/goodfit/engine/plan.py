"""Step one to three of the recipe in one record: network, loss, update rule, and how long."""

from __future__ import annotations

import dataclasses
import math
from numbers import Real
from typing import Literal

from goodfit.engine.goodness.losses import Loss
from goodfit.errors import PlanError
from goodfit.nets.network import Network, Sizes
from goodfit.rules.base import Rule
from goodfit.rules.schedules import Constant, Schedule

_SHARES = ("dropout", "input_dropout", "label_smoothing", "averaging", "tail_averaging", "shift")
_STRENGTHS = ("mixup", "input_noise")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides one training, apart from the data and the seed.

    Remedies are edits of a plan, so every field is a number, a word or a frozen record.

    Attributes:
        network: The set of functions.
        loss: Goodness of a function.
        rule: The update rule with its learning rate and decoupled weight decay.
        schedule: How the learning rate changes over the training.
        epochs: Passes over the training rows.
        batch_size: Rows of one step.
        inputs: Which view of the data the network sees: ``"raw"``, ``"scaled"`` or ``"expanded"``.
        l1: Weight of the sum of absolute weights in the loss.
        l2: Weight of half the sum of squared weights in the loss.
        dropout: Share of hidden units silenced at each training step.
        input_dropout: Share of inputs silenced at each training step.
        label_smoothing: Share of the target spread evenly over the classes.
        input_noise: Standard deviation of the normal noise added to the inputs at each training step.
        mixup: Both parameters of the Beta distribution of the shares of mixed rows; 0 is off.
        shift: Largest shift of an image at each training step, as a share of its height and width.
        mirror: Share of images mirrored left to right at each training step.
        clip_norm: Largest gradient norm; infinity clips nothing.
        patience: Epochs to wait for a better validation loss before stopping, with the best weights
            kept; ``None`` trains to the end.
        averaging: Decay of the exponential average of the weights that is evaluated in their place; 0 is off.
        tail_averaging: Share of the training, at its end, whose weights are averaged evenly (stochastic
            weight averaging) and evaluated in the place of the last ones; 0 is off.
        precision: Number type in which a step is computed: ``"float32"`` or ``"bfloat16"``. Weights, updates
            and scores are float32 in both.
        ensemble: Whether the handed-back model is the mean of all seeds rather than one.
    """

    network: Network
    loss: Loss
    rule: Rule
    schedule: Schedule = dataclasses.field(default_factory=Constant)
    epochs: int
    batch_size: int
    inputs: str = "scaled"
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
    precision: Literal["float32", "bfloat16"] = "float32"
    ensemble: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "l1", "l2", "clip_norm", "mirror", *_STRENGTHS, *_SHARES):
            _require(self, name, isinstance(getattr(self, name), Real), "one number for each candidate")
        for name in ("epochs", "batch_size"):
            _require(self, name, getattr(self, name) >= 1, "at least 1")
        for name in ("l1", "l2"):
            _require(self, name, getattr(self, name) >= 0, "at least 0")
        for name in _STRENGTHS:
            _require(self, name, 0 <= getattr(self, name) < math.inf, "at least 0, and finite")
        for name in _SHARES:
            _require(self, name, 0 <= getattr(self, name) < 1, "at least 0 and below 1")
        _require(self, "mirror", 0 <= self.mirror <= 1, "at least 0 and at most 1")
        _require(self, "tail_averaging", not (self.averaging and self.tail_averaging), "0 beside averaging")
        _require(self, "clip_norm", self.clip_norm > 0, "above 0")
        _require(self, "precision", self.precision in ("float32", "bfloat16"), "float32 or bfloat16")
        _require(self, "patience", self.patience is None or self.patience >= 1, "at least 1 epoch")

    @property
    def structure(self) -> tuple[object, ...]:
        """What candidates must share to train in one stack."""
        return (self.network, self.loss, self.inputs, self.batch_size, self.epochs, self.precision)

    def describe(self, sizes: Sizes) -> tuple[tuple[str, str], ...]:
        """Say the plan for these sizes as (word, value) pairs, leaving out what is switched off."""
        always = [
            ("network", self.network.describe(sizes)),
            ("loss", self.loss.name),
            ("rule", self.rule.label),
            ("lr", f"{self.rule.lr:g}"),
            ("schedule", self.schedule.name),
            ("epochs", str(self.epochs)),
            ("batch size", str(self.batch_size)),
            ("inputs", self.inputs),
            *self.rule.particulars.items(),
        ]
        switched = [
            ("weight decay", self.rule.weight_decay, 0.0),
            ("L1", self.l1, 0.0),
            ("L2", self.l2, 0.0),
            ("dropout", self.dropout, 0.0),
            ("input dropout", self.input_dropout, 0.0),
            ("label smoothing", self.label_smoothing, 0.0),
            ("input noise", self.input_noise, 0.0),
            ("mixup", self.mixup, 0.0),
            ("shift", self.shift, 0.0),
            ("mirror", self.mirror, 0.0),
            ("clip norm", self.clip_norm, math.inf),
            ("early stopping patience", self.patience, None),
            ("weight averaging", self.averaging, 0.0),
            ("tail averaging", self.tail_averaging, 0.0),
            ("precision", self.precision, "float32"),
            ("ensemble", self.ensemble, False),
        ]
        return (*always, *((name, _text(value)) for name, value, off in switched if value != off))


def _text(value: float | bool | str | None) -> str:
    return "yes" if value is True else value if isinstance(value, str) else f"{value:g}"


def _require(plan: Plan, name: str, holds: bool, limit: str) -> None:
    if not holds:
        raise PlanError(f"{name} is {getattr(plan, name)!r}", fix=f"let {name} be {limit}")
