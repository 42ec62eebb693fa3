"""Candidates of one structure, trained step by step together.

Letters: K candidates, M of them that stay, N rows, B rows of a batch, O outputs, P parameters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from goodfit.data.split import Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.chance.counted import streams_on
from goodfit.engine.history import Choice, Ending
from goodfit.engine.looks.cadence import probed_epochs
from goodfit.engine.looks.curves import Curves
from goodfit.engine.looks.evaluation import CURVE_ROWS, START_ROWS, Evaluation, Measured
from goodfit.engine.looks.probes import PROBE_ROWS, Probes
from goodfit.engine.machine.device import placement
from goodfit.engine.moves.descent import Descent
from goodfit.engine.moves.keeping import Kept
from goodfit.engine.moves.tabled import TabledDescent
from goodfit.engine.population import check_stack
from goodfit.engine.rows.pool import Pool
from goodfit.engine.rows.variation import Variation
from goodfit.engine.training.leaving import Leaving
from goodfit.engine.training.steps import Parts, Rates, is_recorded, steps_of
from goodfit.engine.ways.construction import build_backend

MEASURED_EPOCHS = 50
"""Points of a learning curve; a longer training is measured every few epochs."""


class Stack:
    """A population of one structure, and everything that changes while it trains.

    Args:
        candidates: At least one; equal rules next to each other.
        split: The data.
        choice: How they are computed (see :mod:`goodfit.engine.training.choice`).

    Raises:
        PlanError: There is no candidate, or two are of different structures.
    """

    _seen: Measured

    def __init__(self, candidates: Sequence[Candidate], split: Split, choice: Choice) -> None:
        check_stack(candidates)
        self._candidates, self._split, self._choice = list(candidates), split, choice
        self._plan = candidates[0].plan
        self._members = list(range(len(candidates)))
        device = torch.device(placement().device)
        self._pool = Pool(split, candidates, device=device)
        self._backend = build_backend(candidates, split, way=choice.way, device=device)
        num_rows = self._pool.learn_KN.shape[1]
        self._batch_size = min(self._plan.batch_size, num_rows)
        self._steps_per_epoch = num_rows // self._batch_size
        plans = [candidate.plan for candidate in candidates]
        seeds = [candidate.seed for candidate in candidates]
        self._streams = {
            purpose: streams_on(device, split.seed, purpose, seeds=seeds)
            for purpose in ("batches", "hidden dropout", "input dropout")
        }
        dtype, total_steps = self._backend.flat_KP.dtype, self._steps_per_epoch * self._plan.epochs
        self._variation = Variation(
            plans, split.seed, seeds=seeds, kind=self._plan.loss.kind, dtype=dtype, device=device
        )
        self._descent = (TabledDescent if is_recorded(self._backend, plans) else Descent)(
            plans, self._backend.flat_KP, layout=self._backend.layout, total_steps=total_steps
        )
        self._evaluation = Evaluation(self._pool, self._backend, self._plan.loss)
        self._probes = Probes(self._backend, *self._evaluation.probe_rows(PROBE_ROWS), loss=self._plan.loss)
        self._every, self._epochs_taken = max(1, round(self._plan.epochs / MEASURED_EPOCHS)), 0
        self._probed_epochs = probed_epochs(
            epochs=self._plan.epochs,
            every=self._every,
            steps_per_epoch=self._steps_per_epoch,
            batch_size=self._batch_size,
            probe_rows=PROBE_ROWS,
        )
        self._curves = Curves(len(candidates))
        self._kept = Kept(candidates, self._backend, total_steps=total_steps)
        self._steps = steps_of(
            Parts(
                pool=self._pool,
                variation=self._variation,
                backend=self._backend,
                descent=self._descent,
                averaged=self._kept.averaged,
                loss=self._plan.loss,
                batch_size=self._batch_size,
            )
        )
        self._leaving = Leaving(
            split=split,
            choice=choice,
            pool=self._pool,
            backend=self._backend,
            evaluation=self._evaluation,
            curves=self._curves,
            probes=self._probes,
            kept=self._kept,
            dropout_streams=self._streams["hidden dropout"],
            batch_size=self._batch_size,
        )
        self._trained: dict[int, Trained] = {}
        self._change_KP: Tensor | None = None
        self._seconds = 0.0
        self._read_rates()

    def begin(self) -> None:
        """Look at all candidates before the first step."""
        self._measure(0)

    def advance(self, deadline: float, *, share: float = 1.0) -> bool:
        """Train one epoch, and tell whether another one follows.

        Args:
            deadline: Value of :func:`time.monotonic` after which no step is taken.
            share: Of the epoch's steps; where it is less than all, they are the last ones.
        """
        self._epochs_taken = epoch = self._epochs_taken + 1
        in_time = self._epoch(deadline, num_steps=max(1, int(share * self._steps_per_epoch))) and share >= 1
        is_over = epoch == self._plan.epochs or not in_time
        if epoch % self._every == 0 or is_over:
            self._measure(epoch)
            self._let_go()
        if self._members and is_over:
            self._finish(range(len(self._members)), "finished" if in_time else "out of time")
            self._members = []
        return bool(self._members)

    @property
    def done(self) -> float:
        """The share of the work that is done."""
        return self._epochs_taken / self._plan.epochs if self._members else 1.0

    def trained(self) -> list[Trained]:
        """What became of each candidate, in the order given, once no epoch follows."""
        return [self._trained[k] for k in range(len(self._candidates))]

    def rehearse(self) -> float:
        """Take a step and tell its seconds; the stack is spent afterwards."""
        self._steps.begin(self._rows_of_epoch())
        self._steps.wait()
        start = time.monotonic()
        self._steps.take(0)
        self._steps.wait()
        return time.monotonic() - start

    def pace(self, *, seconds: float) -> float:
        """Measure the seconds of one epoch with its share of evaluation; the stack is spent afterwards."""
        self._steps.begin(self._rows_of_epoch())
        for _ in range(self._steps.warm_steps):
            self._steps.take(0)
        self._steps.wait()
        start, taken = time.monotonic(), 0
        while time.monotonic() - start < seconds and taken < max(3, self._steps_per_epoch):
            self._steps.take(taken % self._steps_per_epoch)
            taken += 1
        self._steps.wait()
        per_step = (time.monotonic() - start) / taken
        for _ in range(self._steps.warm_steps):
            start = time.monotonic()
            self._evaluation.measure()
            self._steps.wait()
        return per_step * self._steps_per_epoch + (time.monotonic() - start) / self._every

    def _epoch(self, deadline: float, *, num_steps: int) -> bool:
        start = now = time.monotonic()
        self._steps.begin(self._rows_of_epoch())
        for step in range(num_steps):
            is_last = step == num_steps - 1
            before_KP = self._backend.flat_KP.detach().clone() if is_last else None
            self._steps.take(step)
            if before_KP is not None:
                self._change_KP = self._backend.flat_KP.detach() - before_KP
            now = time.monotonic()
            if now > deadline:
                break
        self._steps.wait()
        now = time.monotonic()
        self._seconds += (now - start) / len(self._members)
        return now <= deadline

    def _rows_of_epoch(self) -> Tensor:
        order_KN = self._streams["batches"].permutations(self._pool.learn_KN.shape[1])
        if self._pool.weight_N is None:
            return self._pool.rows_of_epoch(order_KN)
        return self._pool.rows_of_epoch(order_KN, self._streams["batches"].uniform(()))

    def _measure(self, epoch: int) -> None:
        with self._backend.showing(None if self._kept.averaged is None else self._kept.averaged.flat_KP):
            # the start is handed over by nobody, unless by one who waits for a better point and finds none
            is_start = epoch == 0 and not self._kept.looks_back
            self._seen = self._evaluation.measure(START_ROWS if is_start else CURVE_ROWS)
            improved_K = self._curves.add(epoch, self._seen, self._members)
            self._kept.remember(improved_K, self._seen)
        if epoch in self._probed_epochs:
            self._probes.probe(epoch, change_KP=self._change_KP, members=self._members)

    def _let_go(self) -> None:
        """Take diverged and early-stopped candidates out, so that their cost really goes."""
        diverged, stopped = [], []
        for place, k in enumerate(self._members):
            wait = self._candidates[k].plan.patience
            if self._curves.has_diverged(k):
                diverged.append(place)
            elif wait is not None and self._curves.epochs_waited(k) >= wait:
                stopped.append(place)
        self._finish(diverged, "diverged")
        self._finish(stopped, "stopped early")
        gone = {*diverged, *stopped}
        if gone:
            self._keep([place for place in range(len(self._members)) if place not in gone])

    def _keep(self, places: list[int]) -> None:
        self._members = [self._members[place] for place in places]
        if not places:
            return
        index_M = torch.tensor(places)
        for part in (self._backend, self._pool, self._descent, self._probes, self._kept):
            part.keep(index_M)
        for streams in self._streams.values():
            streams.keep(places)
        self._variation.keep(places)
        self._change_KP = None if self._change_KP is None else self._change_KP[index_M]
        self._seen = self._seen.of(index_M)
        self._read_rates()

    def _finish(self, places: Sequence[int], ending: Ending) -> None:
        if places:
            present = [(k, self._candidates[k]) for k in self._members]
            self._trained |= self._leaving.trained(
                present, places, last=self._seen, ending=ending, seconds=self._seconds
            )

    def _read_rates(self) -> None:
        plans = [self._candidates[k].plan for k in self._members]
        self._steps.read(Rates.of(plans, self._streams, self._backend.flat_KP))
