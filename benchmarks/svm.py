"""Fitting directions against scikit-learn's `SVC(kernel="linear")`, which the public InterFaceGAN code uses.

    python -m benchmarks.svm

Ours is `LinearSVC` on centred rows. Codes are w of the built-in generator, float32. Scores are planted (a random
direction and noise of 0.8 standard deviations), since what a fit costs does not depend on what the scores mean. Both
fit the same rows in the same run, on one thread: neither has more. Seconds are of the processor, whatever else is at
work on the machine.
"""

import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from benchmarks.machine import header
from pipeline.directions.choose import FRACTION, ladder, try_all
from pipeline.directions.classes import by_rank
from pipeline.directions.hyperplane import fit
from pipeline.models import generators
from pipeline.models.randomness import standard_normal

RESULTS = Path(__file__).parent / "results" / "svm.md"
GENERATOR = "mobilestylegan-ffhq"
CASES = ((0.02, 1.0, 5), (0.1, 1e-3, 5), (0.25, 1e-3, 2))
"""Fraction, C, and how many attributes."""


@dataclass
class Line:
    """All attributes of one fraction and C. rows: that one fit sees. cosine, intercept: the worst of the attributes."""

    fraction: float
    C: float
    attributes: int
    rows: int
    ours_seconds: float
    svc_seconds: float
    cosine: float
    intercept: float


def latents(rows: int, seed: int) -> NDArray[np.float32]:
    """w (rows, 512) at psi 0.7."""
    generator = generators.load(GENERATOR, backend="eager")
    z = torch.from_numpy(standard_normal(seed, range(rows), generator.z_dim))
    with torch.no_grad():
        return torch.cat([generator.map(part, 0.7)[:, 0] for part in z.split(500)]).numpy()


def planted(w_NW: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Scores (N,) along a random direction, with noise."""
    draw = np.random.default_rng(seed)
    scores = (w_NW - w_NW.mean(0)) @ draw.standard_normal(w_NW.shape[1])
    return scores / scores.std() + 0.8 * draw.standard_normal(len(w_NW))


def side_by_side(w_NW: NDArray[np.float32], fraction: float, C: float, attributes: int) -> Line:
    """Both, one attribute after another."""
    line = Line(fraction, C, attributes, 0, 0.0, 0.0, 1.0, 0.0)
    for attribute in range(attributes):
        train = by_rank(planted(w_NW, attribute), fraction).train
        begun = time.process_time()
        plane = fit(w_NW[train.rows], train.positive, C)
        fitted = time.process_time()
        svc = SVC(kernel="linear", C=C).fit(w_NW[train.rows], train.positive)
        line.svc_seconds += time.process_time() - fitted
        line.ours_seconds += fitted - begun
        norm = np.linalg.norm(svc.coef_)
        line.rows = len(train)
        line.cosine = min(line.cosine, float(svc.coef_[0] @ plane.normal / norm))
        line.intercept = max(line.intercept, abs(float(svc.intercept_[0] / norm) - plane.intercept))
    return line


def main(rows: int = 20_000, seed: int = 5) -> None:
    """Measure, print and keep the table.

    Args:
        rows: codes.
        seed: of the codes.
    """
    w_NW = latents(rows, seed)
    with threadpool_limits(1):
        lines = [side_by_side(w_NW, *case) for case in CASES]
        begun = time.process_time()
        tried = try_all(w_NW, planted(w_NW, 0), ladder(w_NW))
        chosen = time.process_time() - begun
    text = (
        "# Fitting directions\n\n"
        + header("python -m benchmarks.svm", f"--rows {rows}")
        + f"scikit-learn {version('scikit-learn')}. {rows} codes of w, float32, one thread.\n\n"
        + _table(lines)
        + "\nThe first line is the public code's own choice, which `--as-released` fits by `SVC`.\n\n"
        f"Choosing C of one attribute at a fraction of {FRACTION:g} ({len(tried)} cells, "
        f"2 repeats of 2 halves, {4 * len(tried)} fits): {chosen:.1f} CPU s.\n"
    )
    print(text)
    RESULTS.write_text(text)


def _table(lines: list[Line]) -> str:
    rows = [
        "| fraction | C | attributes | rows of a fit | ours, CPU s | SVC, CPU s | times faster | least cosine "
        "| intercepts apart |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows += [
        f"| {line.fraction:g} | {line.C:g} | {line.attributes} | {line.rows:,} | {line.ours_seconds:.2f} "
        f"| {line.svc_seconds:.1f} | {line.svc_seconds / line.ours_seconds:.1f} | {line.cosine:.7f} "
        f"| {line.intercept:.1e} |"
        for line in lines
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    tyro.cli(main)
