"""Attribute classifiers: pictures in, scores out.

family = classifiers.load("faces", ("smile", "yaw"))
y_NA = family.scores(x_N3HW)        # 0 at the boundary, in standard deviations over the calibration faces
columns = family.labels(x_N3HW)     # the same by name, with age_years and yaw_degrees

Two families see the same attributes by different networks: `faces` is differentiable, for labels and for gradients;
`judge` never gives a gradient, and measures what was edited with the first. A YAML file is a family of one's own, by a
network of one's own (`own_file.py`). `attributes.py` declares the attributes, `calibration.py` says where their scores
are 0.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.classifiers import attributes as declared
from pipeline.models.classifiers import calibration as calibrations
from pipeline.models.classifiers import tiny
from pipeline.models.classifiers.attribute import Attribute, Reading
from pipeline.models.classifiers.attributes import ATTRIBUTES, BY_NAME, MEASURES
from pipeline.models.classifiers.calibration import Calibration, Scale
from pipeline.models.classifiers.family import VERSION, Family, Statistics, needed
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.own_name import canonical, is_own, short_name

if TYPE_CHECKING:
    from pipeline.models.classifiers.own import OwnFamily

__all__ = [
    "ATTRIBUTES", "FAMILIES", "MEASURES", "VERSION", "Attribute", "Calibration", "Classifier", "Family", "Statistics",
    "attributes_of", "built_in", "canonical", "is_own", "load", "meanings_of", "measures_of", "own_readings",
    "short_name", "statistics_of",
]  # fmt: skip

READINGS: dict[str, dict[str, Reading]] = {
    **{family: declared.readings(family) for family in ("faces", "judge")},
    **{family: tiny.readings(family) for family in tiny.STANDS_IN},
}
FAMILIES = tuple(READINGS)
DIFFERENTIABLE = frozenset({"faces", "tiny"})
MOST_JOINED = 8
"""Families, each of which the file of the one before joins."""


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
    """The attributes that a family sees: in the order of ATTRIBUTES, then those of a file of one's own.

    Raises SpecError for an unknown family, and for a file that is none.
    """
    seen = readings_of(family)
    own = (name for one in reversed(_joined(family)) if is_own(one) for name in own_readings(one))
    return tuple(dict.fromkeys((*(name for name in ATTRIBUTES if name in seen), *own)))


def measures_of(family: str) -> tuple[str, ...]:
    """The measures that a family takes besides. Raises SpecError as `attributes_of`."""
    seen = readings_of(family)
    return tuple(name for name in MEASURES if needed([name])[0] in seen)


def readings_of(family: str) -> dict[str, Reading]:
    """How a family sees what it sees, by name; those of a file replace equal names of the family that it joins.

    Raises SpecError as `attributes_of`.
    """
    return {name: reading for one in reversed(_joined(family)) for name, reading in own_readings(one).items()}


def own_readings(family: str) -> dict[str, Reading]:
    """The same, without those of the family that a file joins."""
    return dict(_open_own(family).readings) if is_own(family) else READINGS[_known(family)]


def built_in(family: str) -> str:
    """The family itself; of a file the built-in one that it joins, whose constants, face parser and tests of its
    pictures hold for it too; the file where it joins none. Raises SpecError as `attributes_of`.
    """
    return _joined(family)[-1]


def meanings_of(family: str) -> dict[str, str]:
    """What each column of labels by a family means. Raises SpecError as `attributes_of`."""
    found = {name: BY_NAME[name].meaning for name in (*attributes_of(family), *measures_of(family)) if name in BY_NAME}
    for one in reversed(_joined(family)):
        found |= _open_own(one).meanings if is_own(one) else {}
    return found


def _joined(family: str) -> list[str]:
    """The family, the one that its file joins, and so on."""
    found = [canonical(family)]
    while is_own(found[-1]) and (joins := _open_own(found[-1]).joins) is not None:
        if joins in found or len(found) == MOST_JOINED:
            raise SpecError(f"{found[-1]} joins {joins}, which leads in a circle or too far: join a built-in family")
        found.append(joins)
    if not is_own(found[-1]):
        _known(found[-1])
    return found


def _open_own(family: str) -> "OwnFamily":
    from pipeline.models.classifiers.own import open_own  # where no file is named, its readers are not needed

    return open_own(family)


def _known(family: str) -> str:
    if family not in FAMILIES:
        raise SpecError(
            f"unknown family of classifiers {family!r}: choose one of {', '.join(FAMILIES)}, or the .yaml file of one "
            "of your own (docs/own-classifiers.md)"
        )
    return family


def statistics_of(family: str, names: Sequence[str], device: str | torch.device = "cpu") -> Statistics:
    """The networks behind raw statistics of a family, by name; only those that are needed are loaded.

    Raises ModelFileError where one has not been pulled, or is damaged.
    """
    networks, readings = Networks(device), readings_of(family)
    return Statistics({name: readings[name] for name in names}, networks).to(device).eval()


def load(
    family: str,
    attributes: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    backend: str = "eager",
    measures: Sequence[str] | None = None,
    calibration: Calibration | None = None,
) -> Family:
    """A family of classifiers for some attributes, or all that it sees; only the networks that they need are loaded.

    family: one of FAMILIES, or the YAML file of one of your own. attributes: some of those that it sees, in the order
    wanted. backend: as in a job's runtime; the classifiers run eager with either (see networks.py).
    measures: further columns of `labels`, all that it has by default; none spares their networks where only scores are
    wanted.
    calibration: the constants; by default those of the built-in generator, which hold for its faces.

    Raises:
        SpecError: an unknown family or attribute, one that the family does not see or that is named twice, or one
            without constants.
        ModelFileError: a network has not been pulled, is damaged, or is another than the constants were measured with.
    """
    joined, readings, seen = _joined(family), readings_of(family), attributes_of(family)
    if backend not in ("eager", "compiled"):
        raise SpecError(f"unknown backend {backend!r}: choose one of eager, compiled")
    known = (*ATTRIBUTES, *(name for name in seen if name not in ATTRIBUTES))
    chosen = _checked(seen if attributes is None else attributes, known, "attribute")
    extra = _checked(measures_of(family) if measures is None else measures, MEASURES, "measure")
    names = needed((*chosen, *extra))
    if unseen := [name for name in names if name not in readings]:
        raise SpecError(f"{family} does not score {unseen[0]}: it scores {', '.join(seen)}")
    statistics = statistics_of(family, names, device)
    scales: dict[str, Scale] = {}
    for one in reversed(joined):
        its = own_readings(one)
        scores = [name for name in names if name in its and name not in MEASURES]
        scales |= _scales(one, scores, calibration, statistics.digests)
    return Family(joined[0], statistics, scales, chosen, joined[-1] in DIFFERENTIABLE or is_own(joined[-1]), extra).to(
        device
    ).eval()  # fmt: skip


def _scales(
    family: str, names: Sequence[str], calibration: Calibration | None, digests: Mapping[str, str]
) -> dict[str, Scale]:
    """Of attributes of a family's own."""
    if is_own(family):
        return _open_own(family).scales(names, calibration, VERSION, digests)
    if family in tiny.STANDS_IN and (calibration is None or family not in calibration.families):
        return tiny.scales(family)
    return (calibration or calibrations.default()).scales(family, names, VERSION, digests)


def _checked(names: Sequence[str], known: Sequence[str], what: str) -> tuple[str, ...]:
    for i, name in enumerate(names):
        if name not in known:
            raise SpecError(f"unknown {what} {name!r}: the classifiers know {', '.join(known)}")
        if name in names[:i]:
            raise SpecError(f"{what} {name!r} is named twice")
    return tuple(names)
