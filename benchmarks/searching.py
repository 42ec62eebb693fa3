"""What a person does without a diagnosis: retraining, random search, or Optuna, over the recipe's knobs.

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

from goodfit.data.split import Rows, Split
from goodfit.engine.plan import Plan
from goodfit.engine.ways.construction import sizes_of
from goodfit.nets.given import Given
from goodfit.nets.mlp import MLP
from goodfit.rules.base import Rule, rule_named

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky-relu", "maxout", "gelu")
RULES = ("gradient-descent", "momentum", "rmsprop", "adam", "adagrad")

Ask = Callable[[str, Any], Any]
"""Asks for the value of a knob: its name, and the choices, or the ends of a range on a logarithmic scale."""


def treated(plan: Plan, split: Split, ask: Ask) -> Plan:
    """Turn the knobs that the recipe turns."""
    views = (plan.inputs, "scaled", "expanded") if split.can_expand else (plan.inputs, "scaled")
    views = (plan.inputs,) if split.form is not None else tuple(dict.fromkeys(views))
    network = _of_mlp(plan.network, ask) if isinstance(plan.network, MLP) else _of_given(plan, split, ask)
    return dataclasses.replace(
        plan,
        network=network,
        inputs=ask("inputs", views),
        rule=rule_named(ask("rule", RULES), lr=ask("lr", (1e-5, 1.0))),
        epochs=round(plan.epochs * ask("epochs", (1.0, 3.0))),
        dropout=ask("dropout", (0.0, 0.1, 0.25, 0.5)),
        input_dropout=ask("input dropout", (0.0, 0.1, 0.2)),
        l2=ask("l2", (0.0, 1e-3, 1e-2)),
        clip_norm=ask("clip", (math.inf, 1.0)),
        patience=ask("patience", (None, 6)),
    )


def _of_mlp(network: MLP, ask: Ask) -> MLP:
    factor = ask("width", (0.5, 1.0, 2.0))
    widths = tuple(max(1, round(width * factor)) for width in network.widths[: ask("depth", (3, 99))])
    return dataclasses.replace(
        network,
        widths=widths,
        activation=ask("activation", ACTIVATIONS),
        normalisation=ask("normalisation", (None, "batch", "layer")),
        skip=ask("skip", (False, True)),
        initialisation=ask("initialisation", ("torch", "he")),
    )


def _of_given(plan: Plan, split: Split, ask: Ask) -> Given:
    """Edits of a given network, those that would change something in it."""
    assert isinstance(plan.network, Given)
    reachable = plan.network.reachable(sizes_of(plan, split))
    normalisations = ["none", *(n for n in ("batch", "layer") if f"normalisation {n}" in reachable)]
    knobs: dict[str, tuple[str, tuple[Any, ...]]] = {
        "activation": ("activation", (None, *ACTIVATIONS)),
        "widening": ("widening", (1.0, 2.0)),
        "skip": ("skip", (False, True)),
        "plain_output": ("plain_output", (False, True)),
    }
    fields: dict[str, Any] = {
        field: ask(field, choices) for name, (field, choices) in knobs.items() if name in reachable
    }
    fields["normalisation"] = ask("normalisation", tuple(normalisations))
    fields["initialisation"] = ask("initialisation", (None, "he"))
    return dataclasses.replace(plan.network, **fields)


@dataclasses.dataclass(kw_only=True, eq=False)
class Found:
    """The best network of a search, and how many were tried."""

    module: nn.Module
    plan: Plan
    score: float
    tried: int


Report = Callable[[int, float], bool]
"""Told the epoch and the validation score; returns whether to stop this training."""


def retraining(plan: Plan, split: Split, *, seconds: float, seed: int) -> Found:
    """Train the plan as it is with one seed after the other, and keep the best."""
    return _search(plan, split, lambda: plan, seconds=seconds, seed=seed)


def random_search(plan: Plan, split: Split, *, seconds: float, seed: int) -> Found:
    """Draw every knob at random until the time is over; the first candidate is the plan as it is."""
    random = np.random.default_rng(seed)

    def ask(name: str, choices: Any) -> Any:
        if name == "lr":
            return float(np.exp(random.uniform(*np.log(choices))))
        return choices[int(random.integers(len(choices)))]

    return _search(plan, split, lambda: treated(plan, split, ask), seconds=seconds, seed=seed)


def _search(plan: Plan, split: Split, draw: Callable[[], Plan], *, seconds: float, seed: int) -> Found:
    deadline = time.monotonic() + seconds
    best, tried = train(plan, split, seed=seed, deadline=deadline), 1
    while time.monotonic() < deadline:
        try:
            found = train(draw(), split, seed=seed + tried, deadline=deadline)
        except Exception as error:  # an edit that this network does not take is a draw lost
            found = _failed(error, best)
        tried += 1
        if found.score > best.score:
            best = found
    return dataclasses.replace(best, tried=tried)


def _failed(error: Exception, best: Found) -> Found:
    if isinstance(error, KeyboardInterrupt | MemoryError):
        raise error
    return dataclasses.replace(best, score=-math.inf)


def optuna_search(plan: Plan, split: Split, *, seconds: float, seed: int) -> Found:
    """Let Optuna's default sampler and its median pruner turn the same knobs for the same time."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    deadline = time.monotonic() + seconds
    found = [train(plan, split, seed=seed, deadline=deadline)]
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(),
    )
    while time.monotonic() < deadline:  # not its own timeout, which is of another clock
        trial = study.ask()

        def ask(name: str, choices: Any, trial: Any = trial) -> Any:
            if name == "lr":
                return trial.suggest_float(name, *choices, log=True)
            return choices[trial.suggest_categorical(name, list(range(len(choices))))]

        def report(epoch: int, score: float, trial: Any = trial) -> bool:
            trial.report(score, epoch)
            return bool(trial.should_prune())

        try:
            candidate = treated(plan, split, ask)
            one = train(candidate, split, seed=seed + len(found), deadline=deadline, report=report)
        except Exception:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        found.append(one)
        study.tell(trial, one.score)
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
    optimizer = optimizer_of(plan.rule, module)
    rows = split.rows("train", plan.inputs)
    size = min(plan.batch_size, len(rows))
    best, best_epoch, weights = -math.inf, 0, None
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
        if report is None and plan.patience is None:
            if time.monotonic() > deadline:
                break
            continue
        score = _validation_score(module, plan, split)
        if score > best:
            best, best_epoch = score, epoch
            weights = {name: value.clone() for name, value in module.state_dict().items()}
        stops = plan.patience is not None and epoch - best_epoch >= plan.patience
        if stops or time.monotonic() > deadline or (report is not None and report(epoch, score)):
            break
    if weights is not None and plan.patience is not None:
        module.load_state_dict(weights)
    return Found(module=module, plan=plan, score=_validation_score(module, plan, split), tried=1)


def optimizer_of(rule: Rule, module: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of torch that follows a rule, in its fastest form."""
    numbers, parameters = rule.hyperparameters(), [p for p in module.parameters() if p.requires_grad]
    lr = numbers["lr"]
    if rule.name in ("adam", "adamw"):
        kind = torch.optim.Adam if rule.name == "adam" else torch.optim.AdamW
        betas = (numbers["beta1"], numbers["beta2"])
        decay = {} if rule.name == "adam" else {"weight_decay": rule.weight_decay}
        return kind(parameters, lr=lr, betas=betas, eps=numbers["eps"], fused=True, **decay)
    if rule.name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr, alpha=numbers["alpha"], eps=numbers["eps"])
    if rule.name == "adagrad":
        return torch.optim.Adagrad(parameters, lr=lr, eps=numbers["eps"])
    momentum = numbers.get("momentum", 0.0)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, nesterov=rule.name == "nesterov")


@torch.no_grad()
def predicted_by(module: nn.Module, plan: Plan, rows: Rows) -> Tensor:
    """Predict every row, as in evaluation."""
    module.eval()
    predicted_NO: Tensor = plan.loss.predict(module(rows.x))
    module.train()
    return predicted_NO


def settled(scores_N: Tensor) -> np.ndarray:
    """Let what is not a number score as a blind guess, and nothing lower than a thousand below one."""
    return np.nan_to_num(scores_N.numpy().astype(float), nan=0.0, posinf=0.0, neginf=-1e3).clip(-1e3)


def scores_by_row(module: nn.Module, plan: Plan, rows: Rows) -> np.ndarray:
    """Score every row by the plan's metric."""
    return settled(plan.loss.score(predicted_by(module, plan, rows), rows.y_N, by_row=True))


def _validation_score(module: nn.Module, plan: Plan, split: Split) -> float:
    return float(scores_by_row(module, plan, split.rows("validation", plan.inputs)).mean())
