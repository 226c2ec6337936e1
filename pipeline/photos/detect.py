"""fr-detect: boxes of faces in a photo of any size, by a network that sees 320 x 240 pixels.

The photo is looked at as a whole and again enlarged, in tiles that overlap, so that small faces are large enough; of
boxes that lie on each other the surest is kept.

Shapes: N boxes: left, top, right, bottom, where pixel i covers [i, i + 1].
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline.models.classifiers.crops import Pixels
from pipeline.models.classifiers.landmarks import CROP
from pipeline.models.classifiers.networks import Networks
from pipeline.photos.frame import as_tensor

WIDTH, HEIGHT = 320, 240
LEAST_SCORE = 0.5
"""Below it boxes are not looked at; the quality gate asks for more."""
ZOOMS = (1.0, 2.0)
"""1 is the whole photo, fitted into the network's input; at other zooms its longer side is so many widths of that."""
OVERLAP = 0.3
"""Of a tile with the next, in its sides: a face of that size is whole in one of them."""
LARGEST_IN_TILE = 0.6
"""Of a tile's height, where the photo is enlarged: a larger face is seen better at the zoom before."""
SAME_FACE = 0.4
"""Boxes that have more of their union in common are of one face."""
WITHIN, NEARLY = 0.7, 0.9
"""A box with more than so much of itself in a larger one is a part of that face, if the larger one's score is so much
of its own or more."""
ASIDE, THERE = (WIDTH - HEIGHT) // 2, 0.5
"""Where an aligned picture lies in a tile, and how much of their union a box has in common with where faces are."""
EDGE = 2.0
"""Pixels of the network's input: a box that ends so near the edge of a tile, within the photo, may be cut by it."""

Boxes = NDArray[np.float64]


class Detector:
    """Boxes and their scores. digests: of its network, by name."""

    def __init__(self, networks: Networks) -> None:
        self.network = networks.program("fr-detect", "boxes", "scores")
        self.pixels = Pixels((127 / 255,), (128 / 255,)).to(networks.device)
        self.device = networks.device

    @torch.no_grad()
    def __call__(self, image: Image.Image, zooms: tuple[float, ...] = ZOOMS) -> tuple[Boxes, NDArray[np.float64]]:
        """(N, 4) and (N,) of the faces of an RGB picture, the surest first, none twice."""
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        for zoom in zooms:
            for first, scale, tile in tiles(image, zoom):
                found, its = self._in_tile(tile)
                good = ~_cut(found, first, scale, image.size)
                if zoom > 1:
                    good &= found[:, 3] - found[:, 1] <= LARGEST_IN_TILE * HEIGHT
                boxes.append(found[good] / np.tile(scale, 2) + np.tile(first, 2))
                scores.append(its[good])
        return suppressed(np.concatenate(boxes), np.concatenate(scores))

    @torch.no_grad()
    def sure(self, square: Image.Image) -> float:
        """The score, 0 to 1, of a face in an aligned picture where aligned faces are; 0 where the network sees none."""
        tile = Image.new("RGB", (WIDTH, HEIGHT))
        tile.paste(square.resize((HEIGHT, HEIGHT), Image.Resampling.BILINEAR), (ASIDE, 0))
        boxes, scores = self._seen(tile)
        wanted = np.array([CROP.left, CROP.top, CROP.right, CROP.bottom]) * HEIGHT + (ASIDE, 0, ASIDE, 0)
        common = _in_common(boxes, wanted)
        there = common > THERE * (_areas(boxes) + _areas(wanted) - common)
        return float(scores[there].max(initial=0.0))

    def _in_tile(self, tile: Image.Image) -> tuple[Boxes, NDArray[np.float64]]:
        boxes, scores = self._seen(tile)
        return suppressed(boxes[scores >= LEAST_SCORE], scores[scores >= LEAST_SCORE])

    def _seen(self, tile: Image.Image) -> tuple[Boxes, NDArray[np.float64]]:
        """All boxes of the network, in pixels of the tile, and their scores."""
        out = self.network(self.pixels(as_tensor(tile).to(self.device)))
        boxes = out["boxes"][0].double().cpu().numpy() * (WIDTH, HEIGHT, WIDTH, HEIGHT)
        return boxes, out["scores"][0, :, 1].double().cpu().numpy()


def tiles(image: Image.Image, zoom: float) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], Image.Image]]:
    """The picture in pieces of the network's size: where each begins, the scale of its axes, and itself.

    At zoom 1 the whole picture is one piece. A piece may be black beyond the picture.
    """
    whole = min(WIDTH / image.width, HEIGHT / image.height)
    fits = whole if zoom == 1 else zoom * WIDTH / max(image.size)
    size = (max(1, round(image.width * fits)), max(1, round(image.height * fits)))
    scale = np.array(size) / image.size
    method = Image.Resampling.BILINEAR if fits > 1 else Image.Resampling.BOX
    small = image.resize(size, method, reducing_gap=None)
    for top in _starts(size[1], HEIGHT):
        for left in _starts(size[0], WIDTH):
            yield np.array([left, top]) / scale, scale, small.crop((left, top, left + WIDTH, top + HEIGHT))


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin, evenly, each overlapping the next by `OVERLAP` or more; one where all fits."""
    if length <= tile:
        return [0]
    count = 1 + int(np.ceil((length - tile) / (tile * (1 - OVERLAP))))
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _cut(
    boxes: Boxes, first: NDArray[np.float64], scale: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes of a tile end at an edge of it that is none of the photo: the next tile sees them whole."""
    ends = np.rint(first + np.array([WIDTH, HEIGHT]) / scale).astype(int)
    cut = np.zeros(len(boxes), dtype=bool)
    for axis, length in enumerate((WIDTH, HEIGHT)):
        if first[axis] > 0:
            cut |= boxes[:, axis] < EDGE
        if ends[axis] < size[axis]:
            cut |= boxes[:, axis + 2] > length - EDGE
    return cut


def suppressed(boxes: Boxes, scores: NDArray[np.float64]) -> tuple[Boxes, NDArray[np.float64]]:
    """Of boxes on one face the one of the highest score (non-maximum suppression), and of these none that is a part of
    a larger one; in falling order of scores.

    Equal scores go by the boxes themselves, so that the result depends on no order.
    """
    surest: list[int] = []
    for place in np.lexsort((*boxes.T, -scores)).tolist():
        areas, common = _areas(boxes[surest]), _in_common(boxes[surest], boxes[place])
        if not (common > SAME_FACE * (areas + _areas(boxes[place]) - common)).any():
            surest.append(place)
    boxes, scores = boxes[surest], scores[surest]
    areas = _areas(boxes)
    part = np.array(
        [
            ((_in_common(boxes, box) > WITHIN * area) & (areas > area) & (scores >= NEARLY * score)).any()
            for box, area, score in zip(boxes, areas, scores, strict=True)
        ],
        dtype=bool,
    )
    return boxes[~part], scores[~part]


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def _in_common(boxes: Boxes, box: Boxes) -> NDArray[np.float64]:
    """Of each of the boxes with this one."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=1))
