"""A second pair of hands: stacks are trained by this process and by others at once, one thread each.

Small networks gain nothing from threads inside an operation, because there is too little to share; whole
stacks share perfectly. Rows lie in a file that all processes map into memory, this one too, so that memory
holds them once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import torch
from loky import get_reusable_executor

from goodfit.data.split import Rows, Split
from goodfit.engine.candidate import Candidate, Trained
from goodfit.engine.history import Choice
from goodfit.engine.machine.products import on_threads
from goodfit.engine.training.wave import train_wave
from goodfit.engine.ways.construction import build_module
from goodfit.nets.given import Given

IDLE_SECONDS = 120
"""A process without work leaves after this time; until then the next run finds it warm."""
LARGE_BYTES = 32_000_000
"""Training rows from which the file is written at the start, before anybody holds on to where they lie."""
NO_LEAK = "1e15"
"""Bytes by which a process may grow before loky takes it for leaking and starts another in its place: stacks
differ in size by more than the 0.3 GB that it allows, and importing torch anew takes seconds."""

Job = tuple[int, Sequence[Candidate], Choice]
"""Number, candidates and way of a stack."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SharedRows:
    """What a stack needs to know of a split, small enough to be sent and mapped.

    Attributes:
        seed: The root seed.
        cardinalities: As in the split.
        views: For each view its training and validation rows.
        shapes: For each view the shape of one row.
    """

    seed: int
    cardinalities: tuple[int, ...]
    views: dict[str, tuple[Rows, Rows]]
    shapes: dict[str, tuple[int, ...]]

    def rows(self, part: str, inputs: str = "scaled") -> Rows:
        """Return the rows of one part, as a split does."""
        return self.views[inputs][part == "validation"]

    def input_shape(self, inputs: str = "scaled") -> tuple[int, ...]:
        """Shape of one row of a view."""
        return self.shapes[inputs]


class Workers:
    """Other processes, ready to train stacks of one split.

    Args:
        split: The data.
        count: Processes beside this one.

    Attributes:
        count: The same.
    """

    def __init__(self, split: Split, *, count: int) -> None:
        self._split, self.count = split, count
        # Windows removes no file that a process still maps
        self._folder = tempfile.TemporaryDirectory(prefix="goodfit-", ignore_cleanup_errors=True)
        self._files: dict[str, str] = {}
        self._writing = threading.Lock()
        self._executor = get_reusable_executor(
            max_workers=count,
            timeout=IDLE_SECONDS,
            initializer=_follow,
            initargs=(os.getpid(),),
            env={"LOKY_MAX_MEMORY_LEAK_SIZE": NO_LEAK},
        )
        self._ready: Future[int] = self._executor.submit(_warm_up)

    def close(self) -> None:
        """Remove the shared files; the processes stay warm for a while."""
        self._ready.cancel()
        self._folder.cleanup()

    def share_out(
        self, jobs: Sequence[Job], run_here: Callable[[Job], list[Trained]], until: float
    ) -> dict[int, list[Trained]]:
        """Train stacks here and elsewhere until none is left.

        Args:
            jobs: The stacks, the largest first.
            run_here: Trains one stack in this process.
            until: Deadline of the whole.

        Returns:
            What became of each stack, by its number.
        """
        waiting, done = deque(jobs), dict[int, list[Trained]]()
        num_feeders = self.count if self._ready.done() else 0
        # here and not in the threads: to build a network is to draw from a stream that all of them share
        marks = {job[0]: _mark(job[1][0], self._split) for job in jobs} if num_feeders else {}
        feeders = [
            threading.Thread(target=self._feed, args=(waiting, done, marks, until), daemon=True)
            for _ in range(num_feeders)
        ]
        for feeder in feeders:
            feeder.start()
        while (job := _next(waiting)) is not None:
            done[job[0]] = run_here(job)
        for feeder in feeders:
            feeder.join()
        for job in waiting:  # a process died with it
            done[job[0]] = run_here(job)
        return done

    def _feed(
        self,
        waiting: deque[Job],
        done: dict[int, list[Trained]],
        marks: Mapping[int, int | None],
        until: float,
    ) -> None:
        while (job := _next(waiting)) is not None:
            number, candidates, choice = job
            try:
                path = self.share(candidates[0].plan.inputs)
                sent = self._executor.submit(
                    _train_elsewhere, path, list(candidates), choice, until, mark=marks[number]
                )
                done[number] = sent.result()
            # the process was killed, cannot unpickle the model or makes another one: this one can do it
            except Exception:
                waiting.append(job)
                return

    def share(self, inputs: str) -> str:
        """Write the rows of a view into a file, once, and let this process read them there too.

        Args:
            inputs: The view.

        Returns:
            Path of the file.
        """
        with self._writing:
            if inputs not in self._files:
                path = str(Path(self._folder.name) / f"{inputs}.pt")
                torch.save(self._rows(inputs), path)
                train, validation = _map(path).views[inputs]
                self._split.move_rows(inputs, train=train, validation=validation)
                self._files[inputs] = path
            return self._files[inputs]

    def _rows(self, inputs: str) -> SharedRows:
        return SharedRows(
            seed=self._split.seed,
            cardinalities=self._split.cardinalities,
            views={inputs: (self._split.rows("train", inputs), self._split.rows("validation", inputs))},
            shapes={inputs: self._split.input_shape(inputs)},
        )


def _next(waiting: deque[Job]) -> Job | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _follow(parent: int) -> None:
    """Run in another process: let it end with the one that started it, which may be killed at any moment."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="follows its parent", daemon=True).start()


def _warm_up() -> int:
    """Run in another process: finding this function there imports torch and the engine."""
    return os.getpid()


_mapped: dict[str, SharedRows] = {}


def _map(path: str) -> SharedRows:
    # the file was written by this process, or by the one that started it
    rows: SharedRows = torch.load(path, mmap=True, weights_only=False)
    return rows


def _mark(candidate: Candidate, split: Split) -> int | None:
    """Sum up how a network of the user's own begins; ``None`` for one of goodfit's, whose seed tells all.

    A file that is read in two processes may make two: of weights that it draws, or of the process's number.
    """
    if not isinstance(candidate.plan.network, Given):
        return None
    mark = 0
    for tensor in build_module(candidate, split).state_dict().values():
        mark = zlib.crc32(tensor.detach().contiguous().flatten().view(torch.uint8).numpy(), mark)
    return mark


def _train_elsewhere(
    path: str, candidates: list[Candidate], choice: Choice, until: float, *, mark: int | None
) -> list[Trained]:
    """Run in another process: map the rows once, then train one stack on one thread."""
    if path not in _mapped:
        _mapped.clear()
        _mapped[path] = _map(path)
    rows = cast("Split", _mapped[path])  # as much of one as a stack asks for
    with on_threads(1):
        if mark is not None and _mark(candidates[0], rows) != mark:
            raise RuntimeError("the same seed makes another network in this process")
        return train_wave(candidates, rows, choice, deadline=until, progress=lambda fraction: None)


@contextlib.contextmanager
def hired(split: Split, *, count: int) -> Iterator[Workers | None]:
    """Have other processes at hand for the length of a run; none if ``count`` is 0."""
    if count < 1:
        yield None
        return
    workers = Workers(split, count=count)
    try:
        if split.rows("train").x.nbytes > LARGE_BYTES:
            with contextlib.suppress(OSError, RuntimeError):  # a full disk: this process can do without
                workers.share("scaled")
        yield workers
    finally:
        workers.close()
