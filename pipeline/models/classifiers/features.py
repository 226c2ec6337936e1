"""What the networks at hand see of a face before they name anything: frozen features, for a linear head of one's own.

Shapes: N rows, F features.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline.models.classifiers import tiny
from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.faceres import CROP as FACE
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.perceptual import Vgg16

WHOLE = Crop(0.0, 0.0, 1.0, 1.0, 128, 128)
STAGES = 4
THIRDS = 3
"""Features of VGG16 are taken in 3 x 3 parts of the picture, since faces are aligned: a beard is not where hair is."""


class FaceEmbedding(nn.Module):
    """faceres: the 1024 numbers from which it tells gender and age."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("faceres", "embedding")
        self.pixels = Pixels(std=(1 / 255,))

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 1024)."""
        return self.network(self.pixels(FACE(x_N3HW)))["embedding"].flatten(1)


class VggParts(nn.Module):
    """VGG16 on ImageNet: means of the fourth stage's 512 channels over nine parts of the whole picture at 128 px."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.trunk = Vgg16(networks.tensors("stlpips-vgg"), STAGES)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 4608)."""
        last_NChw = self.trunk(WHOLE(x_N3HW))[-1]
        return nn.functional.adaptive_avg_pool2d(last_NChw, THIRDS).flatten(1)


class TinyFeatures(nn.Module):
    """Of the random network that tests use, which recognises nothing."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.reader = tiny.TinyReader(tiny.SEEDS["tiny"], networks)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 512)."""
        seen: tiny.Seen = self.reader(x_N3HW)
        return seen.features


Known = Mapping[str, Callable[[Networks], nn.Module]]
"""By name. Each gives (N, F) of pictures (N, 3, H, W) in [-1, 1]."""
FEATURES: Known = {
    "faceres": FaceEmbedding,
    "vgg": VggParts,
    "tiny": TinyFeatures,
}


class Features(nn.Module):
    """Several, one behind the other. digests: of their networks, by name. known: those that there are."""

    def __init__(self, names: Sequence[str], device: str | torch.device = "cpu", known: Known = FEATURES) -> None:
        super().__init__()
        networks = Networks(device)
        self.each = nn.ModuleList(known[name](networks) for name in names).to(device).eval()
        self.digests = dict(networks.digests)

    @torch.no_grad()
    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, F), float32."""
        return torch.cat([one(x_N3HW).float() for one in self.each], dim=1)
