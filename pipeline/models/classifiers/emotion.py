"""emotion: seven emotions of a face (mini-Xception; 64 px, grey -1..1)."""

from torch import Tensor, nn

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.margins import log_odds
from pipeline.models.classifiers.networks import Networks

CROP = Crop.square(0.5, 0.54, 0.65, 64)
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class Emotion(nn.Module):
    """Logits of EMOTIONS."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.program("emotion", "emotion_logits")
        self.pixels = Pixels((0.5,), (0.5,), "grey")

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 7)."""
        return self.network(self.pixels(CROP(x_N3HW)))["emotion_logits"]


def smile(logits_NK: Tensor) -> Tensor:
    """Log-odds of happy against the six others, (N,)."""
    return log_odds(logits_NK, [EMOTIONS.index("happy")])
