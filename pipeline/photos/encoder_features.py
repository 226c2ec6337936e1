"""What an encoder reads of an aligned picture: frozen networks' features on a coarse grid, and the colours themselves.

Shapes: N rows, F features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from pipeline.errors import SpecError
from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.features import FaceEmbedding, Features, Known, TinyFeatures
from pipeline.models.classifiers.identity import Identity
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import at_size
from pipeline.models.classifiers.perceptual import AlexNet

COLOURS = 24
PARSED, PARSED_GRID = 192, 12
TRUNK, TRUNK_STAGES, TRUNK_GRID = 128, (0, 2), 4
"""Small pictures and coarse grids: a picture takes as long as its networks, and the head has a row for each number."""


def whole(pixels: int) -> Crop:
    """The whole picture at another size."""
    return Crop(0.0, 0.0, 1.0, 1.0, pixels, pixels)


class Colours(nn.Module):
    """The picture itself at 24 px: pose, hair, background and light are nearly linear in it."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 1728)."""
        return whole(COLOURS)(x_N3HW).flatten(1)


class Parts(nn.Module):
    """The face parser's logits of 19 classes, seen at 192 px, as means over 12 x 12 parts of the picture."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = at_size(networks.program("bisenet-celebamask", "parsing_logits"), PARSED)
        self.pixels = Pixels((0.5,), (0.5,))

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 2736)."""
        logits_N19hw = self.network(self.pixels(whole(PARSED)(x_N3HW)))["parsing_logits"]
        return adaptive_avg_pool2d(logits_N19hw, PARSED_GRID).flatten(1)


class Trunk(nn.Module):
    """AlexNet of the perceptual distance at 128 px: means of two stages' channels over 4 x 4 parts of the picture."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = AlexNet(networks.tensors("stlpips-alex"))

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 7168)."""
        stages = self.network(whole(TRUNK)(x_N3HW))
        return torch.cat([adaptive_avg_pool2d(stages[one], TRUNK_GRID).flatten(1) for one in TRUNK_STAGES], dim=1)


class Person(nn.Module):
    """Whose face it is, by fr-feature, and the 68 points by which that aligns it."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.identity = Identity(networks)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 648)."""
        return torch.cat([self.identity(x_N3HW), self.identity.landmarks(x_N3HW).flatten(1)], dim=1)


FEATURES: Known = {
    "colours": Colours,
    "parts": Parts,
    "trunk": Trunk,
    "face": FaceEmbedding,
    "person": Person,
    "tiny": TinyFeatures,
}
USUAL = ("colours", "parts", "trunk", "face", "person")


class PictureFeatures(Features):
    """Several of FEATURES, one behind the other. names: of them. widths: F of each.

    Raises:
        SpecError: there are no features of a name, or a name is given twice.
        ModelFileError: a network has not been pulled, or is damaged.
    """

    def __init__(self, names: Sequence[str], device: str | torch.device = "cpu") -> None:
        if unknown := [name for name in names if name not in FEATURES]:
            raise SpecError(f"there are no features {unknown[0]!r}: choose among {', '.join(FEATURES)}")
        if not names or len({*names}) < len(names):
            raise SpecError(f"features {','.join(names)}: name at least one, and each once")
        super().__init__(names, device, FEATURES)
        self.names = tuple(names)
        blank_13HW = torch.zeros(1, 3, TRUNK, TRUNK, device=device)
        with torch.no_grad():
            self.widths = tuple(one(blank_13HW).shape[1] for one in self.each)
