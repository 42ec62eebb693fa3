"""Operations that a GPU repeats: recorded once as a CUDA graph, and played again by one call.

A step of small networks is some thirty operations of a few microseconds each; telling a GPU each of them
takes longer than doing it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import final

import torch

from goodfit.engine.machine.garbage import uncollected

MOST_AHEAD = 64
"""Calls that may wait in the GPU's queue: a deadline is looked at between calls, not between steps."""

Body = Callable[[], None]


def repeated(body: Body, device: torch.device, *, is_steady: Callable[[], bool]) -> Body:
    """Make what is called once for each repetition of ``body``.

    Args:
        body: Operations on tensors that stay where they are; nothing in it may depend on numbers that only
            the processor knows, since on a GPU it is run by the processor twice and never again.
        device: Where they are computed; a processor gains nothing from recording and simply calls.
        is_steady: Asked after the first call whether the operations are the same every time; otherwise the
            body is called at every repetition.
    """
    return Captured(body, device, is_steady) if device.type == "cuda" else body


@final
class Captured:
    """Run a body as it is, then record it, then play the record.

    The first call loads what the operations need, which a recording may not do, and makes all lasting memory.

    Args:
        body: The operations.
        device: The GPU.
        is_steady: As in :func:`repeated`.
    """

    def __init__(self, body: Body, device: torch.device, is_steady: Callable[[], bool]) -> None:
        self._body, self._device, self._is_steady = body, device, is_steady
        self._graph: torch.cuda.CUDAGraph | None = None
        self._is_warm = False
        self._count = 0
        self._behind: torch.cuda.Event | None = None

    def __call__(self) -> None:
        """Repeat the operations once; they may still be going on afterwards."""
        with torch.cuda.device(self._device):
            if not self._is_warm or not self._is_steady():
                self._body()
                self._is_warm = True
            else:
                if self._graph is None:
                    self._graph = self._record()
                self._graph.replay()
            self._hold_back()

    def _record(self) -> torch.cuda.CUDAGraph:
        graph, stream, current = torch.cuda.CUDAGraph(), torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        # torch.cuda.graph() would collect garbage first, which takes longer than all of this
        with torch.cuda.stream(stream), uncollected():
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                self._body()
            except BaseException:
                with contextlib.suppress(RuntimeError):  # a broken recording, of which the reason is known
                    graph.capture_end()
                raise
            graph.capture_end()
        current.wait_stream(stream)
        return graph

    def _hold_back(self) -> None:
        self._count += 1
        if self._count % MOST_AHEAD:
            return
        if self._behind is not None:
            self._behind.synchronize()
        self._behind = torch.cuda.Event()
        self._behind.record()
