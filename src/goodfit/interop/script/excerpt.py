"""Out of a user's file, what some of its functions need, and nothing that would run when it is pasted."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TypeGuard

from goodfit.errors import ModelError


def excerpt(text: str, names: Collection[str], *, file: str = "the file") -> str:
    """Copy the definitions of some names, and of all that they use, in the order of the file.

    Imports keep only what is used. Left out are a main guard, imports from the future, and whatever does not
    define or change what is used, such as a training that the file runs.

    Args:
        text: The file.
        names: What is wanted; names that it does not define are passed over.
        file: What to call it in an error.

    Raises:
        ModelError: What is wanted uses goodfit, which is not there where it is pasted.
        SyntaxError: The text is not Python.

    Example:
        >>> print(excerpt("import math, os\\nfit()\\nwidth = math.floor(3.5)\\ndepth = 2\\n", ["width"]))
        import math
        <BLANKLINE>
        width = math.floor(3.5)
    """
    statements = [node for node in ast.parse(text).body if not _is_guard(node)]
    imported = set().union(*(_defines(node) for node in statements if _is_import(node)))
    needed = set(names)
    while True:
        # what changes a library, such as torch.manual_seed(0), is the file's own affair
        kept = [n for n in statements if _defines(n) & needed or _changes(n) & needed - imported]
        found = needed.union(*map(_uses, kept))
        if found == needed:
            break
        needed = found
    pieces = [(node, _written(node, text.splitlines(), needed)) for node in kept]
    _refuse_goodfit(pieces, file)
    return _joined([(node, piece) for node, piece in pieces if piece])


def defined(text: str) -> set[str]:
    """Name what a file defines at its top, imports not counted.

    Example:
        >>> sorted(defined("import os\\nA = 1\\ndef f(): ...\\n"))
        ['A', 'f']
    """
    found: set[str] = set()
    for node in ast.parse(text).body:
        if not _is_import(node):
            found |= _defines(node)
    return found


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _is_import(node: ast.AST) -> TypeGuard[ast.Import | ast.ImportFrom]:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _defines(node: ast.AST) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    bound = {n.id for n in _walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    if isinstance(node, (ast.If, ast.Try, ast.With)):  # one definition or the other
        bound = bound.union(*(_defines(inner) for inner in ast.walk(node) if _is_definition(inner)))
    return bound


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what belongs to a statement itself, and not to the functions in it."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from _walk(child)


def _changes(node: ast.stmt) -> set[str]:
    """Names whose value a statement changes in place: by an item, an attribute, or a method."""
    places: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        places = [target for target in node.targets if isinstance(target, (ast.Subscript, ast.Attribute))]
    elif isinstance(node, ast.AugAssign):
        places = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        places = [node.value.func] if isinstance(node.value.func, ast.Attribute) else []
    names = set()
    for place in places:
        here: ast.expr = place
        while isinstance(here, (ast.Subscript, ast.Attribute)):
            here = here.value
        if isinstance(here, ast.Name):
            names.add(here.id)
    return names


def _uses(node: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _written(node: ast.stmt, lines: list[str], needed: set[str]) -> str:
    if _is_import(node):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return ""
        aliases = [a for a in node.names if (a.asname or a.name.partition(".")[0]) in needed]
        node.names = aliases
        return ast.unparse(node) if aliases else ""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while first > 1 and lines[first - 2].startswith("#") and not lines[first - 2].startswith("#!"):
        first -= 1
    return "\n".join(lines[first - 1 : node.end_lineno])


def _refuse_goodfit(pieces: list[tuple[ast.stmt, str]], file: str) -> None:
    for node, piece in pieces:
        if _is_import(node) and "goodfit" in piece.replace(",", " ").replace(".", " ").split():
            raise ModelError(
                f"what is needed of {file} uses goodfit: {piece}",
                fix="define it with torch alone; the script is to run where goodfit is not installed",
            )


def _joined(pieces: list[tuple[ast.stmt, str]]) -> str:
    text, before = "", ""
    for node, piece in pieces:
        is_block = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        kind = "block" if is_block else "import" if _is_import(node) else "line"
        if before:
            text += "\n\n\n" if "block" in (kind, before) else "\n\n" if kind != before else "\n"
        text, before = text + piece, kind
    return text
