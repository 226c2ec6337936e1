"""In place of the detector and the landmarks in tests: faces are discs of one colour, and every face has equal points.

It knows no real face; a pipeline can be tested with it in seconds, offline.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label
from torch import Tensor

from pipeline.photos.detect import Boxes

COLOUR = (255, 0, 255)
NEAR = 60
LEAST_PIXELS = 4
DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def detect(image: Image.Image) -> tuple[Boxes, NDArray[np.float64]]:
    """The bounds of each patch of magenta, (N, 4), the widest first; the score falls with its distance from a disc."""
    apart = np.abs(np.asarray(image, dtype=np.int16) - COLOUR).max(axis=2)
    patches, _ = label(apart < NEAR)
    boxes, scores = [np.zeros((0, 4))], list[float]()
    for number, found in enumerate(find_objects(patches), 1):
        rows, columns = found
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if min(height, width) >= LEAST_PIXELS:
            boxes.append(np.array([[columns.start, rows.start, columns.stop, rows.stop]], dtype=np.float64))
            full = (patches[found] == number).mean()
            scores.append(float(np.clip(1 - abs(full - np.pi / 4), 0, 1)))
    together = np.concatenate(boxes)
    order = np.argsort(together[:, 0] - together[:, 2], kind="stable")
    return together[order], np.array(scores)[order]


class Discs:
    """The detector of the discs, which is sure of each whose middle is magenta."""

    def __call__(self, image: Image.Image) -> tuple[Boxes, NDArray[np.float64]]:
        """As `detect`."""
        return detect(image)

    def sure(self, square: Image.Image) -> float:
        """1 or 0."""
        middle = square.getpixel((square.width // 2, square.height // 2))
        return float(np.abs(np.array(middle, dtype=np.int16) - COLOUR).max() < NEAR)


def points(x_13HW: Tensor) -> Tensor:
    """(1, 3, H, W) -> (1, 68, 2): eyes and mouth where they are in FFHQ's pictures, the jaw around them."""
    turn = torch.linspace(np.pi, 0, 17)
    jaw = torch.stack([0.5 + 0.28 * torch.cos(turn), 0.45 + 0.42 * torch.sin(turn)], dim=1)
    places = torch.full((68, 2), 0.5)
    places[:17] = jaw
    places[17:27] = torch.stack([torch.linspace(0.3, 0.7, 10), torch.full((10,), 0.42)], dim=1)
    places[36:42], places[42:48] = torch.tensor([0.38, 0.48]), torch.tensor([0.62, 0.48])
    places[48:68] = torch.stack([torch.linspace(0.4, 0.6, 20), torch.full((20,), 0.72)], dim=1)
    places[54] = torch.tensor([0.6, 0.72])
    return places.expand(len(x_13HW), -1, -1)
