"""Attribute classifiers: pictures in, scores out.

family = classifiers.load("faces", ("smile", "yaw"))
y_NA = family.scores(x_N3HW)        # 0 at the boundary, in standard deviations over the calibration faces
columns = family.labels(x_N3HW)     # the same by name, with age_years and yaw_degrees

Two families see the same attributes by different networks: `faces` is differentiable, for labels and for gradients;
`judge` never gives a gradient, and measures what was edited with the first.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.classifiers import calibration, tiny
from pipeline.models.classifiers.emotion import Emotion
from pipeline.models.classifiers.expression import Expression
from pipeline.models.classifiers.eyewear import Eyewear
from pipeline.models.classifiers.faceres import FaceRes
from pipeline.models.classifiers.family import MEASURES, Family, needed
from pipeline.models.classifiers.landmarks import Landmarks
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import Parser
from pipeline.models.classifiers.pose import HeadPose
from pipeline.models.classifiers.ssrnet import SsrAge, SsrGender

__all__ = ["ATTRIBUTES", "FAMILIES", "MEASURES", "Classifier", "Family", "load"]

ATTRIBUTES = ("smile", "male", "old", "eyeglasses", "yaw")
READERS = {
    "faces": (FaceRes, Emotion, Parser, HeadPose),
    "judge": (SsrGender, SsrAge, Expression, Eyewear, Landmarks),
}
TINY = {"tiny": 1, "tiny-judge": 2}
FAMILIES = (*READERS, *TINY)


class Classifier(Protocol):
    """What every classifier offers. It looks at the generator's 512 px pictures.

    name, fingerprint: which one, and the hex digest of what decides its scores.
    attributes: columns of `scores`.
    """

    name: str
    fingerprint: str
    attributes: tuple[str, ...]

    def scores(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> y (N, A)."""
        ...

    def labels(self, x_N3HW: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> columns by name, (N,) each."""
        ...


def load(
    family: str,
    attributes: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    backend: str = "eager",
    measures: Sequence[str] = MEASURES,
) -> Family:
    """A family of classifiers for some attributes, or all; only the networks that they need are loaded.

    family: one of FAMILIES. attributes: some of ATTRIBUTES, in the order wanted. backend: as in a job's runtime; the
    classifiers run eager with either (see networks.py).
    measures: further columns of `labels`; none spares their networks where only scores are wanted.

    Raises:
        SpecError: an unknown family or attribute, or one named twice.
        ModelFileError: a network has not been pulled, or is damaged.
    """
    if family not in FAMILIES:
        raise SpecError(f"unknown family of classifiers {family!r}: choose one of {', '.join(FAMILIES)}")
    if backend not in ("eager", "compiled"):
        raise SpecError(f"unknown backend {backend!r}: choose one of eager, compiled")
    chosen = _checked(ATTRIBUTES if attributes is None else attributes, ATTRIBUTES, "attribute")
    extra = _checked(measures, MEASURES, "measure")
    differentiable = family in ("faces", "tiny")
    if family in TINY:
        return tiny.family(family, chosen, extra, TINY[family], device, differentiable)
    networks = Networks(device)
    wanted = set(needed(chosen, extra))
    readers = [reader(networks) for reader in READERS[family] if wanted.intersection(reader.gives)]
    scales = calibration.committed()[family]
    return Family(family, readers, scales, chosen, networks.digests, differentiable, extra).to(device).eval()


def _checked(names: Sequence[str], known: Sequence[str], what: str) -> tuple[str, ...]:
    for i, name in enumerate(names):
        if name not in known:
            raise SpecError(f"unknown {what} {name!r}: the classifiers know {', '.join(known)}")
        if name in names[:i]:
            raise SpecError(f"{what} {name!r} is named twice")
    return tuple(names)
