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
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in RANK)


def layer_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_layers(path):
    """Layers that a file imports from, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "goodfit" and len(parts) > 1 and parts[1] in RANK:
                yield parts[1], node


def is_for_types_only(path, node):
    text = path.read_text(encoding="utf-8").splitlines()
    above = [line for line in text[: node.lineno - 1] if line and not line.startswith(" ")]
    return text[node.lineno - 1].startswith(" ") and above[-1].startswith("if TYPE_CHECKING")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_above_it(path):
    own = layer_of(path)
    for layer, node in imported_layers(path):
        if layer == own or is_for_types_only(path, node):
            continue
        assert RANK[layer] < RANK[own], f"line {node.lineno} imports {layer} into {own}"


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
