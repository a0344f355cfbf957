"""Plots for the documentation: the same diagram as PNG and as SVG, alike on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

COLOURS = ("#0060a8", "#b34700", "#a03070", "#00734f")
"""Which people who see no red or no green can tell apart; each curve has a mark and a line of its own as well."""


@dataclass(frozen=True)
class Curve:
    """Points with a name. Attributes: form: mark and line, as matplotlib writes them."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    form: str


def plot(path: Path, *, title: str, x: str, y: str, curves: Sequence[Curve], logarithmic: bool = False) -> None:
    """Write path.png and path.svg."""
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11})
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    for curve, colour in zip(curves, COLOURS, strict=False):
        axes.plot(curve.x, curve.y, curve.form, color=colour, label=curve.name, markersize=6)
    if logarithmic:
        axes.set_xscale("log")
    axes.set(title=title, xlabel=x, ylabel=y, ylim=(0, None))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path.with_suffix(".png"), dpi=110, metadata={"Software": None})
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    pyplot.close(figure)
