"""The set of functions to choose from: a network as a frozen record that can build its module."""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from goodfit.errors import PlanError
from goodfit.forms import Form


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the data ask of a network.

    Attributes:
        inputs: ``(D,)`` for rows of numbers, ``(C, H, W)`` for images.
        cardinalities: Number of codes of each column that is embedded; empty without such columns.
        outputs: Raw scores per sample: classes, or 1 for a number.
    """

    inputs: tuple[int, ...]
    cardinalities: tuple[int, ...] = ()
    outputs: int

    @property
    def num_inputs(self) -> int:
        """Numbers in one sample, codes not counted."""
        return math.prod(self.inputs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(abc.ABC):
    """A structure; :meth:`build` makes a fresh module of it.

    Every module takes ``forward(x, codes_NC=None)`` and returns raw scores of shape ``(N, outputs)``:
    softmax and sigmoid belong to the loss.
    """

    kind: ClassVar[str]

    @abc.abstractmethod
    def build(self, sizes: Sizes, *, dropout: float = 0.0, input_dropout: float = 0.0) -> nn.Module:
        """Make a fresh module; the same one after the same ``torch.manual_seed``.

        Args:
            sizes: What the data ask for.
            dropout: Rate behind every hidden activation.
            input_dropout: Rate on the inputs, embedded codes included.
        """

    @abc.abstractmethod
    def describe(self, sizes: Sizes | None = None) -> str:
        """Say the structure in a few words, such as ``"64-32x10-10 sigmoid"``.

        Args:
            sizes: The data's; without them only what the network itself decides is said.
        """

    def count(self, sizes: Sizes) -> int:
        """Count the trainable numbers; torch's random state stays as it was."""
        with torch.random.fork_rng(devices=[]):
            return sum(p.numel() for p in self.build(sizes).parameters() if p.requires_grad)

    def to_dict(self) -> dict[str, Any]:
        """Write the network as JSON-ready values; :meth:`from_dict` reads them."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> Network:
        """Read what :meth:`to_dict` wrote, also after JSON has turned its tuples into lists.

        Raises:
            PlanError: The kind is unknown, for example because a newer version wrote it.
        """
        fields: dict[str, Any] = {name: _tuples(value) for name, value in record.items()}
        kind = fields.pop("kind", None)
        if kind not in _kinds():
            raise PlanError(
                f"there is no network of kind {kind!r}", fix=f"choose one of {', '.join(_kinds())}"
            )
        if isinstance(record.get("form"), Mapping):
            fields["form"] = Form.from_dict(record["form"])
        return _kinds()[kind](**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@functools.cache
def _kinds() -> dict[str, type[Network]]:
    from goodfit.nets import cnn, given, mlp  # they define subclasses of Network, so not at the top

    kinds: tuple[type[Network], ...] = (mlp.MLP, cnn.CNN, given.Given)
    return {network.kind: network for network in kinds}


def trial_batch(sizes: Sizes) -> tuple[Tensor, ...]:
    """Make the arguments of one forward pass: two rows of zeros, and their codes if there are any."""
    x = torch.zeros(2, *sizes.inputs)
    if not sizes.cardinalities:
        return (x,)
    return x, torch.zeros(2, len(sizes.cardinalities), dtype=torch.long)


def embedding_width(cardinality: int) -> int:
    """Choose the number of learned inputs for a column of codes.

    A rule of thumb from many tables; it grows with about the root of the number of codes.

    Example:
        >>> [embedding_width(cardinality) for cardinality in (2, 10, 1000)]
        [2, 6, 50]
    """
    return max(1, min(50, round(1.6 * cardinality**0.56)))


def make_embeddings(cardinalities: tuple[int, ...]) -> nn.ModuleList:
    """Make one table of learned inputs for each column of codes."""
    return nn.ModuleList(nn.Embedding(size, embedding_width(size)) for size in cardinalities)


def join_codes(x_ND: Tensor, codes_NC: Tensor | None, *, embeddings: nn.ModuleList) -> Tensor:
    """Put the embedded codes behind the other inputs."""
    if codes_NC is None or not len(embeddings):
        return x_ND
    return torch.cat([x_ND, *(table(codes_NC[:, c]) for c, table in enumerate(embeddings))], dim=1)


def collapse(widths: tuple[int, ...]) -> str:
    """Write layer widths, repeated ones once.

    Example:
        >>> collapse((64, 32, 32, 32, 10))
        '64-32x3-10'
    """
    words: list[str] = []
    for index, width in enumerate(widths):
        if index and width == widths[index - 1]:
            base, _, times = words[-1].partition("x")
            words[-1] = f"{base}x{int(times or 1) + 1}"
        else:
            words.append(str(width))
    return "-".join(words)
