"""faceres: gender and age of a face by one trunk (HSE-FaceRes, MobileNet; 224 px, RGB 0..255)."""

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import expectation, log_odds
from pipeline.models.classifiers.networks import Networks

CROP = Crop.square(0.5, 0.54, 0.8, 224)
OLD_YEARS = 40


class FaceRes(nn.Module):
    """A logit of gender (positive: male) and logits of the ages 0 to 99."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("faceres", "gender_logit", "age_logits")
        self.pixels = Pixels(std=(1 / 255,))

    def forward(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> gender_logit (N, 1), age_logits (N, 100)."""
        return self.network(self.pixels(CROP(x_N3HW)))


def male(out: dict[str, Tensor]) -> Tensor:
    """The logit of gender, (N,)."""
    return out["gender_logit"].flatten()


def old(out: dict[str, Tensor]) -> Tensor:
    """log p(age >= 40) - log p(age < 40), (N,): 0 where 40 is the median of the ages that the network thinks of."""
    return log_odds(out["age_logits"], range(OLD_YEARS, out["age_logits"].shape[1]))


def age_years(out: dict[str, Tensor]) -> Tensor:
    """Mean of the softmax over ages, (N,)."""
    return expectation(out["age_logits"], torch.arange(out["age_logits"].shape[1]))
