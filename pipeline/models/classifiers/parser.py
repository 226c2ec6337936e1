"""bisenet-celebamask: the face parser, 19 classes (BiSeNet V2; 448 px, RGB -1..1).

Shapes: N rows, 19 classes, H and W the picture's pixels, h and w those of the network's own map.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import interpolate

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import log_odds, soft_maximum
from pipeline.models.classifiers.networks import Networks

CLASSES = (
    "background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "eyeglasses", "left_ear", "right_ear",
    "ear_ring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
"""In the order of CelebAMask-HQ, checked by eye. Of a pair, "left" is mostly on the picture's left; in some faces the
network swaps the two, so add a pair's masks where the side matters."""

CROP = Crop(0.0, 0.0, 1.0, 1.0, 448, 448)
EYES = (0.20, 0.38, 0.80, 0.60)
"""Left, top, right, bottom of the region where eyeglasses are looked for, as fractions of the picture."""
TEMPERATURE = 1.0


class Parsed(NamedTuple):
    """A picture and where its parts are. picture: (N, 3, H, W) in [-1, 1]; logits: (N, 19, h, w) of CLASSES."""

    picture: Tensor
    logits: Tensor


class Parser(nn.Module):
    """Where the parts of a face are."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("bisenet-celebamask", "parsing_logits")
        self.pixels = Pixels((0.5,), (0.5,))

    def logits(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, 56, 56), before the softmax, at the network's own resolution."""
        return self.network(self.pixels(CROP(x_N3HW)))["parsing_logits"]

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities, in the order of CLASSES."""
        logits_N19hw = self.logits(x_N3HW)
        return interpolate(logits_N19hw, size=x_N3HW.shape[2:], mode="bilinear", align_corners=False).softmax(1)

    def forward(self, x_N3HW: Tensor) -> Parsed:
        """(N, 3, H, W) in [-1, 1] -> what statistics of parts and of their colours are taken from."""
        return Parsed(x_N3HW, self.logits(x_N3HW))


def eyeglasses(parsed: Parsed) -> Tensor:
    """How surely there are eyeglasses, (N,): a soft maximum of their log-odds over the eye region."""
    height, width = parsed.logits.shape[2:]
    left, top, right, bottom = EYES
    region = parsed.logits[
        :, :, round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ]
    return soft_maximum(log_odds(region, [CLASSES.index("eyeglasses")]).flatten(1), TEMPERATURE)
