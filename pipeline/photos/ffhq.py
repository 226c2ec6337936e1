"""The alignment of FFHQ: from 68 points of a face to the square that is cut out, turned upright and scaled.

Karras et al., A Style-Based Generator Architecture for Generative Adversarial Networks, CVPR 2019, appendix A; the
order of its steps and their roundings are those of the script that made the data set, since generators learned its
pictures.

Points are in pixels of the photo, x before y, and pixel i has its centre at i, as dlib counts. A quad is the corners of
the square in the order top left, bottom left, bottom right, top right, of the aligned picture.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

RIGHT_EYE, LEFT_EYE, MOUTH_RIGHT, MOUTH_LEFT = slice(36, 42), slice(42, 48), 48, 54
"""The person's right eye is on the picture's left. iBUG's order, from 0."""
BY_EYES, BY_MOUTH = 2.0, 1.8
"""Half the side of the square is so many distances of the eyes, or from the eyes to the mouth: the larger of both."""
DOWN = 0.1
"""So much of the way from the eyes to the mouth the square's centre lies below the eyes."""
SIZE, SUPERSAMPLING, MOST_SAMPLES = 1024, 4, 4096
BORDER, LEAST_BORDER, PAD, BLUR = 0.1, 3, 0.3, 0.02
"""In sides of the square; the least border in pixels."""


def quad_of(points_682: NDArray[np.floating]) -> NDArray[np.float64]:
    """The corners (4, 2) of the square that FFHQ's alignment cuts out of a face with these points (68, 2); not finite
    where eyes and mouth fall together.
    """
    points_682 = np.asarray(points_682, dtype=np.float64)
    right, left = points_682[RIGHT_EYE].mean(0), points_682[LEFT_EYE].mean(0)
    mouth = (points_682[MOUTH_RIGHT] + points_682[MOUTH_LEFT]) / 2
    eyes = (right + left) / 2
    across, down = left - right, mouth - eyes
    turned = np.array([down[1], -down[0]])
    x = across + turned
    with np.errstate(divide="ignore", invalid="ignore"):
        x *= max(BY_EYES * np.hypot(*across), BY_MOUTH * np.hypot(*down)) / np.hypot(*x)
    y = np.array([-x[1], x[0]])
    centre = eyes + DOWN * down
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def side_of(quad_42: NDArray[np.float64]) -> float:
    """The side of the square, in pixels of the photo."""
    return float(np.hypot(*(quad_42[3] - quad_42[0])))


def roll_of(quad_42: NDArray[np.float64]) -> float:
    """How far the face is turned in the picture, in degrees, positive clockwise."""
    return float(np.degrees(np.arctan2(*(quad_42[3] - quad_42[0])[::-1])))


def aligned(
    photo_HW3: NDArray[np.uint8],
    quad_42: NDArray[np.float64],
    size: int = SIZE,
) -> NDArray[np.uint8]:
    """The square of the photo as a picture of `size` pixels a side, (size, size, 3).

    What lies beyond the photo is its reflection, blurred and faded to the median colour. The square is sampled
    bilinearly at four times as many pixels a side, at most 4096 as for FFHQ, and then reduced. A square with no pixel
    of the photo in it has none to reflect: ask `covered` before.
    """
    image, quad = Image.fromarray(photo_HW3), np.array(quad_42, dtype=np.float64)
    side = side_of(quad)
    if (shrink := int(side / size / 2)) > 1:
        reduced = (round(image.width / shrink), round(image.height / shrink))
        image = image.resize(reduced, Image.Resampling.LANCZOS)
        quad, side = quad / shrink, side / shrink
    border = max(round(side * BORDER), LEAST_BORDER)
    low, high = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    first = np.maximum(low - border, 0)
    image = image.crop((*first.tolist(), *np.minimum(high + border, image.size).tolist()))
    quad -= first
    low, high = low - first, high - first
    before, after = np.maximum(border - low, 0), np.maximum(high + border - image.size, 0)
    if max(*before, *after) > border - 4:
        least = round(side * PAD)
        before, after = np.maximum(before, least), np.maximum(after, least)
        image = _padded(np.asarray(image), before, after, side * BLUR)
        quad += before
    corners = (quad + 0.5).ravel().tolist()
    samples = min(size * SUPERSAMPLING, MOST_SAMPLES)
    picture = image.transform((samples, samples), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))


def covered(shape_HW: tuple[int, int], quad_42: NDArray[np.float64]) -> float:
    """Which share of the square lies within the photo, on a grid of 64 x 64 places."""
    steps = (np.arange(64) + 0.5) / 64
    across, down = quad_42[3] - quad_42[0], quad_42[1] - quad_42[0]
    places = quad_42[0] + steps[:, None, None] * across + steps[None, :, None] * down + 0.5
    inside = (places >= 0) & (places <= np.array(shape_HW)[::-1])
    return float(inside.all(axis=2).mean())


def _padded(
    pixels_HW3: NDArray[np.uint8], before: NDArray[np.int64], after: NDArray[np.int64], blur: float
) -> Image.Image:
    """Reflected beyond its edges; blurred there, and farther out faded to the median colour."""
    widths = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    padded = np.pad(pixels_HW3.astype(np.float32), widths, mode="reflect")
    height, width = padded.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    beyond_x = 1 - np.minimum(x / before[0], x[::-1] / after[0])
    beyond_y = 1 - np.minimum(y / before[1], y[::-1] / after[1])
    beyond_HW1 = np.maximum(beyond_x[None, :], beyond_y[:, None])[..., None]  # 1 at the far edge, 0 at the photo's
    padded += (gaussian_filter(padded, (blur, blur, 0)) - padded) * np.clip(3 * beyond_HW1 + 1, 0, 1)
    padded += (np.median(padded, axis=(0, 1)) - padded) * np.clip(beyond_HW1, 0, 1)
    return Image.fromarray(np.clip(np.rint(padded), 0, 255).astype(np.uint8))
