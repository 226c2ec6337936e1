"""Where the classifiers' scores are 0, what their unit is, and how far the two families agree.

    python -m benchmarks.calibrate            # both families on 1,000 faces: constants, report, contact sheets
    python -m benchmarks.calibrate probe      # fit the judge's eyeglasses probe, on other faces

Faces and raw statistics are kept in the cache, chunk by chunk: a stopped run continues, a second one takes seconds. Run
both after a change of a crop, a network or a statistic, look at the contact sheets, and commit what they wrote.

How the boundaries are fixed: `smile` and `male` at p = 0.5 (SSR-Net's gender: 0.5); `old` of faces at p(40 years or
more) = 0.5; `old` of the judge, whose years are biased, where as many faces are old as in the other family;
`eyeglasses` of faces by eye, of the judge at its probe's plane; `yaw` where a face and its mirror image have opposite
angles.

Shapes: N faces.
"""

import json
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import calibration_report, eyewear_probe
from benchmarks.calibration_faces import BATCH, GENERATOR, PSI, Faces
from pipeline.models import classifiers
from pipeline.models.classifiers import ATTRIBUTES, READERS, calibration
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.expression import Expression
from pipeline.models.classifiers.family import VERSION
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.ssrnet import SsrAge, SsrGender

SEED, ROWS = 7, 1000
PROBE_SEED, PROBE_ROWS = 8, 600
BGR_READERS = (SsrGender, SsrAge, Expression)
MIRRORED = 200
"""Faces whose mirror image is measured too."""
EYEGLASSES_BY_EYE = -3.0
"""The parser's statistic where eyeglasses begin; benchmarks/eyeglasses_by_eye.json holds what was seen."""
SEEN = Path(__file__).with_name("eyeglasses_by_eye.json")

Raw = dict[str, NDArray[np.float32]]


def raw_statistics(family: str) -> Raw:
    """Raw statistics of one family, (N,) by name; of the first faces' mirror images `mirror_NAME`, (MIRRORED,)."""
    networks = Networks()
    readers = [reader(networks) for reader in READERS[family]]
    version = f"{VERSION} {sorted(networks.digests.items())}"

    def measure(x_N3HW: Tensor) -> dict[str, Tensor]:
        return {name: value for reader in readers for name, value in reader(x_N3HW).items()}

    raw = Faces(SEED, ROWS).measured(family, version, measure)
    mirrored = Faces(SEED, MIRRORED).measured(f"{family}-mirror", version, lambda x_N3HW: measure(x_N3HW.flip(3)))
    return {**raw, **{f"mirror_{name}": values for name, values in mirrored.items()}}


def as_rgb() -> Raw:
    """Raw statistics of the first faces, (MIRRORED,), by the judge's networks that take BGR, fed with RGB."""
    networks = Networks()
    readers = [reader(networks) for reader in BGR_READERS]
    for reader in readers:
        reader.pixels.order = "rgb"

    def measure(x_N3HW: Tensor) -> dict[str, Tensor]:
        return {name: value for reader in readers for name, value in reader(x_N3HW).items()}

    return Faces(SEED, MIRRORED).measured("judge-rgb", f"{VERSION} {sorted(networks.digests.items())}", measure)


def speed(family: str, repeats: int = 8) -> dict[str, float]:
    """Milliseconds a picture of each reader, the best of some repeats at the batch of a job."""
    networks = Networks()
    x_N3HW = next(Faces(SEED, BATCH).batches(0, BATCH))
    found = {}
    with torch.no_grad():
        for reader in (reader(networks) for reader in READERS[family]):
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                reader(x_N3HW)
                seconds.append(time.perf_counter() - begun)
            found[type(reader).__name__] = min(seconds) / BATCH * 1000
    return found


def scales(raw: dict[str, Raw]) -> dict[str, dict[str, Scale]]:
    """Boundary and unit of every attribute of both families."""
    boundaries = {
        "faces": {"smile": 0.0, "male": 0.0, "old": 0.0, "eyeglasses": EYEGLASSES_BY_EYE},
        "judge": {"smile": 0.0, "male": 0.5, "eyeglasses": 0.0},
    }
    share = float((raw["faces"]["old"] > 0).mean())
    boundaries["judge"]["old"] = float(np.quantile(raw["judge"]["old"], 1 - share))
    for family, statistics in raw.items():
        boundaries[family]["yaw"] = float((statistics["yaw"][:MIRRORED] + statistics["mirror_yaw"]).mean() / 2)
    return {
        family: {a: Scale.measured(torch.from_numpy(raw[family][a]), boundaries[family][a]) for a in ATTRIBUTES}
        for family in raw
    }


def measure() -> None:
    """Constants, report and contact sheets."""
    raw = {family: raw_statistics(family) for family in READERS}
    found = scales(raw)
    measured_on = {"generator": GENERATOR, "psi": PSI, "seed": SEED, "rows": ROWS}
    calibration.write(found, measured_on)
    calibration.committed.cache_clear()
    seen = json.loads(SEEN.read_text())
    milliseconds = {family: speed(family) for family in READERS}
    fingerprints = {family: classifiers.load(family).fingerprint for family in READERS}
    calibration_report.write(
        Faces(SEED, ROWS), raw, as_rgb(), calibration.committed(), seen, milliseconds, fingerprints
    )


def main(what: Literal["measure", "probe"] = "measure", /) -> None:
    torch.set_num_threads(2)
    if what == "probe":
        eyewear_probe.fit(Faces(PROBE_SEED, PROBE_ROWS), EYEGLASSES_BY_EYE)
    else:
        measure()


if __name__ == "__main__":
    tyro.cli(main)
