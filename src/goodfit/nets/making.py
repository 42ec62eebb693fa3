"""Call the function that makes the user's network, and see that the network can be trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from goodfit.errors import ModelError
from goodfit.forms import Form
from goodfit.nets.adapter import Adapter, refuse_devices
from goodfit.nets.network import Sizes, trial_batch

_INPUT_WORDS = frozenset({"inputs", "num_inputs", "n_inputs", "in_features", "input_size", "input_dim"})
_OUTPUT_WORDS = frozenset(
    {"outputs", "num_outputs", "n_outputs", "out_features", "output_size", "output_dim"}
    | {"classes", "num_classes", "n_classes"}
)


def made_by(make: Callable[..., nn.Module], sizes: Sizes, form: Form | None, *, name: str) -> nn.Module:
    """Call the function, and see that what it returns is a network that can be trained.

    Args:
        make: The user's function.
        sizes: Of the network's ends.
        form: What a row is made of, where it is more than one input.
        name: Of the function, for errors.

    Raises:
        ModelError: It is no function, or raises, or its module is none or has nothing to train.
    """
    if isinstance(make, nn.Module):
        raise ModelError(
            f"the model is one {type(make).__name__}, and every seed needs a fresh one",
            fix=f"give a function that makes it, such as lambda: {type(make).__name__}(...)",
        )
    arguments = arguments_for(make, sizes, form)
    try:
        module = make(*arguments)
    except Exception as error:
        raise ModelError(
            f"{name} raises {type(error).__name__} when called with {arguments}: {error}",
            fix="mend the function, or give it the parameters (inputs, outputs)",
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"{name} returns {type(module).__name__}, not a torch.nn.Module",
            fix="return the network itself",
        )
    if not any(True for _ in module.parameters()):
        raise ModelError(
            f"the network of {name} has no parameters, so there is nothing to train",
            fix="store its layers as attributes or in nn.ModuleList, not in a plain list",
        )
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(
            f"every parameter of {name}'s network is frozen, so there is nothing to train",
            fix="leave requires_grad on in the last layer at least",
        )
    refuse_devices(module)
    return module


def arguments_for(make: Callable[..., nn.Module], sizes: Sizes, form: Form | None) -> tuple[Any, ...]:
    """Choose what to call the function with, from the parameters it declares."""
    inputs: Any = sizes.inputs
    if len(sizes.inputs) == 1:
        inputs = sizes.num_inputs + sum(sizes.cardinalities)
    if form is not None and len(form.entries) > 1:
        inputs = tuple(entry.shape for entry in form.entries)
    outputs = sizes.outputs if form is None else form.told
    left = [inputs, outputs]
    chosen: list[Any] = []
    for parameter in _positional(make):
        if parameter.name in _OUTPUT_WORDS:
            chosen.append(outputs)
        elif parameter.name in _INPUT_WORDS:
            chosen.append(inputs)
        elif parameter.default is not inspect.Parameter.empty:
            break  # a parameter of the user's own, such as hidden=64, and so are those behind it
        elif len(chosen) < len(left):
            chosen.append(left[len(chosen)])
        else:
            raise ModelError(
                f"the model's function needs {parameter.name!r} too, and only (inputs, outputs) are known",
                fix=f"give {parameter.name} a default",
            )
    return tuple(chosen)


def _positional(make: Callable[..., nn.Module]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # built-in callables do not tell
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in parameters if parameter.kind in kinds]


def check_apart(module: nn.Module, twin: nn.Module) -> None:
    """Raise a :class:`ModelError` if two modules that were made apart share a parameter."""
    mine = {id(parameter) for parameter in module.parameters()}
    for name, parameter in twin.named_parameters():
        if id(parameter) in mine:
            raise ModelError(
                f"two calls of the model's function share the parameter {name!r}",
                fix="make the network inside the function, so that every call returns a fresh one",
            )


def check_output(module: nn.Module, sizes: Sizes) -> None:
    """Raise a :class:`ModelError` if two rows do not become two rows of scores."""
    scores = tried(module, module, sizes)
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if shape != (2, sizes.outputs):
        raise ModelError(
            f"the network turns 2 rows into {shape} instead of {(2, sizes.outputs)}",
            fix=f"end it with nn.Linear(..., {sizes.outputs}) and no softmax",
        )


def tried(module: nn.Module, forward: Callable[..., Any], sizes: Sizes) -> Any:
    """Run two rows; whatever the user's code raises becomes a :class:`ModelError`."""
    try:
        return run_once(module, sizes, forward)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"the network raises {type(error).__name__} on inputs of shape {_shapes(module, sizes)}: {error}",
            fix="make it take that shape; its function is given the input size",
        ) from error


def _shapes(module: nn.Module, sizes: Sizes) -> str:
    if not isinstance(module, Adapter):
        return str((2, *sizes.inputs))
    return ", ".join(f"{entry.name} {(2, *entry.shape)} {entry.dtype}" for entry in module.form.entries)


def run_once(module: nn.Module, sizes: Sizes, forward: Callable[..., Any] | None = None) -> object:
    """Run two rows in evaluation mode, and restore the modes."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    with torch.no_grad():
        scores = (forward or module)(*trial_batch(sizes))
    for part, mode in modes:
        part.training = mode
    return scores
