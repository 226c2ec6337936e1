"""What `python -m benchmarks.calibrate` found, as tables and contact sheets.

Shapes: N faces.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.metrics import cohen_kappa_score

from benchmarks.calibration_faces import PSI, Faces
from benchmarks.machine import header
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.classifiers.calibration import Scale

RESULTS = Path(__file__).parent / "results"
KAPPA_WANTED = 0.6
COLUMNS, SIDE = 16, 80
FRONTAL_DEGREES = 8.0

Raw = Mapping[str, NDArray[np.float32]]


def write(
    faces: Faces,
    raw: Mapping[str, Raw],
    as_rgb: Raw,
    scales: Mapping[str, Mapping[str, Scale]],
    seen: Mapping,
    milliseconds: Mapping[str, Mapping[str, float]],
    fingerprints: Mapping[str, str],
) -> None:
    """`calibration.md`, and a sheet of the faces around each boundary for each attribute."""
    scores = {
        family: {a: (raw[family][a] - scale.boundary) / scale.unit for a, scale in its.items()}
        for family, its in scales.items()
    }
    text = (
        "# Calibration of the classifiers\n\n"
        + header("python -m benchmarks.calibrate")
        + f"{faces.rows} faces of seed {faces.seed} at psi {PSI}. Fingerprints: "
        + ", ".join(f"{family} `{digest[:12]}`" for family, digest in fingerprints.items())
        + ".\n\n## Agreement of the two families\n\n"
        + agreement(scores)
        + "\n## Boundaries and units\n\n"
        + constants(raw, scales)
        + "\n## Eyeglasses against the eye\n\n"
        + by_eye(scores, seen)
        + "\n## Ages and angles\n\n"
        + percentiles(raw, scales)
        + "\n## The order of the channels\n\n"
        + orders(raw, as_rgb)
        + "\n## Time\n\n"
        + times(milliseconds)
        + "\n## Correlations of the scores\n\n"
        + "".join(correlations(family, scores[family]) for family in scores)
        + "## The faces around each boundary\n\n"
        + "Of each family (`faces` above `judge`), eight below the boundary and eight above, with their scores.\n\n"
        + "".join(f"{a}\n\n![{a}](calibration/{a}.jpg)\n\n" for a in ATTRIBUTES)
    )
    (RESULTS / "calibration").mkdir(parents=True, exist_ok=True)
    (RESULTS / "calibration.md").write_text(text.rstrip() + "\n")
    for attribute in ATTRIBUTES:
        seen_by = [its[attribute] for its in scores.values() if attribute in its]
        sheet(faces, [around(scores_N) for scores_N in seen_by], seen_by, RESULTS / "calibration" / f"{attribute}.jpg")


def agreement(scores: Mapping[str, Mapping[str, NDArray]]) -> str:
    """Base rates, Cohen's kappa and correlation by attribute."""
    lines = ["| attribute | faces | judge | agree | Cohen's kappa | correlation |", "|---|---:|---:|---:|---:|---:|"]
    low = []
    for a in ATTRIBUTES:
        if a not in scores["judge"]:
            lines.append(f"| {a} | {(scores['faces'][a] > 0).mean():.1%} | unjudged | | | |")
            continue
        ours_N, theirs_N = scores["faces"][a], scores["judge"][a]
        kappa = cohen_kappa_score(ours_N > 0, theirs_N > 0)
        if kappa < KAPPA_WANTED:
            low.append(f"{a} ({kappa:.2f})")
        lines.append(
            f"| {a} | {(ours_N > 0).mean():.1%} | {(theirs_N > 0).mean():.1%} | "
            f"{((ours_N > 0) == (theirs_N > 0)).mean():.1%} | {kappa:.2f} | {np.corrcoef(ours_N, theirs_N)[0, 1]:.2f} |"
        )
    said = (
        f"Kappa is under {KAPPA_WANTED} for {', '.join(low)}." if low else f"Kappa is at least {KAPPA_WANTED} for all."
    )
    return "\n".join(lines) + f"\n\n`faces` and `judge`: share of faces with a score above 0. {said}\n"


def constants(raw: Mapping[str, Raw], scales: Mapping[str, Mapping[str, Scale]]) -> str:
    """Boundary and unit, and how well a face and its mirror image agree."""
    lines = ["| family | attribute | boundary | unit | face and mirror image |", "|---|---|---:|---:|---:|"]
    for family, by_attribute in scales.items():
        for a, scale in by_attribute.items():
            mirrored_N = raw[family][f"mirror_{a}"]
            same = np.corrcoef(raw[family][a][: len(mirrored_N)], mirrored_N)[0, 1]
            lines.append(f"| {family} | {a} | {scale.boundary:.3g} | {scale.unit:.3g} | {same:.2f} |")
    return (
        "\n".join(lines) + "\n\nscore = (raw - boundary) / unit. The last column is the correlation over "
        f"{len(raw['faces']['mirror_yaw'])} faces of a statistic with that of the mirror image:\n"
        "-1 is right for yaw, 1 for the others.\n"
    )


def by_eye(scores: Mapping[str, Mapping[str, NDArray]], seen: Mapping) -> str:
    """Both families against what a person saw."""
    truth_N = np.isin(np.arange(seen["rows"]), seen["eyeglasses"])
    clear_N = ~np.isin(np.arange(seen["rows"]), seen["traces"])
    lines = ["| family | right | missed | wrongly seen |", "|---|---:|---:|---:|"]
    for family, by_attribute in scores.items():
        said_N = by_attribute["eyeglasses"][: len(truth_N)] > 0
        missed, wrong = np.flatnonzero(truth_N & ~said_N & clear_N), np.flatnonzero(said_N & ~truth_N & clear_N)
        lines.append(f"| {family} | {(said_N == truth_N)[clear_N].mean():.1%} | {_rows(missed)} | {_rows(wrong)} |")
    return (
        "\n".join(lines) + f"\n\nThe first {len(truth_N)} faces: {truth_N.sum()} with eyeglasses by eye\n"
        f"(`benchmarks/eyeglasses_by_eye.json`), {len(seen['traces'])} with traces of some, not counted.\n"
        "The numbers are rows.\n"
    )


def percentiles(raw: Mapping[str, Raw], scales: Mapping[str, Mapping[str, Scale]]) -> str:
    """Percentiles of the measures, and agreement on three classes of yaw."""
    at = (5, 25, 50, 75, 95)
    lines = ["| | " + " | ".join(f"{p} %" for p in at) + " |", "|---|" + "---:|" * len(at)]
    degrees = {family: raw[family]["yaw"] - scales[family]["yaw"].boundary for family in raw}
    for family in raw:
        for name, values in (("age, years", raw[family]["age_years"]), ("yaw, degrees", degrees[family])):
            lines.append(f"| {family}: {name} | " + " | ".join(f"{v:.0f}" for v in np.percentile(values, at)) + " |")
    classes = [np.sign(d) * (np.abs(d) > FRONTAL_DEGREES) for d in degrees.values()]
    kappa = cohen_kappa_score(*classes)
    apart = np.abs(degrees["faces"] - degrees["judge"]).mean()
    return (
        "\n".join(lines) + f"\n\nOn left, frontal (within {FRONTAL_DEGREES:.0f} degrees) and right the families agree\n"
        f"with kappa {kappa:.2f}; their angles differ by {apart:.1f} degrees on average.\n"
    )


def orders(raw: Mapping[str, Raw], as_rgb: Raw) -> str:
    """Whether the judge's networks see BGR or RGB: which order agrees with the other family."""
    rows = len(as_rgb["male"])
    lines = ["| judge's network | BGR | RGB |", "|---|---:|---:|"]
    for name, statistic in (("fr-gender", "male"), ("fr-age", "age_years"), ("fr-expression", "smile")):
        ours_N = raw["faces"][statistic][:rows]
        bgr, rgb = (np.corrcoef(ours_N, judge[statistic][:rows])[0, 1] for judge in (raw["judge"], as_rgb))
        lines.append(f"| {name} | {bgr:.2f} | {rgb:.2f} |")
    return "\n".join(lines) + f"\n\nCorrelation with the family `faces` over {rows} faces.\n"


def times(milliseconds: Mapping[str, Mapping[str, float]]) -> str:
    """Of each family, milliseconds a picture by network."""
    lines = ["| family | all | each |", "|---|---:|---|"]
    for family, by_reader in milliseconds.items():
        each = ", ".join(f"{name} {ms:.1f}" for name, ms in by_reader.items())
        lines.append(f"| {family} | {sum(by_reader.values()):.0f} | {each} |")
    return "\n".join(lines) + "\n\nMilliseconds a picture in batches of two, two threads.\n"


def correlations(family: str, scores: Mapping[str, NDArray]) -> str:
    """Pearson's correlation of every pair of scores."""
    matrix = np.corrcoef(list(scores.values()))
    lines = [f"| {family} | " + " | ".join(scores) + " |", "|---|" + "---:|" * len(scores)]
    lines += [f"| {a} | " + " | ".join(f"{v:.2f}" for v in row) + " |" for a, row in zip(scores, matrix, strict=True)]
    return "\n".join(lines) + "\n\n"


def around(scores_N: NDArray, each: int = COLUMNS // 2) -> list[int]:
    """The faces next to the boundary, in the order of their scores: `each` below it and `each` above."""
    order = np.argsort(scores_N)
    at = int((scores_N <= 0).sum())
    return [int(i) for i in order[max(at - each, 0) : at + each]]


def sheet(faces: Faces, rows: list[list[int]], scores: list[NDArray], file: Path) -> None:
    """A strip of faces for each family, with their scores."""
    canvas = Image.new("RGB", (COLUMNS * SIDE, len(rows) * (SIDE + 12)), "white")
    draw = ImageDraw.Draw(canvas)
    for y, (indices, scores_N) in enumerate(zip(rows, scores, strict=True)):
        for x, index in enumerate(indices):
            picture = Image.fromarray(faces[index]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            canvas.paste(picture, (x * SIDE, y * (SIDE + 12)))
            draw.text((x * SIDE + 2, y * (SIDE + 12) + SIDE), f"{scores_N[index]:+.2f}", fill="black")
    canvas.save(file, quality=85)


def _rows(indices: NDArray) -> str:
    return ", ".join(str(i) for i in indices) or "none"
