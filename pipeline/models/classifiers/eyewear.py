"""The judge's eyeglasses: a linear probe on frozen VGG16 features of the eye region.

The features never saw a label of ours; the probe was fitted by `python -m benchmarks.calibrate probe` on the parser's
confident labels of other faces than those that calibrate. So the judge shares with the family `faces` what the parser
taught it, and no weight.

Shapes: N rows, F features.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.perceptual import Vgg16

CROP = Crop(0.20, 0.38, 0.80, 0.60, 64, 176)
STAGES = 4
FILE = Path(__file__).with_name("eyewear_probe.npy")
"""F weights, then the intercept; float32."""


class EyeRegion(nn.Module):
    """VGG16 features of the eye region: mean and maximum over places of the fourth stage's channels."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.trunk = Vgg16(networks.tensors("stlpips-vgg"), STAGES)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, F)."""
        last_NChw = self.trunk(CROP(x_N3HW))[-1].flatten(2)
        return torch.cat([last_NChw.mean(2), last_NChw.amax(2)], dim=1)


class Eyewear(nn.Module):
    """How surely there are eyeglasses: signed distance from the probe's plane, in margins of its fit."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.features = EyeRegion(networks)
        networks.digests["eyewear-probe"] = hashlib.sha256(FILE.read_bytes()).hexdigest()
        weight_and_intercept = torch.from_numpy(np.load(FILE, allow_pickle=False))
        self.register_buffer("weight", weight_and_intercept[:-1])
        self.register_buffer("intercept", weight_and_intercept[-1])

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N,)."""
        return self.features(x_N3HW) @ self.weight + self.intercept
