"""Lines over a common axis, as SVG with their intervals; geometry only, colours are in the style sheet.

Our own, so that reports follow the page's light or dark colours and no plotting library is needed to write one.
"""

import math
from collections.abc import Collection, Mapping

import pandas as pd
from markupsafe import Markup

from pipeline.report import wording

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 56, 44, 12, 12
COLOURS = 8
DOTTED = 40
"""Points of a line, at most, that are drawn as dots as well."""
TICKS = 6


def draw(lines: Mapping[str, pd.DataFrame], x: str, y: str, bold: Collection[str] = ()) -> Markup:
    """One picture of all lines, with a legend below; frames have the columns x, y and perhaps low, high.

    Points without a number are left out, and so is a line that has none but those; nothing is drawn where no line is
    left. `bold`: lines whose name is bold in the legend.
    """
    there = {name: frame.dropna(subset=["x", "y"]) for name, frame in lines.items()}
    places = {name: number % COLOURS for number, name in enumerate(lines)}
    lines = {name: frame for name, frame in there.items() if len(frame)}
    if not lines:
        return Markup('<p class="legend">No point to draw.</p>')
    points = pd.concat(lines.values())
    xs = Axis(points["x"].min(), points["x"].max(), LEFT, WIDTH - RIGHT)
    columns = [name for name in ("y", "low", "high") if name in points]
    ys = Axis(points[columns].min().min(), points[columns].max().max(), HEIGHT - BOTTOM, TOP)
    parts = [
        Markup('<div class="curves"><svg viewBox="0 0 {} {}" role="img" aria-label="{} over {}: {}">').format(
            WIDTH, HEIGHT, y, x, ", ".join(lines)
        )
    ]
    parts += [_tick_x(xs(value), value) for value in xs.ticks()]
    parts += [_tick_y(ys(value), value) for value in ys.ticks()]
    for name, frame in lines.items():
        parts.append(_line(frame.sort_values("x", kind="stable"), xs, ys, places[name]))
    parts.append(
        Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(WIDTH / 2, HEIGHT - 6, x)
    )
    parts.append(Markup("</svg><p class=legend>"))
    parts += [
        Markup('<span class="line-{}{}">{}</span> ').format(places[name], " bold" if name in bold else "", name)
        for name in lines
    ]
    parts.append(Markup("</p></div>"))
    return Markup("").join(parts)


class Axis:
    """From the values of one axis to places on the picture."""

    def __init__(self, low: float, high: float, start: float, stop: float) -> None:
        if not high > low:
            low, high = low - 0.5, high + 0.5
        self._low, self._high, self._start, self._stop = float(low), float(high), start, stop

    def __call__(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(self._start + share * (self._stop - self._start), 2)

    def ticks(self) -> list[float]:
        """Round values inside the axis, about `TICKS` of them."""
        width = (self._high - self._low) / TICKS
        power = 10.0 ** math.floor(math.log10(width))
        step = next(power * lead for lead in (1, 2, 2.5, 5, 10) if power * lead >= width * (1 - 1e-9))
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        return [round(step * k, 12) for k in range(first, last + 1)]


def _line(frame: pd.DataFrame, xs: Axis, ys: Axis, colour: int) -> Markup:
    path = " ".join(f"{xs(x)},{ys(y)}" for x, y in zip(frame["x"], frame["y"], strict=True))
    drawn = Markup('<polyline class="line-{}" points="{}"/>').format(colour, path)
    drawn += Markup("").join(
        Markup('<circle class="line-{}" cx="{}" cy="{}" r="3"/>').format(colour, xs(x), ys(y))
        for x, y in zip(frame["x"], frame["y"], strict=True)
        if len(frame) <= DOTTED
    )
    if {"low", "high"} <= set(frame):
        there = [f"{xs(x)},{ys(value)}" for x, value in zip(frame["x"], frame["high"], strict=True)]
        back = [f"{xs(x)},{ys(value)}" for x, value in zip(frame["x"], frame["low"], strict=True)]
        band = " ".join([*there, *reversed(back)])
        drawn = Markup('<polygon class="band line-{}" points="{}"/>').format(colour, band) + drawn
    return drawn


def _tick_x(place: float, value: float) -> Markup:
    line = Markup('<line class="rule" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(place, TOP, HEIGHT - BOTTOM)
    return line + Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
        place, HEIGHT - BOTTOM + 16, wording.tick(value)
    )


def _tick_y(place: float, value: float) -> Markup:
    line = Markup('<line class="rule" x1="{1}" x2="{2}" y1="{0}" y2="{0}"/>').format(place, LEFT, WIDTH - RIGHT)
    return line + Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
        LEFT - 6, place + 4, wording.tick(value)
    )
