"""Figures of a page: histograms as SVG, the correlation matrix as cells. Geometry only; colours are the style sheet's.

An SVG is stretched to the width of its column, so that text (which must not be stretched) lies beside it as HTML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from pipeline.report import wording

BARS = 44
TICKS = 7


@dataclass(frozen=True)
class Cell:
    """One correlation: `r` is None when it is not defined (a constant label, fewer than two rows)."""

    row: str
    column: str
    r: float | None

    @property
    def strength(self) -> int:
        return round(100 * abs(self.r)) if self.r is not None else 0


def histogram(values: Sequence[float] | np.ndarray, name: str, *, boundary: bool) -> Markup:
    """Draw how the finite values are spread. A `boundary` at 0 is always the edge of two bars, never inside one.

    Values far out (further from the middle 99 % than half its width) are counted in the outermost bars, and said so.
    """
    value_N = np.asarray(values, dtype=np.float64)
    value_N = value_N[np.isfinite(value_N)]
    if not len(value_N):
        return Markup('<p class="empty">No finite value.</p>')
    edge_B = _edges(value_N, boundary)
    low, high = edge_B[0], edge_B[-1]
    outside = int(((value_N < low) | (value_N > high)).sum())
    height_B, _ = np.histogram(value_N.clip(low, high), bins=edge_B)
    label = f"Histogram of {name}: {len(value_N):,} rows from {wording.tick(_round(value_N.min()))} to "
    label += wording.tick(_round(value_N.max()))
    if boundary:
        label += f", {wording.share(int((value_N > 0).sum()), len(value_N))} above 0"
    parts = [
        Markup(
            '<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{}">'
        ).format(label)
    ]
    for first, last, height in zip(edge_B[:-1], edge_B[1:], height_B, strict=True):
        if height:
            parts.append(_bar(first, last, int(height), (low, high), int(height_B.max()), boundary))
    if boundary:
        at = 100 * (0 - low) / (high - low)
        parts.append(Markup('<line class="boundary" x1="{0}" x2="{0}" y1="0" y2="100"/>').format(f"{at:.3f}"))
    parts.append(Markup("</svg>"))
    parts += [
        Markup('<span class="tick{}" style="left:{}%">{}</span>').format(
            " zero" if boundary and value == 0 else "", f"{100 * (value - low) / (high - low):.2f}", wording.tick(value)
        )
        for value in _ticks(low, high)
    ]
    parts.append(Markup("</div>"))
    if outside:
        parts.append(
            Markup('<p class="aside">{} beyond the axis, counted in its end bars.</p>').format(
                f"{outside:,} rows" if outside > 1 else "1 row"
            )
        )
    return Markup("").join(parts)


def correlations(labels: pd.DataFrame) -> list[list[Cell]]:
    """Pearson's r between all pairs of columns, over the rows in which both are finite."""
    finite = labels.astype(np.float64).replace([np.inf, -np.inf], np.nan)
    matrix = finite.corr(method="pearson", min_periods=2)
    return [
        [Cell(row, column, None if math.isnan(r := float(matrix.loc[row, column])) else r) for column in matrix.columns]
        for row in matrix.index
    ]


def _bar(first: float, last: float, height: int, span: tuple[float, float], tallest: int, boundary: bool) -> Markup:
    low, high = span
    x, width = 100 * (first - low) / (high - low), 100 * (last - first) / (high - low)
    tall = max(100 * height / tallest, 0.8)
    side = ("above" if first >= 0 else "below") if boundary else "plain"
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        side,
        f"{x + 0.06 * width:.3f}",
        f"{100 - tall:.3f}",
        f"{0.88 * width:.3f}",
        f"{tall:.3f}",
        escape(
            f"{wording.tick(_round(first))} to {wording.tick(_round(last))}: {height:,} row{'s' if height > 1 else ''}"
        ),
    )


def _edges(value_N: np.ndarray, boundary: bool) -> np.ndarray:
    """Edges at whole multiples of a round width; with a boundary, 0 is one of them."""
    low, high = float(value_N.min()), float(value_N.max())
    middle_low, middle_high = (float(q) for q in np.quantile(value_N, [0.005, 0.995]))
    reach = 0.5 * (middle_high - middle_low)
    low, high = max(low, middle_low - reach), min(high, middle_high + reach)
    if boundary:
        low, high = min(low, 0.0), max(high, 0.0)
    width = _round_step((high - low) / BARS) if high > low else max(abs(high), 1.0) / 10
    first, last = math.floor(low / width), math.ceil(high / width)
    if boundary:
        first, last = min(first, -1), max(last, 1)
    if last == first:
        last += 1
    return width * np.arange(first, last + 1)


def _ticks(low: float, high: float) -> list[float]:
    step = _round_step((high - low) / TICKS)
    inset = 0.02 * (high - low)
    first, last = math.ceil((low + inset) / step), math.floor((high - inset) / step)
    return [step * k for k in range(first, last + 1)]


def _round_step(width: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(power * lead for lead in (1, 2, 2.5, 5, 10) if power * lead >= width * (1 - 1e-9))


def _round(value: float) -> float:
    """Three digits are enough beside a bar."""
    return float(f"{value:.3g}")
