"""fr-expression: seven expressions of a face (DenseNet; 224 px, BGR 0..1).

The channel order is measured, not documented: see benchmarks/results/calibration.md.
"""

from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import log_odds
from pipeline.models.classifiers.networks import Networks

CROP = Crop.square(0.5, 0.55, 0.7, 224)
HAPPY = 3


class Expression(nn.Module):
    """Logits of seven expressions."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("fr-expression", "expression_logits")
        self.pixels = Pixels(order="bgr")

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 7)."""
        return self.network(self.pixels(CROP(x_N3HW)))["expression_logits"]


def smile(logits_NK: Tensor) -> Tensor:
    """Log-odds of happy against the six others, (N,)."""
    return log_odds(logits_NK, [HAPPY])
