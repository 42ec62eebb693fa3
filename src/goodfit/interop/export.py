"""Leave as a graph: one file with the trained network, for ONNX or for torch.export.

Letters: N rows, C columns of codes, O outputs.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from goodfit.engine.losses import apply_link
from goodfit.errors import ModelError, PlanError
from goodfit.interop.opened import opened
from goodfit.nets.given import Given
from goodfit.nets.network import Sizes
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
    rows, as ``run.predictor.preparation.transform(raw, inputs=run.predictor.inputs)`` makes them. It returns
    what :meth:`Predictor.predict` is made of: the probability of each class, shape ``(N, O)``, or the number
    in the user's units, ``(N, 1)``; members of a vote are in it, and their mean.

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
    if isinstance(predictor.network, Given) and predictor.network.form is not None:
        raise ExportError(
            "rows of several inputs or targets cannot be exported yet",
            fix="export fitted.predictor.modules[0].module, a plain PyTorch module, with torch.export itself",
        )
    graph = Graph(predictor).eval()
    arguments = _arguments(predictor, rows)
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
    """Prepared inputs in, probabilities or numbers in the user's units out.

    Args:
        predictor: The trained members and their task.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.members = nn.ModuleList(predictor.modules)
        self.link = predictor.link
        task = predictor.task
        margin = RANGE_MARGIN * (task.high - task.low)
        self.center, self.scale = task.center, task.scale
        self.low, self.high = task.low - margin, task.high + margin
        self.is_number = task.kind == "numbers"

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Predict rows, shape ``(N, O)``."""
        given = (x,) if codes is None else (x, codes)
        outputs_NO = torch.stack([apply_link(member(*given), self.link) for member in self.members]).mean(0)
        if not self.is_number:
            return outputs_NO
        return (outputs_NO * self.scale + self.center).clamp(self.low, self.high)


def _arguments(predictor: Predictor, rows: Any) -> tuple[Tensor, ...]:
    if rows is None:
        return _made_up(predictor.sizes)
    x, codes_NC = predictor.preparation.transform(rows, inputs=predictor.inputs)
    if len(x) < 2:  # a graph traced with one row may keep that one as a constant
        raise ExportError(f"there is {len(x)} row to check on", fix="give at least 2 rows")
    tensor = torch.from_numpy(x)
    return (tensor,) if codes_NC is None else (tensor, torch.from_numpy(codes_NC))


def _made_up(sizes: Sizes) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(CHECKED_ROWS, *sizes.inputs, generator=generator)
    if not sizes.cardinalities:
        return (x,)
    columns = [torch.randint(size, (CHECKED_ROWS,), generator=generator) for size in sizes.cardinalities]
    return x, torch.stack(columns, dim=1)


def _write_torch(graph: Graph, arguments: tuple[Tensor, ...], path: Path) -> None:
    torch.export.save(_program(graph, arguments), path)


def _program(graph: Graph, arguments: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    rows = torch.export.Dim("rows")
    shapes = tuple({0: rows} for _ in arguments)
    if len(arguments) == 1:
        return torch.export.export(graph, arguments, dynamic_shapes={"x": shapes[0]})
    return torch.export.export(graph, arguments, dynamic_shapes={"x": shapes[0], "codes": shapes[1]})


def _read_torch(path: Path, arguments: tuple[Tensor, ...]) -> np.ndarray:
    outputs_NO: np.ndarray = torch.export.load(path).module()(*arguments).detach().numpy()
    return outputs_NO


def _write_onnx(graph: Graph, arguments: tuple[Tensor, ...], path: Path) -> None:
    names = ["x", "codes"][: len(arguments)]
    rows = torch.export.Dim("rows")
    torch.onnx.export(
        graph,
        arguments,
        str(path),
        input_names=names,
        output_names=["outputs"],
        dynamic_shapes={name: {0: rows} for name in names},
        opset_version=OPSET,
        dynamo=True,
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
