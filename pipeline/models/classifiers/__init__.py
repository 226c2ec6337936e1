"""Attribute classifiers: pictures in, scores out.

family = classifiers.load("faces", ("smile", "yaw"))
y_NA = family.scores(x_N3HW)        # 0 at the boundary, in standard deviations over the calibration faces
columns = family.labels(x_N3HW)     # the same by name, with age_years and yaw_degrees

Two families see the same attributes by different networks: `faces` is differentiable, for labels and for gradients;
`judge` never gives a gradient, and measures what was edited with the first. `attributes.py` declares the attributes,
`calibration.py` says where their scores are 0.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.classifiers import attributes as declared
from pipeline.models.classifiers import calibration as calibrations
from pipeline.models.classifiers import tiny
from pipeline.models.classifiers.attribute import Attribute, Reading
from pipeline.models.classifiers.attributes import ATTRIBUTES, MEASURES
from pipeline.models.classifiers.calibration import Calibration
from pipeline.models.classifiers.family import VERSION, Family, Statistics, needed
from pipeline.models.classifiers.networks import Networks

__all__ = [
    "ATTRIBUTES", "FAMILIES", "MEASURES", "VERSION", "Attribute", "Calibration", "Classifier", "Family", "Statistics",
    "attributes_of", "load", "statistics_of",
]  # fmt: skip

READINGS: dict[str, dict[str, Reading]] = {
    **{family: declared.readings(family) for family in ("faces", "judge")},
    **{family: tiny.readings(family) for family in tiny.STANDS_IN},
}
FAMILIES = tuple(READINGS)
DIFFERENTIABLE = frozenset({"faces", "tiny"})


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


def attributes_of(family: str) -> tuple[str, ...]:
    """The attributes that a family sees. Raises SpecError for an unknown one."""
    if family not in FAMILIES:
        raise SpecError(f"unknown family of classifiers {family!r}: choose one of {', '.join(FAMILIES)}")
    return tuple(name for name in ATTRIBUTES if name in READINGS[family])


def statistics_of(family: str, names: Sequence[str], device: str | torch.device = "cpu") -> Statistics:
    """The networks behind raw statistics of a family, by name; only those that are needed are loaded.

    Raises ModelFileError where one has not been pulled, or is damaged.
    """
    networks = Networks(device)
    return Statistics({name: READINGS[family][name] for name in names}, networks).to(device).eval()


def load(
    family: str,
    attributes: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    backend: str = "eager",
    measures: Sequence[str] = MEASURES,
    calibration: Calibration | None = None,
) -> Family:
    """A family of classifiers for some attributes, or all that it sees; only the networks that they need are loaded.

    family: one of FAMILIES. attributes: some of ATTRIBUTES, in the order wanted. backend: as in a job's runtime; the
    classifiers run eager with either (see networks.py).
    measures: further columns of `labels`; none spares their networks where only scores are wanted.
    calibration: the constants; by default those of the built-in generator, which hold for its faces.

    Raises:
        SpecError: an unknown family or attribute, one that the family does not see or that is named twice, or one
            without constants.
        ModelFileError: a network has not been pulled, is damaged, or is another than the constants were measured with.
    """
    seen = attributes_of(family)
    if backend not in ("eager", "compiled"):
        raise SpecError(f"unknown backend {backend!r}: choose one of eager, compiled")
    chosen = _checked(seen if attributes is None else attributes, ATTRIBUTES, "attribute")
    extra = _checked(measures, MEASURES, "measure")
    names = needed((*chosen, *extra))
    if unseen := [name for name in names if name not in READINGS[family]]:
        raise SpecError(f"{family} does not score {unseen[0]}: it scores {', '.join(seen)}")
    statistics = statistics_of(family, names, device)
    if family in tiny.STANDS_IN and (calibration is None or family not in calibration.families):
        scales = tiny.scales(family)
    else:
        scored = [name for name in names if name in ATTRIBUTES]
        scales = (calibration or calibrations.default()).scales(family, scored, VERSION, statistics.digests)
    return Family(family, statistics, scales, chosen, family in DIFFERENTIABLE, extra).to(device).eval()


def _checked(names: Sequence[str], known: Sequence[str], what: str) -> tuple[str, ...]:
    for i, name in enumerate(names):
        if name not in known:
            raise SpecError(f"unknown {what} {name!r}: the classifiers know {', '.join(known)}")
        if name in names[:i]:
            raise SpecError(f"{what} {name!r} is named twice")
    return tuple(names)
