"""The paper's numbers beside ours: sections of the page of `stylemill reproduce interfacegan`.

Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing, CVPR 2020. Shapes: A attributes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.metrics.entanglement import mean_absolute_cosine
from pipeline.report import fits, study
from pipeline.report.measured import IDENTITY, Measured
from pipeline.report.pictured import strips
from pipeline.tables import Table, store

LEAD = (
    "The paper fits linear boundaries on 500,000 faces of PGGAN, and also on StyleGAN, with a ResNet-50 that labels "
    "five attributes. Here generator and classifiers are others, and far fewer faces are labelled: the pattern is "
    "compared, not the digits."
)
NAMES = {"yaw": "Pose", "smile": "Smile", "old": "Age", "male": "Gender", "eyeglasses": "Eyeglasses"}
"""The paper's, in its order."""


def _symmetric(upper: Sequence[float]) -> pd.DataFrame:
    """A matrix with 1 on its diagonal, from what is above it, row by row."""
    values_AA = np.eye(len(NAMES))
    values_AA[np.triu_indices(len(NAMES), 1)] = upper
    values_AA += np.triu(values_AA, 1).T
    return pd.DataFrame(values_AA, index=list(NAMES.values()), columns=list(NAMES.values()))


TABLE_1 = pd.DataFrame(
    {"Validation": [100.0, 96.9, 97.9, 98.7, 95.6], "All": [90.3, 78.5, 75.3, 84.2, 80.1]}, index=list(NAMES.values())
)
"""Accuracy in per cent on the validation set and on the 480,000 others (PGGAN)."""
TABLE_2 = _symmetric([-0.04, -0.06, -0.05, -0.04, 0.04, -0.10, -0.05, 0.49, 0.38, 0.52])
"""Cosines of the boundaries' normals (PGGAN)."""
TABLE_3 = _symmetric([-0.01, -0.01, -0.02, 0.00, 0.02, -0.08, -0.01, 0.42, 0.35, 0.47])
"""Correlations of the scores (PGGAN)."""


def separation(folders: Mapping[str, Mapping[int, str]], attributes: Sequence[str], margin: float) -> study.Section:
    """Accuracies, what C was chosen from, and how the normals agree the more faces there are (Table 1).

    folders: by space, of the fits on so many faces, all of them last. margin: of the choice of C.
    """
    ours = pd.DataFrame(index=[NAMES.get(name, name) for name in attributes])
    chosen, curves, faces = [], [], max(count for by_count in folders.values() for count in by_count)
    for space, by_count in folders.items():
        fitted = [row for _, row in fits.fitted(by_count[faces], attributes).iterrows()]
        for part in ("validation", "all"):
            ours[f"{part} in {space}"] = [fits.said_accuracy(one, part, faces) for one in fitted]
        ours[f"C, fraction in {space}"] = [f"{one['C']:g}, {one['fraction']:g}" for one in fitted]
        cells = {count: fits.choices(folder, attributes) for count, folder in by_count.items()}
        chosen.append(fits.chosen_from(f"What C was chosen from, in {space}", cells[faces], NAMES))
        caption = f"Agreement of the normals of two halves of so many faces, in {space} (cosine)"
        curves.append(fits.learning_curve(caption, cells, attributes))
    for name in TABLE_1:
        ours[f"paper, {str(name).lower()}"] = [f"{TABLE_1[name].get(row, np.nan):.1f}" for row in ours.index]
    sentences = [
        f"Accuracy in per cent of a linear boundary; {faces:,} faces. Validation: 30 % of the classes, which are the "
        "highest and the lowest scores; all: every face, labelled by the middle between the highest and the lowest "
        "score, as the public code has it. In brackets 95 % intervals (Wilson).",
        "The paper's 2 % at each end would be too few faces here: a class is a fifth of the faces, or 150. C is "
        "chosen by the agreement (cosine) of the normals of two halves of the faces, since accuracy hardly depends on "
        f"it. Of all C within {margin:g} of the best agreement the largest is taken: a very small C agrees well, but "
        "gives little more than the difference of the class means.",
    ]
    beside = study.Grid("Accuracy beside the paper's (PGGAN, 2 % of 500,000 faces at each end)", ours)
    return study.Section("Separation (Table 1)", sentences, [beside, *chosen, *curves])


def entanglement(
    attributes: Sequence[str], cosines: Mapping[str, NDArray[np.float64]], corrected: Mapping[str, Sequence[float]],
    groups: int,
) -> study.Section:  # fmt: skip
    """Cosines of the normals in each space, and corrected for the noise of the fits (Table 2).

    corrected: the mean of |cosine| without that noise, of all faces and then without each of some groups of them.
    """
    sentences = [
        "Noise of the fits lowers cosines, and normals in Z are fitted worse than in W. Corrected for it (Spearman's "
        "correction, from the normals of two halves of the "
        f"faces), with 95 % intervals by a jackknife over {groups} groups of faces, the mean of |cosine| over the "
        f"pairs of {len(attributes)} attributes is:"
    ]
    names, grids = [NAMES.get(name, name) for name in attributes], []
    for space, values_AA in cosines.items():
        uncorrected = f"as fitted on all faces, uncorrected, {mean_absolute_cosine(values_AA):.3f}."
        sentences.append(f"in {space} {fits.said_jackknifed(corrected[space])}; {uncorrected}")
        grids.append(fits.matrix(f"Cosines of the normals in {space}, as fitted", values_AA, names))
    theirs = study.Grid("The paper's Table 2 (PGGAN, Z)", TABLE_2, shaded=True)
    return study.Section("Entanglement of the directions (Table 2, Sec. 3.4)", sentences, [*grids, theirs])


def correlation(values_AA: NDArray[np.float64], attributes: Sequence[str], faces: int) -> study.Section:
    """Correlations of the scores (Table 3)."""
    known = np.tanh(intervals.Z95 / np.sqrt(faces - 3))
    ours = fits.matrix("Scores of the faces", values_AA, [NAMES.get(name, name) for name in attributes])
    theirs = study.Grid("The paper's Table 3 (PGGAN)", TABLE_3, shaded=True)
    sentence = (
        f"Pearson's r over {faces:,} faces; for r near 0 the 95 % interval is ±{known:.3f} (Fisher's z). "
        "The paper finds that directions are as correlated as scores are."
    )
    return study.Section("Correlation of the scores (Table 3)", [sentence], [ours, theirs])


def distance(url: str, attributes: Sequence[str]) -> study.Section:
    """Far past the boundary, with the scores along the way (Fig. 3): edits of one request for each attribute."""
    rows = Table.open(store.join(url, "edits")).read(columns=["request", "strength", *attributes]).to_pandas()
    lines = {}
    for request, name in enumerate(attributes):
        mean = rows[rows["request"] == request].groupby("strength")[name].mean().reset_index()
        lines[name] = pd.DataFrame({"x": mean["strength"], "y": mean[name]})
    shown = [strip for place, name in enumerate(attributes) for strip in strips(url, f"{name} in w", 1, place, (name,))]
    return study.Section(
        "Distance (Fig. 3)",
        ["A face moved along each direction in W, far past the boundary on both sides, and its scores."],
        [study.Curves("Score of the attribute that is edited, mean of two faces", "strength", "score", lines), *shown],
    )


def conditional(found: Measured, primal: str, condition: str, strengths: Sequence[float]) -> study.Section:
    """How the judge's scores of the primal and of the condition change, and the identity (Sec. 3.3 and 3.4)."""
    curves = [
        found.curves(caption, what)
        for what, caption in (
            (primal, f"Change of the judge's {primal}, in standard deviations"),
            (condition, f"Change of the judge's {condition}, in standard deviations"),
            (IDENTITY, "Identity: cosine to the source's embedding"),
        )
    ]
    table = pd.DataFrame(found.flips(condition), index=[f"{k} sd" for k in strengths])
    flips = study.Grid(f"Faces whose {condition} changed side, by the judge, in per cent", table)
    sentence = (
        "Strengths are in standard deviations of the faces' distance to the boundary, so that spaces can be compared. "
        "Intervals are of 95 %. The paper expects conditioning to help in Z and to do little in W, where the "
        "directions of age and of eyeglasses are nearly orthogonal; even so, moving along age adds eyeglasses."
    )
    heading = f"Conditional manipulation: {primal}, with {condition} preserved"
    return study.Section(heading, [sentence], [*curves, flips])
