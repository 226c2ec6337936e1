"""Where each score is 0 and what one unit of it is: constants measured by `python -m benchmarks.calibrate`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

FILE = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True)
class Scale:
    """score = (raw - boundary) / unit; raw is what a reader gives.

    boundary: raw value at which the score is 0. unit: standard deviation of raw over the calibration faces.
    """

    boundary: float
    unit: float

    def score(self, raw_N: Tensor) -> Tensor:
        return (raw_N - self.boundary) / self.unit

    @classmethod
    def measured(cls, raw_N: Tensor, boundary: float) -> "Scale":
        """With the deviation of these faces."""
        return cls(boundary, float(torch.as_tensor(raw_N, dtype=torch.float64).std()))


@cache
def committed() -> dict[str, dict[str, Scale]]:
    """Family -> attribute -> scale, as committed."""
    families = json.loads(FILE.read_text())["families"]
    return {family: {a: Scale(**scale) for a, scale in scales.items()} for family, scales in families.items()}


def write(families: Mapping[str, Mapping[str, Scale]], measured_on: Mapping[str, object], file: Path = FILE) -> None:
    """Keep constants, rounded to six digits, with what they were measured on."""
    rounded = {
        family: {a: {k: float(f"{v:.6g}") for k, v in asdict(scale).items()} for a, scale in scales.items()}
        for family, scales in families.items()
    }
    file.write_text(json.dumps({"measured_on": dict(measured_on), "families": rounded}, indent=2) + "\n")
