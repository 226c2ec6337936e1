"""Matrices of cosines and correlations as one picture: blue below 0, red above, the number in each cell."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.contact_sheet import INK, PAPER

COOL, WARM, LIGHT = (58, 108, 176), (186, 62, 48), (255, 255, 255)
CELL, GAP, SIZE = 76, 28, 20
DARK = 0.6
"""From this magnitude on, the number is written light on dark."""

Matrix = tuple[Sequence[str], NDArray[np.floating]]


def heat_maps(matrices: Mapping[str, Matrix]) -> bytes:
    """A PNG of the matrices side by side. title -> (K names, (K, K) numbers in [-1, 1])."""
    panels = [_panel(title, names, values) for title, (names, values) in matrices.items()]
    sheet = Image.new("RGB", (sum(p.width for p in panels), max(p.height for p in panels)), PAPER)
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def shade(value: float) -> tuple[int, int, int]:
    """The colour of a number in [-1, 1]: paper at 0."""
    strength, full = min(1.0, abs(value)), WARM if value >= 0 else COOL
    red, green, blue = (round(paper + strength * (ink - paper)) for paper, ink in zip(PAPER, full, strict=True))
    return red, green, blue


def _panel(title: str, names: Sequence[str], values: NDArray[np.floating]) -> Image.Image:
    font, heading = ImageFont.load_default(size=SIZE), ImageFont.load_default(size=SIZE + 4)
    margin = round(max(font.getlength(name) for name in names)) + GAP
    top = GAP + 2 * SIZE
    width = max(margin + CELL * len(names) + 2 * GAP, round(heading.getlength(title)) + 2 * GAP)
    panel = Image.new("RGB", (width, top + margin + CELL * len(names) + GAP), PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((GAP, GAP), title, fill=INK, font=heading)
    for row, name in enumerate(names):
        middle = top + margin + CELL * row + CELL // 2
        draw.text((GAP + margin - 10, middle), name, fill=INK, font=font, anchor="rm")
        _upright(panel, name, font, GAP + margin + CELL * row + CELL // 2, top + margin - 10)
        for column, value in enumerate(values[row]):
            left, above = GAP + margin + CELL * column, top + margin + CELL * row
            draw.rectangle((left + 1, above + 1, left + CELL - 2, above + CELL - 2), fill=shade(value))
            ink = LIGHT if abs(value) >= DARK else INK
            draw.text((left + CELL // 2, middle), f"{value:.2f}", fill=ink, font=font, anchor="mm")
    return panel


def _upright(
    panel: Image.Image, name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, middle: int, bottom: int
) -> None:
    """The name of a column, read from below."""
    label = Image.new("RGB", (round(font.getlength(name)) + 2, SIZE + 8), PAPER)
    ImageDraw.Draw(label).text((1, SIZE // 2 + 4), name, fill=INK, font=font, anchor="lm")
    turned = label.rotate(90, expand=True)
    panel.paste(turned, (middle - turned.width // 2, bottom - turned.height))
