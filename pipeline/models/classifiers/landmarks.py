"""fr-landmark: 68 points of a face in iBUG's order (64 px, grey 0..255 / 256), and the yaw that they show."""

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.networks import Networks

CROP = Crop(0.22, 0.12, 0.79, 0.955, 64, 64)
"""The tight face box that the network expects: the median box of a face detector over generated faces."""

RIGHT_JAW, LEFT_JAW, NOSE_TIP = slice(0, 3), slice(14, 17), 30
"""The person's right jaw is on the picture's left."""
UPPER_LIP, LOWER_LIP, RIGHT_CORNER, LEFT_CORNER = slice(61, 64), slice(65, 68), 60, 64
"""Of the inner edge of the lips."""
MOUTH = tuple(range(48, 68))
"""The outer and the inner edge of the lips."""
AROUND_EYES = (0, 1, 15, 16, *range(17, 27), 29, *range(36, 48))
"""The ends of the jaw, brows, eyes and the middle of the nose's bridge: where eyeglasses are."""
HALF_WIDTH_OVER_DEPTH = 0.85
"""Half the width of the head at the ears over the depth from there to the tip of the nose."""


class Landmarks(nn.Module):
    """68 points: x and y as fractions of the picture."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("fr-landmark", "landmarks")
        self.pixels = Pixels(std=(256 / 255,), order="grey")

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 68, 2)."""
        box = torch.tensor([CROP.left, CROP.top, CROP.right, CROP.bottom], device=x_N3HW.device)
        in_box_N682 = self.network(self.pixels(CROP(x_N3HW)))["landmarks"].unflatten(1, (68, 2))
        return box[:2] + in_box_N682 * (box[2:] - box[:2])


def yaw(points_N682: Tensor) -> Tensor:
    """Degrees, (N,), positive where the face turns to the right of the picture, from the geometry of the points alone.

    The ends of the jaw lie at (+-a, 0) and the tip of the nose at (0, d), seen from far away. Turned by t the ends are
    seen at +-a cos t and the nose at d sin t: the nose is off the middle by (d / a) tan t half widths of the head.
    """
    right_N, left_N = (points_N682[:, jaw, 0].mean(1) for jaw in (RIGHT_JAW, LEFT_JAW))
    offset_N = (2 * points_N682[:, NOSE_TIP, 0] - left_N - right_N) / (left_N - right_N)
    return torch.atan(HALF_WIDTH_OVER_DEPTH * offset_N).rad2deg()


def mouth_open(points_N682: Tensor) -> Tensor:
    """How far apart the inner edges of the lips are, (N,), in widths of the mouth."""
    gap_N2 = points_N682[:, LOWER_LIP].mean(1) - points_N682[:, UPPER_LIP].mean(1)
    across_N2 = points_N682[:, LEFT_CORNER] - points_N682[:, RIGHT_CORNER]
    return gap_N2[:, 1] / across_N2.norm(dim=1)
