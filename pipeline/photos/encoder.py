"""An encoder: from an aligned picture to the latent of which a generator would make it, in one look.

It reads frozen features of the picture (encoder_features.py) and is linear in them, of a limited rank. What it learned
from are the generator's own pictures, of which the latents are known.

Shapes: N rows, F features, R rank, L layers (num_ws), W w_dim.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pipeline.errors import ModelFileError
from pipeline.photos.encoder_features import PictureFeatures

TENSORS = ("mean", "scale", "down", "up", "intercept")
"""mean (F), scale (F): of the features; down (F, R), up (R, W), intercept (W): w = ((f - mean) scale) down up +
intercept."""


class Encoder(nn.Module):
    """Codes of pictures.

    digests: of the networks whose features it reads, by name. num_ws: L.

    Args:
        features: names of what it reads, in order.
        tensors: those of TENSORS.
        num_ws: of the generator.

    Raises:
        SpecError: there are no features of a name.
        ModelFileError: a tensor is missing or has another shape, or a network has not been pulled.
    """

    def __init__(
        self, features: Sequence[str], tensors: Mapping[str, Tensor], num_ws: int, device: str | torch.device = "cpu"
    ) -> None:
        super().__init__()
        self.features = PictureFeatures(features, device)
        self.digests, self.num_ws = self.features.digests, num_ws
        _check(tensors, sum(self.features.widths))
        for name in TENSORS:
            self.register_buffer(name, tensors[name].to(device, torch.float32))

    @torch.no_grad()
    def encode(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], aligned as the faces of FFHQ, of 256 pixels or more -> codes in w+ (N, L, W), the
        rows of each the same."""
        return self.head(self.features(x_N3HW)).unsqueeze(1).repeat(1, self.num_ws, 1)

    def head(self, f_NF: Tensor) -> Tensor:
        """(N, F) -> w (N, W)."""
        mean, scale, down, up, intercept = (self.get_buffer(name) for name in TENSORS)
        w_NW: Tensor = ((f_NF - mean) * scale) @ down @ up + intercept
        return w_NW


def _check(tensors: Mapping[str, Tensor], features: int) -> None:
    """Raise ModelFileError where these are not an encoder's tensors."""
    if missing := [name for name in TENSORS if name not in tensors]:
        raise ModelFileError(f"an encoder without the tensor {missing[0]}: train it again")
    rank, width = (tensors["up"].shape[axis] if tensors["up"].dim() == 2 else 0 for axis in (0, 1))
    wanted = {"mean": (features,), "scale": (features,), "down": (features, rank), "up": (rank, width),
              "intercept": (width,)}  # fmt: skip
    for name, shape in wanted.items():
        if (found := tuple(tensors[name].shape)) != shape:
            raise ModelFileError(f"the tensor {name} of the encoder has the shape {found}, not {shape}: train it again")
