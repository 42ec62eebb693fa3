"""The surgery on a user's network as lines of a script: each step is told by what differs after it."""

from __future__ import annotations

import ast
import dataclasses
import re
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from goodfit.errors import ModelError
from goodfit.interop.script.constructors import written
from goodfit.nets import additions, surgery
from goodfit.nets.activations import activation_named
from goodfit.nets.fresh_start import pieces_behind
from goodfit.nets.given import Given
from goodfit.nets.network import Sizes, trial_batch
from goodfit.nets.passage import DROPOUTS, last_weighted, links, trace
from goodfit.nets.rewriting import Rewritten


@dataclasses.dataclass(kw_only=True)
class Surgery:
    """What the script does to the network that the user's function made.

    Attributes:
        lines: Statements on ``network``, in order.
        forwards: Functions that take the place of a ``forward``, which the lines refer to.
        tools: Names of the script's own functions that the lines call.
        wanted: Names of the user's file that the forwards refer to.
    """

    lines: list[str] = dataclasses.field(default_factory=list)
    forwards: list[str] = dataclasses.field(default_factory=list)
    tools: set[str] = dataclasses.field(default_factory=set)
    wanted: set[str] = dataclasses.field(default_factory=set)

    def add(self, tool: str, text: str) -> None:
        """Add a line that calls one of the script's functions."""
        self.tools.add(tool)
        self.lines.append(f"{tool}(network, {text})")


def surgery_of(network: Given, sizes: Sizes, *, dropout: float) -> Surgery:
    """Write down every edit of a network.

    Args:
        network: The user's, with its edits.
        sizes: The data's.
        dropout: Rate behind every hidden activation.

    Raises:
        ModelError: A part cannot be written as source.
    """
    done = Surgery()
    for step in network.steps(sizes, dropout=dropout):
        if step.changed and all(line.endswith(" start") for line in step.changed):
            _starts(step, network, sizes, done)
        else:
            is_maxout = any(" -> Maxout of " in line for line in step.changed)
            _differences(step, network.pieces if is_maxout else 1, done)
    return done


def _starts(step: surgery.Edited, network: Given, sizes: Sizes, done: Surgery) -> None:
    """Lines for a fresh start: layers with one gain and as many pieces together."""
    example = trial_batch(sizes)
    calls = trace(step.module, example)
    last = calls[last_weighted(calls)].part if calls else None
    pieces = {id(link.first.part): pieces_behind(link) for link in links(calls)}
    gain = activation_named(network.activation or "relu").gain
    groups: dict[str, list[str]] = {}
    for name in (line.partition(":")[0] for line in step.changed):
        part = step.module.get_submodule(name)
        if network.initialisation == "torch":
            settings = ""
        else:
            settings = f", {1.0 if part is last else gain}"
            settings += f", {pieces[id(part)]}" if pieces.get(id(part), 1) > 1 else ""
        groups.setdefault(settings, []).append(name)
    for settings, names in groups.items():
        words = ", ".join(f'"{name}"' for name in names)
        done.lines.append(f"for name in [{words}]:")
        if network.initialisation == "torch":
            done.lines.append("    network.get_submodule(name).reset_parameters()")
        else:
            done.tools.add("start")
            done.lines.append(f"    start(network.get_submodule(name){settings})")


def _differences(step: surgery.Edited, spread: int, done: Surgery) -> None:
    before = dict(step.original.named_modules(remove_duplicate=False))
    new: dict[int, str] = {}
    added: set[str] = set()
    skips: dict[int, dict[str, str]] = {}
    for name, part in step.module.named_modules(remove_duplicate=False):
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in added):
            # it came with the line of the part that it belongs to, without what hangs on it
            _hooks(name, part, None, added, skips, done)
            continue
        old = before.get(name)
        if id(part) in new:
            done.add("put", f'"{name}", network.get_submodule("{new[id(part)]}")')
            continue
        if old is None or _is_other(old, part):
            if isinstance(part, Rewritten):
                _rewrite(name, part, done)
            else:
                _replace(name, part, old, spread, done)
                new[id(part)] = name
                _tell_transformer(name, step.module, done)
                added |= {f"{name}.{child}".lstrip(".") for child, _ in part.named_children()}
        _hooks(name, part, None if id(part) in new else old, added, skips, done)
    for ends in skips.values():
        done.add("skip", f'"{ends["keep"]}", "{ends["add"]}"')


def _tell_transformer(name: str, root: nn.Module, done: Surgery) -> None:
    parent, _, last = name.rpartition(".")
    owner = root.get_submodule(parent)
    if last == "activation" and isinstance(owner, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        # torch's own short cut in evaluation would not look at it
        done.lines.append(f'network.get_submodule("{parent}").activation_relu_or_gelu = 0')


def _is_other(old: nn.Module, part: nn.Module) -> bool:
    if isinstance(part, Rewritten):
        return not isinstance(old, Rewritten) or old.source != part.source
    return type(old) is not type(part) or old.extra_repr() != part.extra_repr()


def _replace(name: str, part: nn.Module, old: nn.Module | None, spread: int, done: Surgery) -> None:
    if isinstance(part, DROPOUTS) and type(old) is type(part):
        done.lines.append(f'network.get_submodule("{name}").p = {part.p}')
        return
    if type(old) is not type(part) or not any(True for _ in part.parameters(recurse=False)):
        done.add("put", f'"{name}", {written(part)}')
        return
    assert old is not None
    is_taller = spread > 1 and _outputs(part) != _outputs(old)
    done.add("grow", f'"{name}", {written(part)}' + (f", {spread}" if is_taller else ""))


def _outputs(part: nn.Module) -> int:
    return len(next(part.parameters(recurse=False)))


def _rewrite(name: str, part: Rewritten, done: Surgery) -> None:
    """A forward of its own; the modules that it calls in place of functions are told with the others."""
    function = f"forward_of_{re.sub(r'[^0-9a-zA-Z]', '_', name) or 'network'}_{len(done.forwards)}"
    done.forwards.append(_forward(part, function, done.wanted))
    here = f'network.get_submodule("{name}")' if name else "network"
    done.lines.append(f"{here}.forward = types.MethodType({function}, {here})")
    done.tools.add("types")


def _forward(part: Rewritten, function: str, wanted: set[str]) -> str:
    text = re.sub(r";  (?:\w+ = )+None$", "", part.source.strip(), flags=re.MULTILINE)
    text = text.replace("def forward(", f"def {function}(", 1)
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    lines = [
        f"import {place} as {word}"
        for word, place in part.imports.items()
        if word in used and word != "torch"
    ]
    for word, value in part.names.items():
        if word in used:
            lines.append(f"{word} = {_named(value, wanted)}")
    head, _, body = text.partition("\n")
    return "\n".join([head, *(f"    {line}" for line in lines), body])


def _named(value: Any, wanted: set[str]) -> str:
    if isinstance(value, float):
        return f'float("{value}")'
    module, name = getattr(value, "__module__", "") or "", getattr(value, "__qualname__", "")
    if module.partition(".")[0] == "torch" and isinstance(value, type):
        return f"torch.{name}" if getattr(torch, name, None) is value else f"{module}.{name}"
    if isinstance(value, (types.FunctionType, type)) and name.isidentifier() and module != "builtins":
        wanted.add(name)
        return name
    if value is type(None):
        return "type(None)"
    raise ModelError(
        f"forward calls {value!r}, which cannot be written into a script",
        fix="call it from a small module of its own, so that forward calls modules and functions of torch",
    )


def _hooks(
    name: str,
    part: nn.Module,
    old: nn.Module | None,
    added: set[str],
    skips: dict[int, dict[str, str]],
    done: Surgery,
) -> None:
    """Lines for what was hung before and behind a part."""
    were = [] if old is None else [_kind(hook) for hook in _all_hooks(old)]
    for hook in _all_hooks(part):
        kind = _kind(hook)
        if kind in were:
            were.remove(kind)
            continue
        if isinstance(hook, (additions.Before, additions.Behind)):
            tool, child = type(hook).__name__.lower(), hook.name
        elif hook is surgery.drop_outputs:
            tool, child = "behind", "dropout"
        elif isinstance(getattr(hook, "__self__", None), additions.Kept):
            skips.setdefault(id(hook.__self__), {})[hook.__name__] = name
            continue
        else:
            continue  # a hook of the user's own, which their function makes anew
        addition = part.get_submodule(child)
        done.add(tool, f'"{name}", "{child}", {written(addition)}')
        added.add(f"{name}.{child}".lstrip("."))
        if child == "deeper":
            done.tools.add("pass_on")
            done.lines.append(f'pass_on(network.get_submodule("{name}.deeper.0"))')


def _all_hooks(part: nn.Module) -> Iterator[Any]:
    yield from part._forward_pre_hooks.values()
    yield from part._forward_hooks.values()


def _kind(hook: Any) -> tuple[str, str]:
    owner = getattr(hook, "__self__", hook)
    return type(owner).__name__ + getattr(hook, "__name__", ""), getattr(owner, "name", "")
