"""The layers import one way only; read from the code's own imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import goodfit

ROOT = Path(goodfit.__file__).parent
LAYERS = (
    ("errors",),
    ("tensors", "seeds", "forms"),
    ("data", "nets", "rules"),
    ("engine",),
    ("diagnosis",),
    ("recipe",),
    ("evidence",),
    ("procedure",),
    ("store", "report"),
    ("watch", "labs"),
    ("interop",),
    ("cli",),
)
ROOMS = {
    "engine": (
        ("history", "machine"),
        ("chance",),
        ("goodness",),
        ("plan",),
        ("candidate",),
        ("population", "ways"),
        ("rows",),
        ("looks",),
        ("moves",),
        ("training",),
        ("checks",),
    ),
    "watch": (("uses",), ("observation", "sighting"), ("notes",), ("judging",)),
    "interop": (("module_settings",), ("script",)),
}
"""Rooms of a layer, and modules that stand beside them; those that are not named come last."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ROOM_RANK = {
    (layer, name): rank for layer, rows in ROOMS.items() for rank, names in enumerate(rows) for name in names
}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in RANK)
IN_ROOMS = [path for path in MODULES if path.relative_to(ROOT).parts[0] in ROOMS]


def layer_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path):
    """What a file imports of goodfit, in parts of dotted names, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "goodfit" and len(parts) > 1 and parts[1] in RANK:
                yield parts[1:], node


def is_for_types_only(path, node):
    text = path.read_text(encoding="utf-8").splitlines()
    above = [line for line in text[: node.lineno - 1] if line and not line.startswith(" ")]
    return text[node.lineno - 1].startswith(" ") and above[-1].startswith("if TYPE_CHECKING")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_above_it(path):
    own = layer_of(path)
    for (layer, *_), node in imports(path):
        if layer == own or is_for_types_only(path, node):
            continue
        assert RANK[layer] < RANK[own], f"line {node.lineno} imports {layer} into {own}"


@pytest.mark.parametrize("path", IN_ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_rooms_above_it(path):
    layer, own = path.relative_to(ROOT).with_suffix("").parts[:2]
    last = len(ROOMS[layer])
    for (of_layer, *rest), node in imports(path):
        if of_layer != layer or rest[0] == own or is_for_types_only(path, node):
            continue
        above, below = (ROOM_RANK.get((layer, name), last) for name in (rest[0], own))
        assert above < below or below == last, f"line {node.lineno} imports {rest[0]} into {own}"


def test_every_module_belongs_to_a_layer():
    strangers = {path.name for path in ROOT.iterdir() if path.stem not in RANK and path.suffix == ".py"}
    assert strangers == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(
    "module",
    [
        "engine.history",
        "diagnosis.finding",
        "diagnosis.catalogue",
        "diagnosis.training",
        "diagnosis.testing",
        "diagnosis.before",
        "evidence.verdict",
        "evidence.statistics",
        "procedure.run",
        "procedure.events",
        "report.html",
        "report.terminal",
        "store.record",
    ],
)
def test_a_saved_run_needs_no_torch(module):
    code = f"import sys, goodfit.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
