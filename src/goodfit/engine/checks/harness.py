"""Checks before any long training: measured here, judged by the diagnosis.

Letters: N rows, D inputs, S seeds.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.data.split import Rows, Split
from goodfit.engine.candidate import Candidate
from goodfit.engine.checks.beginning import (
    has_batch_norm,
    initial_scales,
    is_normalised,
    output_operation,
    share_out_of_reach,
    twin_layers,
)
from goodfit.engine.checks.relations import input_signal, parts_apart
from goodfit.engine.checks.repetition import find_repetition, target_order
from goodfit.engine.goodness.predicted import row_scores
from goodfit.engine.history import Harness
from goodfit.engine.moves.descent import Descent
from goodfit.engine.plan import Plan
from goodfit.engine.ways.backend import Batch
from goodfit.engine.ways.construction import build_backend, build_module
from goodfit.forms import Form
from goodfit.nets.given import Given
from goodfit.seeds import numpy_stream

NUM_SEEDS = 3
PROBE_ROWS = 512
ONE_BATCH_ROWS = 16
ONE_BATCH_STEPS = 200
ASKED_EVERY = 10
"""Steps between two looks at whether the batch is learnt, or the time over."""
BY_HEART = 0.99
"""Score at which a batch is learnt: more steps would tell nothing."""


def check_harness(plan: Plan, split: Split, *, is_short: bool = False, seconds: float = math.inf) -> Harness:
    """Measure what can be known before a long training: start, one batch, inputs, leaks.

    Args:
        plan: The plan as it came.
        split: The data; training and validation rows are looked at, test rows are not.
        is_short: Leave out what trains networks or trees; the number of steps on one batch is then 0.
        seconds: What learning one batch may take; where it is not learnt by then, nothing is said of it.
    """
    train = split.rows("train", inputs=plan.inputs)
    validation = split.rows("validation", inputs=plan.inputs)
    candidates = [Candidate(arm="harness", seed=seed, plan=plan) for seed in range(NUM_SEEDS)]
    costly = (
        _no_costly_checks()
        if is_short
        else _costly_checks(candidates, split, train, validation, seconds=seconds)
    )
    fresh = build_module(candidates[0], split)
    kind = plan.loss.kind
    made_by = output_operation(_run(fresh.eval(), train.x[:8], train))
    return Harness(
        initial_loss=_initial_loss(candidates, split, train),
        expected_loss=plan.loss.expected_at_start,
        one_batch_rows=min(ONE_BATCH_ROWS, len(train)),
        majority_share=_majority_share(train) if kind in ("classes", "places") else None,
        sample_leak=_sample_leak(build_module(candidates[0], split), train),
        unused_parameters=_unused(build_module(candidates[0], split), plan, train),
        target_order=target_order(train.y_N, kind=kind),
        batch_size=min(plan.batch_size, len(train)),
        has_batch_norm=has_batch_norm(fresh),
        is_normalised=is_normalised(fresh),
        initial_scales=initial_scales(fresh),
        output_operation=made_by,
        num_outputs=plan.loss.num_outputs,
        share_out_of_reach=share_out_of_reach(made_by, train.y_N) if kind == "numbers" else None,
        **costly,
        **_input_facts(train.x, form_of(plan)),
        **dataclasses.asdict(find_repetition(train, validation)),
    )


def form_of(plan: Plan) -> Form | None:
    """What a row is made of, where a network of the user's own says so."""
    return plan.network.form if isinstance(plan.network, Given) else None


def _costly_checks(
    candidates: list[Candidate], split: Split, train: Rows, validation: Rows, *, seconds: float
) -> dict[str, Any]:
    kind = candidates[0].plan.loss.kind
    return {
        **_learn_one_batch(candidates, split, train, deadline=time.monotonic() + seconds),
        "input_signal": input_signal(train, kind=kind, seed=split.seed),
        "parts_apart": parts_apart(train, validation, seed=split.seed),
    }


def _no_costly_checks() -> dict[str, Any]:
    return {"one_batch_steps": 0, "one_batch_score": None}


def _batch(rows: Rows, chosen: Tensor | slice) -> Batch:
    codes = None if rows.codes_NC is None else rows.codes_NC[chosen]
    return Batch(x=rows.x[chosen], codes=codes, shared=True)


@torch.no_grad()
def _initial_loss(candidates: list[Candidate], split: Split, train: Rows) -> float | None:
    backend = build_backend(candidates, split)
    loss_KN = candidates[0].plan.loss.rows(
        backend.scores(_batch(train, slice(0, PROBE_ROWS))), train.y_N[None, :PROBE_ROWS]
    )
    return _finite(loss_KN.mean())


def _learn_one_batch(
    candidates: list[Candidate], split: Split, train: Rows, *, deadline: float
) -> dict[str, Any]:
    """Best score over the seeds after learning one batch by heart, by the plan's own update rule."""
    plan = candidates[0].plan
    # neighbours in a file are often alike, and alike targets leave nothing to learn by heart
    rows_N = torch.from_numpy(numpy_stream(split.seed, "one batch").permutation(len(train))[:ONE_BATCH_ROWS])
    backend = build_backend(candidates, split)
    descent = Descent(
        [plan] * len(candidates), backend.flat_KP, layout=backend.layout, total_steps=ONE_BATCH_STEPS
    )
    batch, y_1N = _batch(train, rows_N), train.y_N[None, rows_N]
    for count in range(1, ONE_BATCH_STEPS + 1):
        loss_K = plan.loss.rows(backend.scores(batch), y_1N).mean(-1)
        descent.step(backend.flat_KP, backend.gradients(loss_K), count=count)
        if count % ASKED_EVERY and count < ONE_BATCH_STEPS:
            continue
        with torch.no_grad():
            predicted_KNO = plan.loss.predict(backend.scores(batch))
            score_K = row_scores(predicted_KNO, y_1N, kind=plan.loss.kind).mean(-1)
            # what diverged has learnt as much as a blind guess
            score = _finite(score_K.nan_to_num(nan=0.0, neginf=0.0).max())
        is_late = time.monotonic() > deadline
        if is_late or (score is not None and score >= BY_HEART):
            break
    is_told = count == ONE_BATCH_STEPS or not is_late
    return {
        "one_batch_steps": count,
        "one_batch_score": score if is_told else None,
        "twin_layers": twin_layers(backend),
    }


def _input_facts(x: Tensor, form: Form | None) -> dict[str, Any]:
    x_ND = x.flatten(1)
    if form is not None:  # the size of a code says nothing
        x_ND = x_ND[:, torch.from_numpy(form.continuous_D())]
    if not x_ND.shape[1]:
        nothing = dict.fromkeys(("input_std_min", "input_std_max", "input_abs_max"))
        return {**nothing, "num_constant_inputs": 0, "num_nonfinite_inputs": 0}
    fits = torch.isfinite(x_ND)
    clean_ND = torch.where(fits, x_ND, 0.0)
    # by its range: the deviation of a column of 0.1 is not 0, because its mean is rounded
    varies_D = clean_ND.amax(0) > clean_ND.amin(0)
    varying_D = clean_ND.std(0, unbiased=False)[varies_D]
    return {
        "input_std_min": _finite(varying_D.min()) if len(varying_D) else None,
        "input_std_max": _finite(varying_D.max()) if len(varying_D) else None,
        "input_abs_max": _finite(clean_ND.abs().max()),
        "num_constant_inputs": int((~varies_D).sum()),
        "num_nonfinite_inputs": int((~fits).sum()),
    }


def _majority_share(train: Rows) -> float:
    counted = train.y_N[train.y_N >= 0]
    by_class = counted.bincount(weights=train.weight_N)  # places, of which some do not count, have no weights
    return float(by_class.max() / by_class.sum())


def _sample_leak(module: nn.Module, train: Rows) -> float | None:
    """Gradient of a row's output for the other rows' inputs, over that for its own, at most a million.

    The first and the last row are asked, since a row may see only those before or behind it.
    """
    module.eval()
    x = train.x[:8].clone().requires_grad_()
    score_N = _run(module, x, train).sum(-1)
    if not score_N.requires_grad:
        return None
    leaks = []
    for row in (0, len(x) - 1):
        (gradient,) = torch.autograd.grad(score_N[row], x, retain_graph=True, materialize_grads=True)
        gradient_N = gradient.flatten(1).norm(dim=1)
        own, others = gradient_N[row], torch.cat([gradient_N[:row], gradient_N[row + 1 :]]).max()
        if own > 0 or others > 0:
            leaks.append(float(others / own.clamp_min(1e-6 * others)))
    return max(leaks, default=None)


def _unused(module: nn.Module, plan: Plan, train: Rows) -> tuple[str, ...]:
    module.train()
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    scores_1NO = _run(module, train.x[:8], train).unsqueeze(0)
    loss = plan.loss.rows(scores_1NO, train.y_N[None, :8]).mean()
    found = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    return tuple(name for (name, _), gradient in zip(named, found, strict=True) if gradient is None)


def _run(module: nn.Module, x: Tensor, train: Rows) -> Tensor:
    scores: Tensor = module(x) if train.codes_NC is None else module(x, train.codes_NC[: len(x)])
    return scores


def _finite(value: Tensor) -> float | None:
    number = float(value)
    return number if abs(number) < float("inf") else None
