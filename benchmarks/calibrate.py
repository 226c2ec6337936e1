"""The constants of the built-in generator, by `stylemill calibrate`, and how far the two families agree.

    python -m benchmarks.calibrate            # both families on 1,000 faces: constants, report, contact sheets
    python -m benchmarks.calibrate probe      # fit the judge's eyeglasses probe, on other faces

Tables, faces and statistics are kept in the cache: a stopped run continues, a second one takes seconds. Run
both after a change of a crop, a network or a statistic, look at the contact sheets, and commit what they wrote.

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

import schemas
from benchmarks import calibration_report, eyewear_probe
from benchmarks.calibration_faces import BATCH, GENERATOR, PSI, Faces
from jobs.__main__ import main
from pipeline.models import classifiers
from pipeline.models.classifiers import READINGS, calibration
from pipeline.models.classifiers.attributes import EYEGLASSES
from pipeline.models.classifiers.boundary import MIRRORED
from pipeline.models.classifiers.crops import Pixels
from pipeline.models.classifiers.networks import Networks
from pipeline.models.zoo import cache
from pipeline.tables import Table

FAMILIES = ("faces", "judge")
FILE = Path(calibration.__file__).with_name(f"{GENERATOR}.calibration.json")
SEED, ROWS = 7, 1000
PROBE_SEED, PROBE_ROWS = 8, 600
BGR = ("smile", "male", "age_years")
"""Statistics of the judge whose networks take BGR."""
EYEGLASSES_BY_EYE = EYEGLASSES.readings["faces"].boundary.value
"""The parser's statistic where eyeglasses begin; benchmarks/eyeglasses_by_eye.json holds what was seen."""
SEEN = Path(__file__).with_name("eyeglasses_by_eye.json")

Raw = dict[str, NDArray[np.float32]]


def calibrate() -> Path:
    """The verb on the built-in generator; where its tables are."""
    out = cache.home() / "calibration" / "built-in"
    words = ["--generator", GENERATOR, "--rows", str(ROWS), "--seed", str(SEED), "--psi", str(PSI), "--out", str(out)]
    if main(["calibrate", *words, "--local", "--backend", "eager", "--threads", "2", "--batch-size", str(BATCH)]):
        raise SystemExit("the constants were not measured: the same command goes on")
    return out


def raw_statistics(family: str, out: Path) -> Raw:
    """Raw statistics of one family, (N,) by name; of the first faces' mirror images `mirror_NAME`, (MIRRORED,)."""
    rows = Table.open(str(out / "statistics")).read()
    names = tuple(READINGS[family])
    statistics = classifiers.statistics_of(family, names)
    mirrored = Faces(SEED, MIRRORED).measured(
        f"{family}-mirror", statistics.fingerprint, lambda x_N3HW: statistics(x_N3HW.flip(3), names)
    )
    raw = {name: schemas.to_numpy(rows[f"{family}_{name}"]) for name in names}
    return {**raw, **{f"mirror_{name}": values for name, values in mirrored.items()}}


def as_rgb() -> Raw:
    """Raw statistics of the first faces, (MIRRORED,), by the judge's networks that take BGR, fed with RGB."""
    statistics = classifiers.statistics_of("judge", BGR)
    for module in statistics.modules():
        if isinstance(module, Pixels) and module.order == "bgr":
            module.order = "rgb"
    return Faces(SEED, MIRRORED).measured("judge-rgb", statistics.fingerprint, lambda x_N3HW: statistics(x_N3HW, BGR))


def speed(family: str, repeats: int = 8) -> dict[str, float]:
    """Milliseconds a picture of each reader, the best of some repeats at the batch of a job."""
    networks = Networks()
    x_N3HW = next(Faces(SEED, BATCH).batches(0, BATCH))
    found = {}
    with torch.no_grad():
        for reader in [open_(networks) for open_ in dict.fromkeys(one.reader for one in READINGS[family].values())]:
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                reader(x_N3HW)
                seconds.append(time.perf_counter() - begun)
            found[type(reader).__name__] = min(seconds) / BATCH * 1000
    return found


def measure() -> None:
    """Constants, report and contact sheets."""
    out = calibrate()
    FILE.write_bytes((out / "calibration.json").read_bytes())
    calibration.committed.cache_clear()
    raw = {family: raw_statistics(family, out) for family in FAMILIES}
    seen = json.loads(SEEN.read_text())
    milliseconds = {family: speed(family) for family in FAMILIES}
    fingerprints = {family: classifiers.load(family).fingerprint for family in FAMILIES}
    scales = calibration.default().families
    calibration_report.write(Faces(SEED, ROWS), raw, as_rgb(), scales, seen, milliseconds, fingerprints)


def run(what: Literal["measure", "probe"] = "measure", /) -> None:
    torch.set_num_threads(2)
    if what == "probe":
        eyewear_probe.fit(Faces(PROBE_SEED, PROBE_ROWS), EYEGLASSES_BY_EYE)
    else:
        measure()


if __name__ == "__main__":
    tyro.cli(run)
