"""Small trainings in plain PyTorch, recorded as the engine records its own.

Letters: N rows, U units, D inputs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from goodfit.engine.history import History, LayerHistory, curve

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
MEASURES = (
    "gradient_norm",
    "weight_norm",
    "update_ratio",
    "output_mean",
    "output_std",
    "zero_share",
    "dead_share",
    "saturated_share",
)
BATCH_SIZE = 32
torch.set_num_threads(1)  # matrices of 32 columns only lose by more
NUM_TRAIN, NUM_VALIDATION = 600, 400
PROBE_ROWS = 128


@functools.cache
def record(
    *,
    widths: tuple[int, ...] = (32,),
    activation: str = "relu",
    rule: str = "sgd",
    lr: float = 0.1,
    epochs: int = 20,
    num_seeds: int = 2,
    data: str = "digits",
    gain: float | None = None,
    bias: float = 0.0,
) -> tuple[History, ...]:
    """Train one plan on several seeds.

    ``gain`` multiplies He's initial scale (``None`` keeps torch's own start); ``bias`` shifts hidden biases.
    """
    x_ND, y_N, kind = DATA[data]()
    return tuple(
        _train_one(
            _network(x_ND.shape[1], widths, activation, kind, gain=gain, bias=bias, seed=seed),
            (x_ND, y_N, kind),
            activation=activation,
            rule=rule,
            lr=lr,
            epochs=epochs,
            seed=seed,
        )
        for seed in range(num_seeds)
    )


@pytest.fixture(scope="session")
def trained() -> Callable[..., tuple[History, ...]]:
    return record


def _digits() -> tuple[Tensor, Tensor, str]:
    x_ND, y_N = load_digits(return_X_y=True)
    x_ND = (x_ND - x_ND.mean(0)) / (x_ND.std(0) + 1e-9)
    order_N = np.random.default_rng(0).permutation(len(x_ND))[: NUM_TRAIN + NUM_VALIDATION]
    return torch.tensor(x_ND[order_N], dtype=torch.float32), torch.tensor(y_N[order_N]), "classes"


def _noisy_digits() -> tuple[Tensor, Tensor, str]:
    """Digits of which three in ten carry another label: learnt by heart, they do not carry over."""
    x_ND, y_N, kind = _digits()
    stream = np.random.default_rng(1)
    strangers = torch.from_numpy(stream.integers(10, size=len(y_N)))
    return x_ND, torch.where(torch.from_numpy(stream.random(len(y_N)) < 0.3), strangers, y_N), kind


def _unscaled_digits() -> tuple[Tensor, Tensor, str]:
    x_ND, y_N, kind = _digits()
    return x_ND * 100 + 300, y_N, kind


def _waves() -> tuple[Tensor, Tensor, str]:
    """Numbers: a smooth function of eight inputs with a little noise."""
    stream = np.random.default_rng(2)
    x_ND = stream.normal(size=(NUM_TRAIN + NUM_VALIDATION, 8))
    y_N = np.sin(2 * x_ND[:, 0]) + x_ND[:, 1] * x_ND[:, 2] + x_ND[:, 3] + 0.1 * stream.normal(size=len(x_ND))
    y_N = (y_N - y_N.mean()) / y_N.std()
    return torch.tensor(x_ND, dtype=torch.float32), torch.tensor(y_N, dtype=torch.float32), "numbers"


def _line() -> tuple[Tensor, Tensor, str]:
    """Numbers: a straight line with a little noise, so that nothing can be learnt by heart before it."""
    stream = np.random.default_rng(3)
    x_ND = stream.normal(size=(NUM_TRAIN + NUM_VALIDATION, 4))
    y_N = x_ND @ np.array([0.5, -0.5, 0.5, 0.5]) + 0.1 * stream.normal(size=len(x_ND))
    return torch.tensor(x_ND, dtype=torch.float32), torch.tensor(y_N, dtype=torch.float32), "numbers"


DATA = {
    "line": _line,
    "digits": _digits,
    "noisy digits": _noisy_digits,
    "unscaled digits": _unscaled_digits,
    "waves": _waves,
}


def _network(
    num_inputs: int,
    widths: tuple[int, ...],
    activation: str,
    kind: str,
    *,
    gain: float | None,
    bias: float,
    seed: int,
) -> nn.Sequential:
    torch.manual_seed(seed)
    sizes = [num_inputs, *widths, 10 if kind == "classes" else 1]
    parts: list[nn.Module] = []
    for place, (d, u) in enumerate(itertools.pairwise(sizes)):
        linear = nn.Linear(d, u)
        if gain is not None:
            nn.init.normal_(linear.weight, std=gain * (2 / d) ** 0.5)
            nn.init.zeros_(linear.bias)
        is_hidden = place < len(widths)
        if is_hidden:
            linear.bias.data += bias
        parts += [linear, ACTIVATIONS[activation]()] if is_hidden else [linear]
    return nn.Sequential(*parts)


def _train_one(
    network: nn.Sequential,
    data: tuple[Tensor, Tensor, str],
    *,
    activation: str,
    rule: str,
    lr: float,
    epochs: int,
    seed: int,
) -> History:
    kind = data[2]
    optimizer = _optimizer(network, rule, lr)
    points = [_point(network, data)]
    probes = [_probe(network, data, activation, None)]
    stream = torch.Generator().manual_seed(1000 + seed)
    ending = "finished"
    for _ in range(epochs):
        change = _epoch(network, data, optimizer, stream)
        points.append(_point(network, data))
        probes.append(_probe(network, data, activation, change))
        if not np.isfinite(points[-1][0]):
            ending = "diverged"
            break
    train_loss, train_score, validation_loss, validation_score = zip(*points, strict=True)
    return History(
        arm="as it is",
        seed=seed,
        structure=f"{len(network)} parts, {activation}",
        rule=rule,
        lr=lr,
        metric="accuracy" if kind == "classes" else "r2",
        num_parameters=sum(p.numel() for p in network.parameters()),
        num_rows=NUM_TRAIN,
        num_validation_rows=NUM_VALIDATION,
        batch_size=BATCH_SIZE,
        steps_per_epoch=NUM_TRAIN // BATCH_SIZE,
        epochs=tuple(range(len(points))),
        train_loss=curve(train_loss),
        train_score=curve(train_score),
        validation_loss=curve(validation_loss),
        validation_score=curve(validation_score),
        probed_epochs=tuple(range(len(points))),
        layers=_layers(network, activation, probes),
        best_epoch=int(np.nanargmin(validation_loss)),
        ending=ending,  # type: ignore[arg-type]  # a plain string here
        seconds=0.1,
    )


def _optimizer(network: nn.Module, rule: str, lr: float) -> torch.optim.Optimizer:
    if rule == "adam":
        return torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    return torch.optim.SGD(network.parameters(), lr=lr, fused=True)


def _loss(network: nn.Module, x_ND: Tensor, y_N: Tensor, kind: str) -> Tensor:
    scores = network(x_ND)
    if kind == "classes":
        return nn.functional.cross_entropy(scores, y_N)
    return (scores.squeeze(-1) - y_N).square().mean()


def _epoch(
    network: nn.Module,
    data: tuple[Tensor, Tensor, str],
    optimizer: torch.optim.Optimizer,
    stream: torch.Generator,
) -> list[Tensor]:
    """One pass over the training rows; returns the last step's change of every weight."""
    x_ND, y_N, kind = data
    batches = torch.randperm(NUM_TRAIN, generator=stream).split(BATCH_SIZE)[: NUM_TRAIN // BATCH_SIZE]
    for place, rows_N in enumerate(batches):
        if place == len(batches) - 1:
            before = [p.detach().clone() for p in network.parameters() if p.dim() > 1]
        optimizer.zero_grad()
        _loss(network, x_ND[rows_N], y_N[rows_N], kind).backward()
        optimizer.step()
    after = [p.detach() for p in network.parameters() if p.dim() > 1]
    return [b - a for a, b in zip(before, after, strict=True)]


@torch.no_grad()
def _point(network: nn.Module, data: tuple[Tensor, Tensor, str]) -> tuple[float, ...]:
    x_ND, y_N, kind = data
    result: list[float] = []
    for rows in (slice(NUM_TRAIN), slice(NUM_TRAIN, None)):
        loss = float(_loss(network, x_ND[rows], y_N[rows], kind))
        scores = network(x_ND[rows])
        if kind == "classes":
            score = float((scores.argmax(1) == y_N[rows]).float().mean())
        else:
            score = 1 - loss / float(y_N[rows].var(unbiased=False))
        result += [loss, score]
    return tuple(result)


def _probe(
    network: nn.Sequential, data: tuple[Tensor, Tensor, str], activation: str, change: list[Tensor] | None
) -> list[dict[str, float]]:
    x_ND, y_N, kind = data
    x_ND, y_N = x_ND[:PROBE_ROWS], y_N[:PROBE_ROWS]
    network.zero_grad()
    _loss(network, x_ND, y_N, kind).backward()
    seen, a_NU = [], x_ND
    linears = [part for part in network if isinstance(part, nn.Linear)]
    for place, linear in enumerate(linears):
        weight = linear.weight.detach()
        gradient = torch.zeros_like(weight) if linear.weight.grad is None else linear.weight.grad
        numbers = {"gradient_norm": float(gradient.norm()), "weight_norm": float(weight.norm())}
        numbers["update_ratio"] = (
            float("nan") if change is None else float(change[place].norm() / weight.norm())
        )
        if place < len(linears) - 1:
            with torch.no_grad():
                a_NU = ACTIVATIONS[activation]()(linear(a_NU))
            numbers |= _activations(a_NU, activation)
        seen.append(numbers)
    return seen


def _activations(a_NU: Tensor, activation: str) -> dict[str, float]:
    is_zero = a_NU == 0
    share = 0.0
    if activation in BOUNDS:
        low, high = BOUNDS[activation]
        margin = 0.01 * (high - low)
        share = float(((a_NU <= low + margin) | (a_NU >= high - margin)).float().mean())
    return {
        "output_mean": float(a_NU.mean()),
        "output_std": float(a_NU.std(0, unbiased=False).mean()),
        "zero_share": float(is_zero.float().mean()),
        "dead_share": float(is_zero.all(0).float().mean()),
        "saturated_share": share,
    }


def _layers(
    network: nn.Sequential, activation: str, probes: list[list[dict[str, float]]]
) -> tuple[LayerHistory, ...]:
    linears = [part for part in network if isinstance(part, nn.Linear)]
    return tuple(
        LayerHistory(
            layer=f"layers.{place}",
            activation=activation if place < len(linears) - 1 else None,
            num_weights=linear.weight.numel(),
            **{m: curve(seen[place].get(m, float("nan")) for seen in probes) for m in MEASURES},
        )
        for place, linear in enumerate(linears)
    )
