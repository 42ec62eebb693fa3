"""What stands between the engine's rows and a network of the user's own: its arguments, and its scores.

Letters: N rows, D numbers of a packed row, O outputs, all in one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from goodfit.errors import ModelError
from goodfit.forms import Form

OUTPUT_WORDS = ("logits", "scores", "out", "output", "outputs", "prediction", "predictions", "y")
"""Keys and attributes under which networks hand over their scores."""


@final
class CodesAsInputs(nn.Module):
    """A module that knows no codes, given them as 0 and 1 behind its other inputs."""

    def __init__(self, module: nn.Module, cardinalities: tuple[int, ...]) -> None:
        super().__init__()
        self.module = module
        self.cardinalities = cardinalities

    def forward(self, x_ND: Tensor, codes_NC: Tensor) -> Tensor:
        """Compute raw scores, ``(N, O)``."""
        columns = [
            nn.functional.one_hot(codes_NC[:, c], cardinality).to(x_ND)
            for c, cardinality in enumerate(self.cardinalities)
        ]
        scores: Tensor = self.module(torch.cat([x_ND, *columns], dim=1))
        return scores


@final
class Adapter(nn.Module):
    """A module that is given packed rows, and whose scores come out in one line, classes last.

    Args:
        module: The user's network.
        form: What a row is made of, and which axis of the outputs holds the classes.
    """

    def __init__(self, module: nn.Module, form: Form) -> None:
        super().__init__()
        self.module = module
        self.form = form
        self.names = accepted(module, form)

    def forward(self, x: Tensor) -> Tensor:
        """Compute raw scores, ``(N, O)``."""
        return self.in_line(self.outputs(x))

    def in_line(self, outputs: Any) -> Tensor:
        """Put the scores of whatever the network returned in one line a row, classes last."""
        scores = scores_in(outputs)
        if scores.dim() > 2:
            axis = self.form.class_axis
            scores = scores.movedim(axis if axis < 0 else axis + 1, -1)
        return scores.flatten(1) if scores.dim() > 1 else scores.unsqueeze(1)

    def outputs(self, x: Tensor) -> Any:
        """Compute whatever the network returns."""
        return call(self.module, arguments(self.form, self.names, x))


def arguments(form: Form, names: tuple[str, ...] | None, x: Tensor) -> tuple[Tensor, ...] | dict[str, Tensor]:
    """Make the arguments of the user's network from packed rows."""
    if names is None:
        return form.unpack(x)
    parts = form.keywords(x)
    return {name: parts[name] for name in names}


def call(module: nn.Module, given: tuple[Tensor, ...] | list[Tensor] | Mapping[str, Tensor]) -> Any:
    """Call a module with arguments by place or by name."""
    return module(**given) if isinstance(given, Mapping) else module(*given)


def accepted(module: nn.Module, form: Form) -> tuple[str, ...] | None:
    """Name the inputs that a network takes; ``None`` where it is called by place.

    What a batch holds beside them, such as the number of a row, is left out.

    Raises:
        ModelError: ``forward`` needs an input that batches do not hold.
    """
    if not form.by_name:
        return None
    parameters = inspect.signature(module.forward).parameters
    held = [entry.name for entry in form.entries]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    needed = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    absent = [name for name in needed if name not in held]
    if absent:
        raise ModelError(
            f"the network's forward needs {', '.join(absent)}, and a batch holds {', '.join(held)}",
            fix="give inputs and arguments the same names, or yield tuples, which are handed over by place",
        )
    return tuple(name for name in held if takes_all or name in parameters)


def scores_in(outputs: Any) -> Tensor:
    """Find the scores in what a network returned.

    Raises:
        ModelError: There are several tensors, and none has a usual name.

    Example:
        >>> scores_in({"logits": torch.zeros(2, 3), "hidden": torch.zeros(2, 9)}).shape
        torch.Size([2, 3])
    """
    if isinstance(outputs, Tensor):
        return outputs
    named = outputs if isinstance(outputs, Mapping) else _attributes(outputs)
    for word in OUTPUT_WORDS:
        if isinstance(named.get(word), Tensor):
            return named[word]
    tensors = list(named.values()) if named else list(outputs) if isinstance(outputs, (tuple, list)) else []
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return tensors[0]
    said = ", ".join(map(str, named)) if named else f"{type(outputs).__name__} of {len(tensors)}"
    raise ModelError(
        f"the network returns several outputs ({said}), and one must be the scores",
        fix="return the scores alone, or a dict with the key logits, from a small module around the network",
    )


def _attributes(outputs: Any) -> dict[str, Any]:
    if hasattr(outputs, "_asdict"):
        return dict(outputs._asdict())
    return dict(vars(outputs)) if hasattr(outputs, "__dict__") else {}


def refuse_devices(module: nn.Module) -> None:
    """Raise a :class:`ModelError` if a network lies on another device than the rows, which are on the CPU."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.device.type != "cpu":
            raise ModelError(
                f"the network's {name} lies on the device {tensor.device}, and rows are on the CPU",
                fix="leave .to(device) out of the function that makes it",
            )
