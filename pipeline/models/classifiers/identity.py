"""fr-feature: whose face it is, as a unit vector (112 px, aligned on five landmarks, (0..255 - 127) / 128).

Shapes: N rows, P = 5 points, E = 512 numbers of an embedding.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, normalize

from pipeline.models.classifiers.crops import Crop, Pixels
from pipeline.models.classifiers.landmarks import Landmarks
from pipeline.models.classifiers.networks import Networks

NETWORKS = ("fr-feature", "fr-landmark")
PIXELS = 112
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Eyes, nose tip and corners of the mouth in the aligned picture, in pixels: ArcFace's template."""
SMALL = Crop(0.0, 0.0, 1.0, 1.0, 160, 160)
"""The picture at about the scale of the aligned one, so that the warp needs no antialiasing of its own."""

RIGHT_EYE, LEFT_EYE, NOSE_TIP, RIGHT_CORNER, LEFT_CORNER = slice(36, 42), slice(42, 48), 30, 48, 54


class Identity(nn.Module):
    """Embeddings of faces: the cosine of two of them says how alike the persons are. Differentiable in the picture.

    fingerprint: digests of its networks.
    """

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.landmarks = Landmarks(networks)
        self.network = networks.program("fr-feature", "embedding")
        self.pixels = Pixels((127 / 255,), (128 / 255,))
        self.fingerprint = "+".join(networks.digests[name] for name in sorted(networks.digests))

    @torch.no_grad()
    def points(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, P, 2), fractions of the picture: what a face is aligned by."""
        return five_points(self.landmarks(x_N3HW))

    def forward(self, x_N3HW: Tensor, points_NP2: Tensor | None = None) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, E) of length 1. The alignment is held fixed: no gradient flows through it.

        points: to align by; None for the face's own.
        """
        points_NP2 = self.points(x_N3HW) if points_NP2 is None else points_NP2
        aligned_N3hw = align(SMALL(x_N3HW), points_NP2)
        return normalize(self.network(self.pixels(aligned_N3hw))["embedding"].flatten(1))


def load(device: str | torch.device = "cpu") -> Identity:
    """The network on a device. Raises ModelFileError where one of its files has not been pulled."""
    return Identity(Networks(device)).to(device).eval()


def five_points(points_N682: Tensor) -> Tensor:
    """Eyes, nose tip and corners of the mouth of 68 points: (N, 5, 2), the picture's left first."""
    eyes = [points_N682[:, eye].mean(1) for eye in (RIGHT_EYE, LEFT_EYE)]
    return torch.stack([*eyes, *(points_N682[:, i] for i in (NOSE_TIP, RIGHT_CORNER, LEFT_CORNER))], dim=1)


def align(x_N3HW: Tensor, points_NP2: Tensor) -> Tensor:
    """Move, turn and scale each picture so that its points (fractions of it) fit TEMPLATE best: (N, 3, 112, 112).

    The similarity with the least squared distance, from the template to the picture: q = [[a, -b], [b, a]] p + t has a
    closed form in complex numbers, (a + ib) = sum conj(p) q / sum |p|^2 with both centred.
    """
    target_P2 = torch.tensor(TEMPLATE, device=x_N3HW.device, dtype=points_NP2.dtype) / PIXELS * 2 - 1
    source_NP2 = points_NP2 * 2 - 1
    centre_2, middle_N2 = target_P2.mean(0), source_NP2.mean(1)
    p_P, q_NP = torch.view_as_complex(target_P2 - centre_2), torch.view_as_complex(source_NP2 - middle_N2[:, None])
    turn_N = (p_P.conj() * q_NP).sum(1) / p_P.abs().square().sum()
    linear_N22 = torch.stack([turn_N.real, -turn_N.imag, turn_N.imag, turn_N.real], dim=1).view(-1, 2, 2)
    shift_N21 = (middle_N2 - linear_N22 @ centre_2)[:, :, None]
    grid = affine_grid(torch.cat([linear_N22, shift_N21], dim=2), [len(x_N3HW), 3, PIXELS, PIXELS], align_corners=False)
    return grid_sample(x_N3HW, grid.to(x_N3HW.dtype), mode="bilinear", padding_mode="border", align_corners=False)
