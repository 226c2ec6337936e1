"""Photos for the tiny finder, whose faces are magenta discs."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.photos.tiny import COLOUR

SIZE = (200, 150)
GREEN = (30, 120, 60)


def photo(*discs: tuple[float, float, float], size: tuple[int, int] = SIZE) -> Image.Image:
    """A green picture with discs: x, y and radius of each, in pixels."""
    image = Image.new("RGB", size, GREEN)
    for x, y, radius in discs:
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLOUR)
    return image


def discs(folder: str, count: int = 5) -> None:
    """So many photos in a folder, some with two faces."""
    random = np.random.default_rng(3)
    for number in range(count):
        path = Path(folder) / f"album {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        x, y = random.uniform(40, 60), random.uniform(50, 100)
        faces = [(x, y, 30.0), (x + 90, y, 20.0)][: 1 + number % 2]
        photo(*faces).save(path)
