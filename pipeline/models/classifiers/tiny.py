"""Small random networks with the interface of the real ones: a pipeline can be tested with them in seconds, offline.

They look at pictures of any size and their scores vary from picture to picture; they recognise nothing.
"""

import hashlib

import torch
from torch import Tensor, nn

from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.crops import Crop
from pipeline.models.classifiers.family import Family

CROP = Crop(0.0, 0.0, 1.0, 1.0, 16, 16)
_UNITS = {"smile": 1.0, "male": 1.0, "old": 1.0, "eyeglasses": 1.0, "yaw": 10.0, "age_years": 10.0}


class TinyReader(nn.Module):
    """Two convolutions and a linear layer."""

    gives = tuple(_UNITS)

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                nn.Conv2d(3, 16, 3, stride=2, padding=1),
                nn.SiLU(),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.SiLU(),
            )
        head_FS = torch.randn(32 * 16, len(_UNITS), generator=generator)
        self.register_buffer("head", head_FS)
        self.requires_grad_(False)

    def forward(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> raw statistics, (N,) each."""
        raw_NS = self.body(CROP(x_N3HW)).flatten(1) @ self.head
        offsets = {"age_years": 30.0}
        return {s: raw_NS[:, i] * unit + offsets.get(s, 0.0) for i, (s, unit) in enumerate(_UNITS.items())}

    def digest(self) -> str:
        """Of its random weights."""
        digest = hashlib.sha256()
        for _, tensor in sorted(self.state_dict().items()):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def family(
    name: str,
    attributes: tuple[str, ...],
    measures: tuple[str, ...],
    seed: int,
    device: str | torch.device,
    differentiable: bool,
) -> Family:
    """A family of one tiny reader."""
    reader = TinyReader(seed)
    digests = {"tiny": reader.digest()}
    scales = {a: Scale(0.0, _UNITS[a]) for a in _UNITS}
    return Family(name, [reader.to(device)], scales, attributes, digests, differentiable, measures)
