"""fr-pose: head angles in bins of 3 degrees (Hopenet's head; 224 px, RGB, ImageNet's mean and deviation)."""

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import IMAGENET_MEAN, IMAGENET_STD, Crop, Pixels
from pipeline.models.classifiers.margins import expectation
from pipeline.models.classifiers.networks import Networks

CROP = Crop(0.12, -0.026, 0.89, 1.101, 224, 224)
BIN_DEGREES, FIRST_DEGREES = -3, 99  # the network's own sign is the opposite of ours


class HeadPose(nn.Module):
    """Logits of the bins of yaw."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("fr-pose", "yaw_logits")
        self.pixels = Pixels(IMAGENET_MEAN, IMAGENET_STD)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 66)."""
        return self.network(self.pixels(CROP(x_N3HW)))["yaw_logits"]


def yaw(logits_NK: Tensor) -> Tensor:
    """Degrees, (N,): the mean of the softmax over bins; positive where the face turns to the right of the picture."""
    return expectation(logits_NK, torch.arange(logits_NK.shape[1]) * BIN_DEGREES + FIRST_DEGREES)
