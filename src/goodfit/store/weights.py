"""Weights of every member in one safetensors file; no pickle, so a file from a stranger can do no harm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from goodfit.errors import RunFolderError

KEY = re.compile(r"(0|[1-9]\d*)/(.+)", re.DOTALL)


def save_weights(members: Sequence[Mapping[str, Tensor]], path: str | Path) -> None:
    """Write the parameters and buffers of each member.

    A tensor is filed under ``"<member>/<name>"``.

    Args:
        members: One dict of tensors per member.
        path: The file to write.
    """
    named = {
        f"{place}/{name}": tensor.detach()
        .cpu()
        .contiguous()
        .clone()  # clones, since members may share memory
        for place, member in enumerate(members)
        for name, tensor in member.items()
    }
    Path(path).write_bytes(save(named, metadata={"num_members": str(len(members))}))


def load_weights(path: str | Path) -> tuple[dict[str, Tensor], ...]:
    """Read what :func:`save_weights` wrote.

    Args:
        path: The file.

    Returns:
        One dict of tensors per member, in order.

    Raises:
        RunFolderError: The file is missing or damaged.
    """
    path = Path(path)
    try:
        tensors = load(path.read_bytes())
        members: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            place, name = _split(key)
            members.setdefault(place, {})[name] = tensor
        return tuple(members[place] for place in range(len(members)))
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise RunFolderError(
            f"{path} holds no readable weights: {error}",
            fix="copy the run folder again, or repeat the run",
        ) from error


def _split(key: str) -> tuple[int, str]:
    match = KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"unknown entry {key!r}")
    return int(match[1]), match[2]
