"""Random numbers inside a batched forward pass: every candidate's own, as if it were computed alone.

``torch.func.vmap`` draws for all candidates at once from torch's one stream, so that what a candidate gets
depends on who stands beside it. Here each draw is made candidate by candidate, from a stream that its seed
starts, which is what :class:`~goodfit.engine.ways.one_by_one.OneByOne` does around a whole forward pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from goodfit.engine.machine.device import PROCESSOR

_aten = torch.ops.aten
_IN_PLACE = (
    _aten.bernoulli_.float,
    _aten.bernoulli_.Tensor,
    _aten.uniform_.default,
    _aten.normal_.default,
    _aten.exponential_.default,
)
_LIKE = (
    _aten.rand_like.default,
    _aten.randn_like.default,
    _aten.bernoulli.default,
    _aten.bernoulli.p,
)
_SIZED = (_aten.rand.default, _aten.randn.default)


class Seeded:
    """A stream that was started from a seed.

    Args:
        stream: It.
    """

    def __init__(self, stream: torch.Generator) -> None:
        self._stream, self._start = stream, stream.get_state()

    @property
    def has_moved(self) -> bool:
        """Whether anything was drawn since."""
        return not torch.equal(self._stream.get_state(), self._start)


class Unwatched:
    """In place of a stream where nobody asks: steps are recorded on a GPU alone, if they draw nothing."""

    has_moved = False


@contextlib.contextmanager
def seeded(seed: int, device: torch.device = PROCESSOR) -> Iterator[Seeded | Unwatched]:
    """Let torch's own stream of a device start from a seed for a while, and run on as before afterwards."""
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        yield Unwatched()
        return
    # torch.manual_seed would note the traceback of its caller for devices that nobody uses here
    stream = _stream_of(device)
    before = stream.get_state()
    stream.manual_seed(seed)
    try:
        yield Seeded(stream) if device.type == "cuda" else Unwatched()
    finally:
        stream.set_state(before)


class PerCandidate(TorchDispatchMode):
    """Draws what a batched forward pass asks for, candidate by candidate.

    Torch hands over the operations below ``vmap``, where candidates are the first axis.

    Args:
        seeds: Of every candidate, in stack order.
        device: Whose stream is drawn from.

    Attributes:
        has_drawn: Whether anything was asked for.

    Raises:
        NotImplementedError: While active, an operation draws numbers in a way that is not known here.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device = PROCESSOR) -> None:
        super().__init__()
        self._seeds, self._stream = seeds, _stream_of(device)
        self._states: list[Tensor | None] = [None] * len(seeds)
        self.has_drawn = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let everything pass that is not random."""
        kwargs = kwargs or {}
        if not _draws(func, args):
            return func(*args, **kwargs)
        self.has_drawn = True
        if func in _IN_PLACE:
            return self._fill(func, *args, **kwargs)
        if func in _LIKE:
            return torch.stack(self._each(lambda k: func(args[0][k], *args[1:], **kwargs)))
        if func is _aten.native_dropout.default:  # what a GPU draws and multiplies in one operation
            pairs = self._each(lambda k: func(args[0][k], *args[1:], **kwargs))
            return tuple(map(torch.stack, zip(*pairs, strict=True)))
        if func in _SIZED:
            return torch.stack(self._each(lambda k: func(args[0][1:], *args[1:], **kwargs)))
        raise NotImplementedError(f"it draws random numbers by {func}")

    def _fill(self, func: Any, noise_K: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if func is _aten.bernoulli_.Tensor:
            self._flip(noise_K, args[0])
        else:
            self._each(lambda k: func(noise_K[k], *args, **kwargs))
        return noise_K

    def _flip(self, noise_K: Tensor, chance_K: Tensor) -> None:
        """Flip coins of which each candidate has its own chance; one that is sure flips none.

        Torch flips coins of one chance by another stream than coins that have a chance each.
        """
        chances = chance_K.flatten(1)[:, 0].tolist()
        noise_K.fill_(1.0)
        self._each(lambda k: noise_K[k].bernoulli_(chances[k]) if chances[k] < 1 else noise_K[k])

    def _each(self, draw: Callable[[int], Any]) -> list[Any]:
        drawn, stream, before = [], self._stream, self._stream.get_state()
        try:
            for k, (seed, state) in enumerate(zip(self._seeds, self._states, strict=True)):
                stream.manual_seed(seed) if state is None else stream.set_state(state)
                drawn.append(draw(k))
                self._states[k] = stream.get_state()
        finally:
            stream.set_state(before)
        return drawn


def _stream_of(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


def _draws(func: Any, args: tuple[Any, ...]) -> bool:
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    # attention is marked as random whatever its rate
    rates = [i for i, argument in enumerate(func._schema.arguments) if argument.name == "dropout_p"]
    return not (rates and (len(args) <= rates[0] or args[rates[0]] == 0))
