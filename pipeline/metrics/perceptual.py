"""How different a face looks from its source, to a network that was fitted to what people see.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.metrics.face_metric import Faces
from pipeline.metrics.means import Means, Values
from pipeline.metrics.number import Number
from pipeline.models.classifiers import perceptual
from pipeline.models.classifiers.perceptual import PerceptualDistance


class Perceptual(Means):
    """The perceptual distance of `stlpips-alex` (an LPIPS) at 256 px; 0 is the same picture.

    On AlexNet, which no editor and no classifier here uses: the judge's eyeglasses stand on the VGG16 of `stlpips-vgg`.
    """

    name, table = "perceptual", "metrics_perceptual"
    about = "a perceptual distance (LPIPS, stlpips-alex)"
    packages = ()
    measures: ClassVar = {"": Number(0.0, "smaller")}
    always, looks, by_part = False, True, True

    def open(self, device: str, judge: str) -> Distances:
        return Distances(perceptual.load_distance(device))


class Distances:
    """Faces by the network of the distance."""

    networks = (PerceptualDistance.NETWORK,)

    def __init__(self, network: PerceptualDistance) -> None:
        self._network, self.fingerprint = network, network.fingerprint

    @torch.no_grad()
    def see(self, faces: Faces) -> list[Tensor]:
        found: list[Tensor] = self._network(faces.looked_at().float())
        return found

    @torch.no_grad()
    def compare(self, source: list[Tensor], edited: list[Tensor], attributes: Sequence[str]) -> Mapping[str, Values]:
        """Of whole faces."""
        return {"": Values(self._network.between(source, edited).cpu().numpy())}
