"""Leave as a graph: one file with the trained network, for ONNX or for torch.export.

Letters: N rows, C columns of codes, O outputs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from goodfit.data.numbers import LIMIT
from goodfit.engine.goodness.predicted import apply_link
from goodfit.errors import ModelError, PlanError
from goodfit.interop.opened import opened
from goodfit.interop.script.rehearsal import made_up
from goodfit.interop.script.rows import form_of, identifier, is_clipped, scales, used_entries
from goodfit.nets.adapter import call
from goodfit.procedure.fitted import RANGE_MARGIN, Fitted, Predictor

FORMATS = ("onnx", "torch")
TOLERANCE = 1e-4
CHECKED_ROWS = 5
OPSET = 18
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class ExportError(ModelError):
    """The network cannot leave in the wanted form."""


def export(run: Fitted | str | Path, format: str, path: str | Path, *, rows: Any = None) -> Path:
    """Write the trained network as one graph, and check the file against the run's own predictions.

    The graph takes prepared inputs, ``x`` and, where categories are embedded, ``codes``, of any number of
    rows, as ``run.predictor.preparation.transform(raw, inputs=run.predictor.inputs)`` makes them. A network
    of the user's own whose rows have several inputs or targets gets its inputs as its loader yielded them.
    What it returns is what :meth:`Predictor.predict` is made of: the probability of each class, shape
    ``(N, O)``, or the number in the user's units, ``(N, 1)``; of several targets all in one line, the classes
    of a place last. Members of a vote are in it, and their mean.

    Args:
        run: What :func:`goodfit.fit` returned, or a run folder.
        format: ``"onnx"``, or ``"torch"`` for a file that ``torch.export.load`` reads.
        path: The file to write.
        rows: Raw rows to check the written file on; made-up inputs by default.

    Returns:
        The path.

    Raises:
        PlanError: The format is unknown.
        ExportError: A package is missing, the network cannot be traced, or the file predicts otherwise.

    Example:
        >>> from goodfit.interop.export import FORMATS
        >>> FORMATS
        ('onnx', 'torch')
    """
    if format not in FORMATS:
        raise PlanError(f"there is no format {format!r}", fix=f"give one of {', '.join(FORMATS)}")
    if format == "onnx":
        _refuse_without_onnx()
    predictor, path = opened(run).predictor, Path(path)
    graph = Graph(predictor).eval()
    arguments = _arguments(predictor, rows, graph.names)
    write, read = (_write_onnx, _read_onnx) if format == "onnx" else (_write_torch, _read_torch)
    try:
        write(graph, arguments, path)
    except Exception as error:  # tracing can fail in many ways, each with a page of its own
        raise ExportError(
            f"{predictor.network.describe()} cannot be traced: {type(error).__name__}: {error}",
            fix="keep data-dependent branches out of forward, or leave with `goodfit eject`",
        ) from error
    with torch.no_grad():
        _refuse_difference(read(path, arguments), graph(*arguments).numpy(), path)
    return path


class Graph(nn.Module):
    """Inputs in, probabilities or numbers in the user's units out.

    Args:
        predictor: The trained members and their task.

    Attributes:
        names: What the inputs are called, in order.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.link = predictor.link
        task, form = predictor.task, form_of(predictor)
        margin = RANGE_MARGIN * (task.high - task.low)
        self.center, self.scale = task.center, task.scale
        self.low, self.high = task.low - margin, task.high + margin
        self.is_number = task.kind == "numbers" and not task.shape
        self.classes = task.num_outputs if task.kind == "places" else 0
        members: list[nn.Module] = list(predictor.modules)
        self.names = ("x", "codes")[: 1 + bool(predictor.sizes.cardinalities)]
        if form is not None:
            members = [TakenApart(member, predictor) for member in members]
            self.names = tuple(identifier(entry.name) for entry in used_entries(predictor))
        self.members = nn.ModuleList(members)

    def forward(self, *given: Tensor) -> Tensor:
        """Predict rows, shape ``(N, O)``."""
        outputs_NO = torch.stack([self._linked(member(*given)) for member in self.members]).mean(0)
        if not self.is_number:
            return outputs_NO
        return (outputs_NO * self.scale + self.center).clamp(self.low, self.high)

    def _linked(self, scores_NO: Tensor) -> Tensor:
        if not self.classes:
            return apply_link(scores_NO, self.link)
        return apply_link(scores_NO.unflatten(-1, (-1, self.classes)), self.link).flatten(-2)


class TakenApart(nn.Module):
    """A network whose rows are packed for the engine, given its inputs one by one.

    Args:
        member: The network.
        predictor: It knows what a row is made of, and how it is scaled.
    """

    def __init__(self, member: nn.Module, predictor: Predictor) -> None:
        super().__init__()
        self.member = member
        self.scales, self.is_clipped = scales(predictor), is_clipped(predictor)

    def forward(self, *given: Tensor) -> Tensor:
        """Compute raw scores, ``(N, O)``."""
        parts = list(given)
        if self.scales:
            shifts, sizes = self.scales["shift"], self.scales["scale"]
            parts = [(part - shift) / size for part, shift, size in zip(parts, shifts, sizes, strict=True)]
        if self.is_clipped:
            parts = [part.nan_to_num().clamp(-LIMIT, LIMIT) for part in parts]
        adapter: Any = self.member
        named = parts if adapter.names is None else dict(zip(adapter.names, parts, strict=True))
        scores_NO: Tensor = adapter.in_line(call(adapter.module, named))
        return scores_NO


def _arguments(predictor: Predictor, rows: Any, names: Sequence[str]) -> tuple[Tensor, ...]:
    form = form_of(predictor)
    if form is not None:
        x = made_up(predictor, CHECKED_ROWS)[0] if rows is None else torch.from_numpy(form.rows(rows))
        refuse_single(x)
        parts = form.unpack(x)
        known = dict(zip((identifier(entry.name) for entry in form.entries), parts, strict=True))
        return tuple(known[name] for name in names)
    if rows is None:
        x, codes_NC = made_up(predictor, CHECKED_ROWS)
        return (x,) if codes_NC is None else (x, codes_NC)
    if isinstance(rows, Tensor):
        rows = rows.numpy()
    x_ND, codes = predictor.preparation.transform(rows, inputs=predictor.inputs)
    refuse_single(x_ND)
    tensor = torch.from_numpy(x_ND)
    return (tensor,) if codes is None else (tensor, torch.from_numpy(codes))


def refuse_single(x: Any) -> None:
    """Raise an :class:`ExportError` for a single row: a graph traced with one may keep it as a constant."""
    if len(x) < 2:
        raise ExportError(f"there is {len(x)} row to check on", fix="give at least 2 rows")


def _write_torch(graph: Graph, arguments: tuple[Tensor, ...], path: Path) -> None:
    torch.export.save(_program(graph, arguments), path)


def _program(graph: Graph, arguments: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    rows = torch.export.Dim("rows")
    return torch.export.export(
        graph, arguments, dynamic_shapes={"given": tuple({0: rows} for _ in arguments)}
    )


def _read_torch(path: Path, arguments: tuple[Tensor, ...]) -> np.ndarray:
    outputs_NO: np.ndarray = torch.export.load(path).module()(*arguments).detach().numpy()
    return outputs_NO


def _write_onnx(graph: Graph, arguments: tuple[Tensor, ...], path: Path) -> None:
    torch.onnx.export(
        _program(graph, arguments),
        (),
        str(path),
        input_names=list(graph.names),
        output_names=["outputs"],
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )


def _read_onnx(path: Path, arguments: tuple[Tensor, ...]) -> np.ndarray:
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {
        place.name: tensor.numpy() for place, tensor in zip(session.get_inputs(), arguments, strict=True)
    }
    outputs_NO: np.ndarray = session.run(None, given)[0]
    return outputs_NO


def _refuse_without_onnx() -> None:
    for name in ONNX_PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ExportError(
                f"export to ONNX needs the package {name}, which is not installed",
                fix="pip install 'goodfit[onnx]'",
            ) from error


def _refuse_difference(found_NO: np.ndarray, wanted_NO: np.ndarray, path: Path) -> None:
    apart = np.abs(found_NO - wanted_NO).max(initial=0.0)
    scale = max(1.0, float(np.abs(wanted_NO).max(initial=0.0)))
    if found_NO.shape != wanted_NO.shape or not apart <= TOLERANCE * scale:
        path.unlink(missing_ok=True)
        raise ExportError(
            f"the written graph predicts otherwise than the run, by {apart:.2g}; the file was removed",
            fix="leave with `goodfit eject`, and report the network",
        )
