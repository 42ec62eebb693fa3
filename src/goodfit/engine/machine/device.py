"""The device that populations are computed on: the processor, or a GPU that torch finds.

It is chosen once for a whole run, as the number of threads is, and holds for everything that the run trains:
two arms of a trial that were computed on different devices would not have seen the same random numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from contextvars import ContextVar

import torch

from goodfit.errors import DeviceError

PROCESSOR = torch.device("cpu")
ASKED = ("auto", "cpu", "cuda")
TIMES_AT_ONCE = 64
"""How much more a GPU takes at once where a processor works on what fits into its cache."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """Where populations are computed, and why.

    Attributes:
        device: As torch names it.
        reason: One line, or nothing where there was no choice.
        epoch_s: Seconds of an epoch of a usual population on each device, where that was measured.
    """

    device: str = "cpu"
    reason: str = ""
    epoch_s: tuple[tuple[str, float], ...] = ()

    @property
    def is_gpu(self) -> bool:
        """Whether it is another device than the processor."""
        return self.device != "cpu"


_placement: ContextVar[Placement] = ContextVar("placement", default=Placement())  # noqa: B039 (it is frozen)


def placement() -> Placement:
    """Tell where populations are computed at present; on the processor unless :func:`placed` says otherwise.

    Example:
        >>> placement().device
        'cpu'
    """
    return _placement.get()


@contextlib.contextmanager
def placed(where: Placement) -> Iterator[Placement]:
    """Compute populations there for a while, by operations that give the same numbers every time."""
    token, before = _placement.set(where), torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = before or where.is_gpu
    try:
        yield where
    finally:
        torch.backends.cudnn.deterministic = before
        _placement.reset(token)


def device_named(asked: str) -> str:
    """Find the device that is meant.

    Args:
        asked: ``"auto"`` for a GPU where there is one, ``"cpu"``, ``"cuda"``, or a certain one of several
            GPUs, such as ``"cuda:1"``.

    Raises:
        DeviceError: There is no such device.

    Example:
        >>> device_named("cpu")
        'cpu'
    """
    if asked == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, place = asked.partition(":")
    if kind not in ASKED[1:] or (place and not place.isdigit()) or (kind == "cpu" and place):
        raise DeviceError(f"there is no device {asked!r}", fix=f"choose one of {', '.join(ASKED)}")
    if kind == "cpu":
        return kind
    if not torch.cuda.is_available():
        built = "finds no GPU" if torch.version.cuda else "was built for processors alone"
        raise DeviceError(
            f"the device is {asked!r}, and torch {torch.__version__} {built}",
            fix='give "auto" or "cpu", or install a torch that was built for your GPU and its driver',
        )
    count = torch.cuda.device_count()
    if int(place or 0) >= count:
        raise DeviceError(
            f"the device is {asked!r}, and there are {count} GPUs", fix=f"give cuda:0 to cuda:{count - 1}"
        )
    return f"cuda:{int(place or 0)}"


def describe(device: str) -> str:
    """Name a device as its maker does.

    Example:
        >>> describe("cpu")
        'cpu'
    """
    return device if device == "cpu" else torch.cuda.get_device_name(device)


def times_at_once(device: torch.device) -> int:
    """How many times what a processor's cache holds should be computed at once."""
    return 1 if device.type == "cpu" else TIMES_AT_ONCE


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was told; a processor has done it already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
