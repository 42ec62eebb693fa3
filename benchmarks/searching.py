"""What a person does without a diagnosis: random search, or Optuna, over the knobs that goodfit turns.

A tight loop in plain PyTorch, one candidate after the other, stopped at the deadline.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from goodfit.data.split import Split
from goodfit.engine.construction import sizes_of
from goodfit.engine.losses import apply_link, row_scores
from goodfit.engine.plan import Plan
from goodfit.nets.mlp import MLP
from goodfit.rules.base import rule_named

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky-relu", "maxout", "gelu")
RULES = ("gradient-descent", "momentum", "rmsprop", "adam", "adagrad")
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "gradient-descent": torch.optim.SGD,
    "momentum": lambda p, **kw: torch.optim.SGD(p, momentum=0.9, **kw),
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adam": lambda p, **kw: torch.optim.Adam(p, fused=True, **kw),
}

Ask = Callable[[str, Any], Any]
"""Asks for the value of a knob: its name, and the choices, or the ends of a range on a logarithmic scale."""


def treated(plan: Plan, ask: Ask) -> Plan:
    """Turn every knob that the recipe turns too."""
    assert isinstance(plan.network, MLP)
    factor = ask("width", (0.5, 1.0, 2.0))
    widths = tuple(max(1, round(width * factor)) for width in plan.network.widths[: ask("depth", (3, 99))])
    network = dataclasses.replace(
        plan.network,
        widths=widths,
        activation=ask("activation", ACTIVATIONS),
        normalisation=ask("normalisation", (None, "batch", "layer")),
        skip=ask("skip", (False, True)),
        initialisation=ask("initialisation", ("torch", "he")),
    )
    return dataclasses.replace(
        plan,
        network=network,
        rule=rule_named(ask("rule", RULES), lr=ask("lr", (1e-5, 1.0))),
        dropout=ask("dropout", (0.0, 0.1, 0.25, 0.5)),
        input_dropout=ask("input dropout", (0.0, 0.1, 0.2)),
        l2=ask("l2", (0.0, 1e-3, 1e-2)),
        clip_norm=ask("clip", (math.inf, 1.0)),
    )


@dataclasses.dataclass(kw_only=True, eq=False)
class Found:
    """The best network of a search, and how many were tried."""

    module: nn.Module
    plan: Plan
    score: float
    tried: int


Report = Callable[[int, float], bool]
"""Told the epoch and the validation score; returns whether to stop this training."""


def random_search(plan: Plan, split: Split, *, seconds: float, seed: int) -> Found:
    """Draw every knob at random until the time is over; the first candidate is the plan as it is."""
    random = np.random.default_rng(seed)

    def ask(name: str, choices: Any) -> Any:
        if name == "lr":
            return float(np.exp(random.uniform(*np.log(choices))))
        return choices[int(random.integers(len(choices)))]

    best, deadline, tried = None, time.monotonic() + seconds, 0
    while best is None or time.monotonic() < deadline:
        candidate = plan if best is None else treated(plan, ask)
        found = train(candidate, split, seed=seed + tried, deadline=deadline)
        tried += 1
        if best is None or found.score > best.score:
            best = found
    return dataclasses.replace(best, tried=tried)


def optuna_search(plan: Plan, split: Split, *, seconds: float, seed: int) -> Found:
    """Let Optuna's default sampler and its median pruner turn the same knobs for the same time."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    deadline, found = time.monotonic() + seconds, [train(plan, split, seed=seed)]

    def objective(trial: optuna.Trial) -> float:
        def ask(name: str, choices: Any) -> Any:
            if name == "lr":
                return trial.suggest_float(name, *choices, log=True)
            return trial.suggest_categorical(name, choices)

        def report(epoch: int, score: float) -> bool:
            trial.report(score, epoch)
            return trial.should_prune()

        seed_of_trial = seed + trial.number + 1
        found.append(train(treated(plan, ask), split, seed=seed_of_trial, deadline=deadline, report=report))
        return found[-1].score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(),
    )
    study.optimize(objective, timeout=max(0.1, deadline - time.monotonic()))
    return dataclasses.replace(max(found, key=lambda one: one.score), tried=len(found))


def train(
    plan: Plan,
    split: Split,
    *,
    seed: int,
    deadline: float = math.inf,
    report: Report | None = None,
) -> Found:
    """Train one network in a plain loop, all data in two tensors."""
    torch.manual_seed(seed)
    module = plan.network.build(sizes_of(plan, split), dropout=plan.dropout, input_dropout=plan.input_dropout)
    optimizer = OPTIMIZERS[plan.rule.name](module.parameters(), lr=plan.rule.lr)
    rows = split.rows("train", plan.inputs)
    size = min(plan.batch_size, len(rows))
    for epoch in range(plan.epochs):
        order_N = torch.randperm(len(rows))
        for start in range(0, len(rows) - size + 1, size):
            chosen = order_N[start : start + size]
            loss = plan.loss.rows(module(rows.x[chosen])[None], rows.y_N[chosen][None]).mean()
            if plan.l2:
                loss = loss + plan.l2 / 2 * sum((p**2).sum() for p in module.parameters() if p.dim() > 1)
            optimizer.zero_grad()
            loss.backward()
            if plan.clip_norm < math.inf:
                nn.utils.clip_grad_norm_(module.parameters(), plan.clip_norm)
            optimizer.step()
        if time.monotonic() > deadline:
            break
        if report is not None and report(epoch, _validation_score(module, plan, split)):
            break
    score = _validation_score(module, plan, split)
    return Found(module=module, plan=plan, score=score, tried=1)


@torch.no_grad()
def scores_of(module: nn.Module, plan: Plan, x: Tensor, y_N: Tensor) -> np.ndarray:
    """Score every row; what is not a number scores as a blind guess."""
    module.eval()
    predicted = apply_link(module(x), plan.loss.link)
    module.train()
    scores_N = row_scores(predicted, y_N, kind=plan.loss.kind).numpy().astype(float)
    return np.nan_to_num(scores_N, nan=0.0, posinf=0.0, neginf=-1e3)


def _validation_score(module: nn.Module, plan: Plan, split: Split) -> float:
    rows = split.rows("validation", plan.inputs)
    return float(scores_of(module, plan, rows.x, rows.y_N).mean())
