"""fr-age and fr-gender: SSR-Net, a soft regression in three stages (64 px, BGR, ImageNet's mean and deviation).

The channel order is measured, not documented: see benchmarks/results/calibration.md.
Their output is a number and not a softmax, so there is no logit to take: years, and a gender between about 0 and 1.
"""

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import IMAGENET_MEAN, IMAGENET_STD, Crop, Pixels
from pipeline.models.classifiers.networks import Networks

CROP = Crop.square(0.5, 0.46, 1.0, 64)
AGE_CROPS = (CROP, Crop.square(0.5, 0.46, 1.1, 64))
BINS = 3
OUTPUTS = [f"{part}_{stage}" for part in ("stage", "delta", "offset") for stage in (1, 2, 3)]


def regress(out: dict[str, Tensor]) -> Tensor:
    """Value in [0, 1] or a little outside, (N,): the sum over stages of the mean bin times its width.

    Yang et al., "SSR-Net", IJCAI 2018, equations 2 to 5: a stage has bin weights (N, 3), shifts of the bins (N, 3), and
    a factor (N, 1) by which its bins are narrower.
    """
    value_N1, width_N1 = torch.zeros_like(out["delta_1"]), torch.ones_like(out["delta_1"])
    for stage in (1, 2, 3):
        weights_NK, offsets_NK = out[f"stage_{stage}"], out[f"offset_{stage}"]
        width_N1 = width_N1 * BINS * (1 + out[f"delta_{stage}"])
        bins_NK = torch.arange(BINS, device=weights_NK.device) + offsets_NK
        value_N1 = value_N1 + (weights_NK * bins_NK).sum(1, keepdim=True) / width_N1
    return value_N1.flatten()


class SsrGender(nn.Module):
    """Gender, from about 0 (female) to about 1 (male)."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("fr-gender", *OUTPUTS)
        self.pixels = Pixels(IMAGENET_MEAN, IMAGENET_STD, "bgr")

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N,)."""
        return regress(self.network(self.pixels(CROP(x_N3HW))))


class SsrAge(nn.Module):
    """Age in years: the mean of what the network says of the two boxes of AGE_CROPS and of their mirror images.

    One view of 64 px is a noisy age: those of a face and of its mirror image correlate by 0.88.
    """

    YEARS = 101

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("fr-age", *OUTPUTS)
        self.pixels = Pixels(IMAGENET_MEAN, IMAGENET_STD, "bgr")

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N,)."""
        crops = [crop(x_N3HW) for crop in AGE_CROPS]
        views = torch.cat([*crops, *(crop.flip(3) for crop in crops)])
        return self.YEARS * regress(self.network(self.pixels(views))).view(-1, len(x_N3HW)).mean(0)
