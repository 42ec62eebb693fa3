"""Charts as inline SVG: matplotlib draws, the page's style sheet colours, so that they follow its dark mode.

Letters: E epochs, L layers.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from goodfit.report.curves import Band
from goodfit.report.wording import printable

COLOURS = {
    "--ink": "#1c2430",
    "--muted": "#5c6675",
    "--line": "#d9dee6",
    "--train": "#1f5fbf",
    "--validation": "#b4540a",
    "--context": "#9aa3b0",
}
"""Style sheet variables and the stand-ins that matplotlib draws with; the page replaces these by those."""

INK, MUTED, LINE, TRAIN, VALIDATION, CONTEXT = COLOURS.values()
SIZE = (3.6, 2.25)
FEW_TIMES = 50
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "goodfit",
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.6,
}


def learning_curves(
    lines: Sequence[tuple[Band, str]],
    *,
    says: str,
    bar: float | None = None,
    limits: tuple[float, float] | None,
) -> Markup:
    """Draw curves over epochs, each with its band over seeds.

    Args:
        lines: Bands and their colours, those in the background first.
        says: What the chart shows, for those who cannot see it.
        bar: Height of a dashed line that is to be reached.
        limits: Range of the vertical axis; ``None`` fits the curves on a logarithmic axis.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _empty()
        for line, colour in lines:
            axes.fill_between(line.epochs_E, line.low_E, line.high_E, color=colour, alpha=0.18, linewidth=0)
            axes.plot(line.epochs_E, line.mean_E, color=colour)
        if bar is not None:
            axes.axhline(bar, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if limits is None:
            _logarithmic(axes, *(line.mean_E for line, _ in lines))
        else:
            axes.set_ylim(*limits)
        return _inline(figure, says)


def over_depth(lines: Sequence[tuple[np.ndarray, str]], *, says: str, logarithmic: bool) -> Markup:
    """Draw one value per layer, first layer on the left.

    Args:
        lines: Values of shape ``(L,)`` and their colours.
        says: What the chart shows, for those who cannot see it.
        logarithmic: Whether the vertical axis is logarithmic; otherwise it shows shares from 0 to 1.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _empty()
        for values_L, colour in lines:
            axes.plot(np.arange(1, len(values_L) + 1), values_L, "o-", color=colour, markersize=3.5)
        axes.set_xlabel("layer")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        if logarithmic:
            _logarithmic(axes, *(values_L for values_L, _ in lines))
        else:
            axes.set_ylim(-0.03, 1.03)
        return _inline(figure, says)


def over_depth_and_epochs(
    epochs_E: np.ndarray, values_LE: np.ndarray, *, says: str, logarithmic: bool
) -> Markup:
    """Draw a map of one value per layer and epoch.

    Args:
        epochs_E: Where it was measured.
        values_LE: One row per layer.
        says: What the chart shows, for those who cannot see it.
        logarithmic: Whether the colours are logarithmic; otherwise they show shares from 0 to 1.
    """
    with mpl.rc_context(STYLE):
        figure, axes = _empty()
        shown_LE = np.ma.masked_invalid(values_LE)
        if logarithmic:
            shown_LE = np.ma.masked_less_equal(shown_LE, 0)
        layers = np.arange(1, len(values_LE) + 1)
        norm = _log_norm(shown_LE) if logarithmic else Normalize(0, 1)
        mesh = axes.pcolormesh(
            epochs_E,
            layers,
            shown_LE,
            norm=norm,
            cmap="cividis",
            shading="nearest",
            edgecolors="face",
            linewidth=0.3,
        )
        axes.set_xlabel("epoch")
        axes.set_ylabel("layer")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
        axes.invert_yaxis()
        axes.grid(False)
        axes.set_position((0.14, 0.2, 0.66, 0.76))
        bar = figure.colorbar(mesh, cax=figure.add_axes((0.83, 0.2, 0.03, 0.76)))
        bar.outline.set_visible(False)
        if logarithmic:
            _label_powers(bar.ax.yaxis)
        return _inline(figure, says)


def _empty() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.14, 0.2, 0.83, 0.76))
    axes.grid(axis="y")
    return figure, axes


def _logarithmic(axes: Axes, *curves: np.ndarray) -> None:
    """A logarithmic axis where values differ by powers of ten, else a plain one from zero."""
    values = np.concatenate([np.ravel(values) for values in curves])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) and values.max() > FEW_TIMES * values.min():
        axes.set_yscale("log")
        _label_powers(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)


def _label_powers(axis: Axis) -> None:
    """Label a logarithmic axis in plain letters; matplotlib's formulas take a third of all drawing time."""
    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))


def _power_of_ten(value: float) -> str:
    digits = str(round(np.log10(value))) if value > 0 else ""
    return "10" + digits.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _log_norm(values: np.ma.MaskedArray) -> Normalize:
    if values.count() == 0:
        return Normalize(0, 1)
    low, high = float(values.min()), float(values.max())
    return LogNorm(low, high if high > low else low * 10)


def _inline(figure: Figure, says: str) -> Markup:
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return Markup(_adapted(out.getvalue(), says))


def _adapted(svg: str, says: str) -> str:
    """Make a file of matplotlib's part of a page: no prologue, no idle names, the page's colours and font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", svg)
    for variable, colour in COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    mark = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(
        r'( id="|url\(#|href="#)', rf"\g<1>{mark}-", svg
    )  # names are unique in a page, not only in a chart
    title = html.escape(printable(says))
    view = re.search(r'viewBox="[^"]*"', svg)
    start = f'<svg {view[0] if view else ""} role="img" aria-label="{title}"><title>{title}</title>'
    return start + svg[svg.index(">") + 1 :]
