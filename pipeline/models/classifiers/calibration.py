"""Where scores are 0 and what one unit of them is: constants of a family of classifiers on faces of one generator.

Those of built-in generators lie beside this file, as `NAME.calibration.json`; `stylemill calibrate` measures others.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.boundary import Measured

FORMAT = "stylemill calibration 1"
DEFAULT_GENERATOR = "mobilestylegan-ffhq"
"""Whose constants others borrow."""


@dataclass(frozen=True)
class Scale:
    """score = (raw - boundary) / unit; raw is the statistic of the network.

    boundary: raw value at which the score is 0. unit: standard deviation of raw over the calibration faces.
    """

    boundary: float
    unit: float

    def score(self, raw_N: Tensor) -> Tensor:
        return (raw_N - self.boundary) / self.unit

    @classmethod
    def measured(cls, raw_N: NDArray[np.float32], boundary: float) -> "Scale":
        """With the deviation of these faces, to six digits."""
        return cls(_rounded(boundary), _rounded(float(raw_N.astype(np.float64).std(ddof=1))))


@dataclass(frozen=True)
class Calibration:
    """Constants by family and attribute, and the faces that they were measured on.

    generator, generator_digest: name and fingerprint. psi, seed, rows: which faces.
    networks: by family, digests of the networks that were read; version: of the code of the statistics.
    """

    generator: str
    generator_digest: str
    psi: float
    seed: int
    rows: int
    version: int
    networks: Mapping[str, Mapping[str, str]]
    families: Mapping[str, Mapping[str, Scale]]

    @property
    def digest(self) -> str:
        """sha256 of everything in it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def facts(self, generator_digest: str) -> dict[str, Any]:
        """For records of a job on a generator: which constants, and whether they are another generator's."""
        borrowed = self.generator_digest != generator_digest
        return {"generator": self.generator, "digest": self.digest, **({"borrowed": True} if borrowed else {})}

    def scales(
        self, family: str, attributes: Sequence[str], version: int, digests: Mapping[str, str]
    ) -> dict[str, Scale]:
        """Of a family's attributes, with these networks.

        Raises:
            SpecError: some of them are missing.
            ModelFileError: they were measured with other networks, or with another version of the statistics.
        """
        again = f"stylemill calibrate --generator {self.generator} --classifiers {family}"
        there = self.families.get(family, {})
        if lacking := [name for name in attributes if name not in there]:
            raise SpecError(
                f"the calibration of {self.generator} has no constants of {family} for {', '.join(lacking)}: measure "
                f"them with {again}"
            )
        known = self.networks.get(family, {})
        other = next((name for name, digest in digests.items() if name in known and known[name] != digest), None)
        if other or version != self.version:
            what = f"another {other} than the one installed here" if other else "another version of the statistics"
            raise ModelFileError(f"the calibration of {self.generator} was measured with {what}: run {again}")
        return {name: there[name] for name in attributes}

    def to_json(self) -> bytes:
        """The file, in lines that a person can read."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes, name: str) -> "Calibration":
        """Raises SpecError where `content` is no such file; `name` is for the message."""
        try:
            facts = json.loads(content)
            if facts.pop("format") != FORMAT:
                raise ValueError
            families = {
                family: {attribute: Scale(float(one["boundary"]), float(one["unit"])) for attribute, one in its.items()}
                for family, its in facts.pop("families").items()
            }
            if not all(one.unit > 0 for its in families.values() for one in its.values()):
                raise ValueError
            found = cls(**facts, families=families)
            if not families or families.keys() != found.networks.keys():
                raise ValueError
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SpecError(
                f"{name} is not a calibration of classifiers: give the calibration.json that stylemill calibrate wrote"
            ) from error
        return found


def scales_of(
    readings: Mapping[str, Mapping[str, Reading]], measured: Mapping[str, Mapping[str, Measured]]
) -> dict[str, dict[str, Scale]]:
    """Boundary and unit of each attribute of each family, by the attribute's own rule.

    measured: by family and attribute; a family beside which another's boundary is found is among them.
    """

    def boundary(family: str, name: str) -> float:
        rule = readings[family][name].boundary
        other = rule.beside and (measured[rule.beside][name], boundary(rule.beside, name))
        return rule.find(measured[family][name], other or None)

    return {
        family: {name: Scale.measured(one.raw, boundary(family, name)) for name, one in its.items()}
        for family, its in measured.items()
    }


@cache
def committed() -> dict[str, Calibration]:
    """Those of built-in generators, by name."""
    files = sorted(Path(__file__).parent.glob("*.calibration.json"))
    found = [Calibration.from_json(file.read_bytes(), file.name) for file in files]
    return {one.generator: one for one in found}


def default() -> Calibration:
    """That of the built-in generator, where nothing is known of the faces."""
    return committed()[DEFAULT_GENERATOR]


def of_generator(fingerprint: str) -> Calibration:
    """The generator's own where there is one, else the default: `facts` says which."""
    own = (one for one in committed().values() if one.generator_digest == fingerprint)
    return next(own, default())


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
