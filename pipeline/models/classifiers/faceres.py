"""faceres: gender and age of a face by one trunk (HSE-FaceRes, MobileNet; 224 px, RGB 0..255)."""

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import expectation, log_odds
from pipeline.models.classifiers.networks import Networks

CROP = Crop.square(0.5, 0.54, 0.8, 224)
OLD_YEARS = 40
"""`old` is log p(age >= 40) - log p(age < 40): 0 where 40 is the median of the ages that the network thinks of."""


class FaceRes(nn.Module):
    """`male`: the gender logit. `old`: log-odds of 40 years or more. `age_years`: mean of the softmax over 0..99."""

    gives = ("male", "old", "age_years")

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("faceres", "gender_logit", "age_logits")
        self.pixels = Pixels(std=(1 / 255,))

    def forward(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> raw statistics, (N,) each."""
        out = self.network(self.pixels(CROP(x_N3HW)))
        ages_K = torch.arange(out["age_logits"].shape[1])
        return {
            "male": out["gender_logit"].flatten(),
            "old": log_odds(out["age_logits"], range(OLD_YEARS, len(ages_K))),
            "age_years": expectation(out["age_logits"], ages_K),
        }
