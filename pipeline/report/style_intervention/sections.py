"""Sections of the study's page, and its claims: Tables 1 and 2, Fig. 5 and 6.

Shapes: N faces.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import Difference, intervals, mean_difference
from pipeline.metrics.bootstrap import BETTER, FEWEST, TAIL, WORSE, mean_over_resamples
from pipeline.metrics.equal_success import MET
from pipeline.report import fits, study, wording
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim
from pipeline.report.pictured import pictured
from pipeline.report.style_intervention import paper
from pipeline.report.style_intervention.paper import METHODS, NAMES, OURS, TABLE_1, TABLE_2
from pipeline.report.style_intervention.result import Result
from pipeline.tables import Table, store

OTHERS = tuple(method for method in METHODS if method != OURS)
AS_OFTEN = 0.1
"""The judge sees the attribute as often if its share of faces is lower by no more than this."""
EQUAL = 0.01
"""A share of what the intervention changes: a mean difference that may be smaller decides nothing, since scores are
reached up to `MET` of their rise, and numbers may grow with its square."""
OF_100 = " (similarity, of 100)"
"""What the paper's identity is; here it may be a distance."""
BY_WEIGHT = (FAILS, NOT_DECIDED, HOLDS)
"""The verdict over all other methods is the first of these that one of them has."""
NO_RISE = 0.01
"""Of the error at the start: rises of the mean error that are less in sum count as none."""
WHAT = {
    "mse": "mean squared error of the whole picture, pixels in [0, 1]",
    "ssim": "structural similarity of the whole picture",
    "identity_dlib": "distance between dlib's embeddings, a network that no editor optimises",
    "identity": "cosine of the embeddings of fr-feature",
    "perceptual": "perceptual distance (LPIPS, AlexNet)",
}


# -- Table 1 ----------------------------------------------------------------------------------------------------------


def sparse(folder: str, attributes: Sequence[str], labelled: int) -> study.Section:
    """How sparse the hyperplanes in s are, and how they tell the classes apart (Table 1)."""
    found = fits.fitted(folder, attributes)
    ours = pd.DataFrame(index=[NAMES.get(name, name) for name in attributes])
    shares = [float(np.mean(vector == 0)) for vector in found["vector"]]
    channels = [int(np.sum(vector != 0)) for vector in found["vector"]]
    ours["zeros"] = [f"{100 * share:.2f} ({count})" for share, count in zip(shares, channels, strict=True)]
    ours["train"] = [f"{100 * rate:.1f}" for rate in found["accuracy_train"]]
    ours["validation"] = [fits.said_accuracy(row, "validation", labelled) for _, row in found.iterrows()]
    ours["C"] = [f"{C:g}" for C in found["C"]]
    for part in ("sparsity", "train", "validation"):
        name = "zeros" if part == "sparsity" else part
        ours[f"paper, {name}"] = [
            f"{TABLE_1[part][one]:.2f}" if one in TABLE_1.index else study.cell(None) for one in attributes
        ]
    sentences = [
        "Linear SVMs with an L1 penalty on standardised style channels. Zeros: the share of channels that the normal "
        "does not use, in per cent, and in brackets how many it uses. Accuracies in per cent, both classes weighed "
        f"alike in the fit; {labelled:,} faces, 30 % of them to validate; in brackets 95 % intervals (Wilson).",
        "C is the smallest whose validation is within one standard error of the best, so that few channels are used. "
        f"The paper labels 10,000 to 100,000 faces, and does not say how C was chosen. {paper.LEFT_OUT}",
    ]
    return study.Section(
        "Separability of the style space (Table 1)", sentences, [study.Grid("Sparse hyperplanes", ours)]
    )


# -- Table 2 ----------------------------------------------------------------------------------------------------------


def equal_success(results: Sequence[Result], numbers: Mapping[str, str]) -> study.Section:
    """What each method changes where it reaches the judge's score of the intervention (Table 2).

    numbers: what each is.
    """
    counts = {
        NAMES[one.attribute]: {
            "edited": len(one.ends),
            "solved": len(one.faces),
            "of these raised": len(one.raised),
            **{f"reached by {method}": int(one.at_equal_success("mse")[method].notna().sum()) for method in OTHERS},
        }
        for one in results
    }
    sentences = [
        "All methods are compared at equal success. The other methods move each face until the judge's score is that "
        "which the intervention reached in it: between the first of several strengths that reaches it and the one "
        f"before, a strength is sought at which the score is the same, up to {100 * MET:g} % of its rise from the "
        "source, and the face is made and measured there. Left out are faces in which the intervention did not raise "
        "the score, and faces in which some method never reaches it; the table of faces counts them. Means, and the "
        "claims above, are over the faces for which every method has the number. A claim is not decided if the mean "
        f"difference may be less than {100 * EQUAL:g} % of what the intervention changes, or with fewer than {FEWEST} "
        "faces.",
        "InterFaceGAN moves in z with the directions of the other three attributes projected out. The paper's identity "
        "is the confidence of a web service, of 100: only the order of the methods can be compared.",
    ]
    reached = study.Grid("Faces", pd.DataFrame.from_dict(counts, orient="index"))
    grids = [table_of(results, name, what) for name, what in numbers.items()]
    return study.Section("At equal success (Table 2)", sentences, [*grids, reached])


def table_of(results: Sequence[Result], name: str, what: str) -> study.Grid:
    """A number of each method at equal success, above the paper's where it has it."""
    rows = {}
    for one in results:
        found = one.at_equal_success(name).dropna()
        rows[f"{NAMES[one.attribute]} ({len(found)} faces)"] = {
            method: f"{found[method].mean():.4f}" if len(found) else study.cell(None) for method in METHODS
        }
        if (theirs := TABLE_2.get(name)) is not None:
            rows[f"{NAMES[one.attribute]}, paper"] = {
                method: f"{theirs[method].to_dict()[one.attribute]:g}" for method in METHODS
            }
    better = "larger" if results[0].larger_is_better(name) else "smaller"
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return study.Grid(f"{name}: {what}; the {better} the better", frame, bold=[OURS])


def by_region(results: Sequence[Result], numbers: Mapping[str, str], often: study.Grid) -> study.Section:
    """Numbers inside and outside the region at equal success, those that there are, and how often edits succeed."""
    there = {name: what for name, what in numbers.items() if any(name in one.steps[OURS] for one in results)}
    grids = [table_of([one for one in results if name in one.steps[OURS]], name, what) for name, what in there.items()]
    sentence = (
        "The paper measures whole pictures alone. Where the region is the whole person (gender, age), outside is the "
        "background. What lies outside the region of the parser is what the intervention was solved for; the judge's "
        "landmarks show some regions without it."
    )
    return study.Section("Inside and outside the region (ours)", [sentence], [*grids, often])


def best(results: Sequence[Result], name: str, about: str, attributes: Sequence[str]) -> list[Claim]:
    """Is the intervention better than each other method, over the faces for which all have the number? The claim
    reports the difference from the method that decides it: one that is better, else one that may be, else the closest.
    """
    claims = []
    for one in (result for result in results if result.attribute in attributes):
        found = one.at_equal_success(name).dropna()
        larger = one.larger_is_better(name)
        margin = EQUAL * float(np.mean(np.abs(found[OURS] - one.numbers[name].of_itself))) if len(found) else np.nan
        more = {method: better_by(found, method, larger) for method in OTHERS}
        verdicts = {method: _verdict(more[method], margin) for method in OTHERS}
        decisive = min(
            OTHERS, key=lambda method: (BY_WEIGHT.index(verdicts[method]), np.nan_to_num(more[method].observed))
        )
        by, verdict = more[decisive], verdicts[decisive]
        theirs = TABLE_2[name].loc[one.attribute].to_dict()
        rivals = [theirs[method] for method in OTHERS]
        said = wording.difference(theirs[OURS] - (min(rivals) if name == "mse" else max(rivals)))
        said += OF_100 if name.startswith("identity") else ""
        told = f"{NAMES[one.attribute]}: {name}, {OURS} minus {decisive} ({len(found)} faces)"
        sign = 1 if larger else -1
        low, high = sorted((sign * by.low, sign * by.high))
        claims.append(Claim(about, told, said, sign * by.observed, low, high, verdict, digits=4))
    return claims


def better_by(found: pd.DataFrame, method: str, larger: bool) -> Difference:
    """How much better the intervention is than another method, above 0 where it is.

    larger: whether a larger number is the better.
    """
    first, second = (OURS, method) if larger else (method, OURS)
    return mean_difference(found[first].to_numpy(), found[second].to_numpy())[0]


def _verdict(by: Difference, margin: float) -> str:
    """Whether it is better; not decided where the difference may be less than the margin, or has no interval."""
    return HOLDS if by.low > margin else FAILS if by.high < -margin else NOT_DECIDED


def as_often(results: Sequence[Result], steps: Mapping[str, int], start: str) -> tuple[study.Grid, list[Claim]]:
    """In how many faces the judge sees the attribute appear; and whether in as many as where the move that the
    intervention starts from is made alone. steps: by method, the step that goes as far as that move.
    """
    rows, claims = {}, []
    for one in results:
        by_method = {method: one.changed(method, step) for method, step in {**steps, OURS: one.own}.items()}
        rows[NAMES[one.attribute]] = {method: _share(changed_N) for method, changed_N in by_method.items()}
        first, second = by_method[OURS], by_method[start]
        there = ~np.isnan(first) & ~np.isnan(second)
        pairs = [int(((first == a) & (second == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))]
        low, high = intervals.of_paired_rates(*pairs)
        more = float((first - second)[there].mean()) if there.any() else np.nan
        verdict = FAILS if high < -AS_OFTEN else HOLDS if low > -AS_OFTEN else NOT_DECIDED
        told = f"{NAMES[one.attribute]}: share of faces, {OURS} minus {start} as far ({there.sum()} faces)"
        about = (
            f"The judge sees the attribute appear as often (its share of faces at most {100 * AS_OFTEN:g} points lower)"
        )
        claims.append(Claim(about, told, "as often", more, low, high, verdict))
    caption = (
        "Faces in which the judge sees the attribute appear, in per cent; moves are equally long in each space, in "
        "standard deviations of the distance to the boundary"
    )
    return study.Grid(caption, pd.DataFrame.from_dict(rows, orient="index"), bold=[OURS]), claims


def _share(changed_N: NDArray[np.float64]) -> str:
    there = changed_N[~np.isnan(changed_N)]
    low, high = intervals.of_rate(there.sum(), len(there))
    return f"{100 * there.mean():.0f} ({100 * low:.0f} to {100 * high:.0f})" if len(there) else study.cell(None)


# -- Fig. 5 and 6 -----------------------------------------------------------------------------------------------------


def strengths(results: Sequence[Result], outside: str) -> study.Section:
    """The coefficient of the sparse move is varied with Lambda fixed (Fig. 5). outside: the number that is to stay."""
    captions = {
        "score": ("The judge's score of the attribute", 1.0),
        outside: ("Mean squared error outside the region of the parser, in thousandths", 1e3),
    }
    parts = []
    for name, (caption, unit) in captions.items():
        lines = {}
        for one in results:
            if one.faces and name in one.steps[OURS]:
                lines[NAMES[one.attribute]] = _means(one.coefficients, unit * one.column(OURS, name)[:, 1:])
        if lines:
            parts.append(study.Curves(caption, "coefficient of ds_n", "mean", lines))
    sentence = (
        "The coefficients Lambda stay as they were solved for, and the sparse move ds_n is multiplied by the number "
        "on the axis: 1 is the edit, 0 leaves only the part of the latent move. The paper finds that the attribute "
        "changes smoothly and that nothing else changes."
    )
    return study.Section("Interpolation along ds_n (Fig. 5)", [sentence], parts)


def layers(folders: Mapping[str, str], shown: Sequence[study.Strip]) -> tuple[study.Section, list[Claim]]:
    """The error outside the mask after each layer was solved for (Fig. 6b), and whether it drops to the end.

    folders: of the interventions, by attribute. shown: of `after_layers`.
    """
    lines, claims = {}, []
    for attribute, folder in folders.items():
        rows = read_coefficients(folder)
        if not len(rows):
            continue
        errors_NT = np.stack([np.asarray(one, np.float64) for one in rows])
        lines[NAMES[attribute]] = _means(np.arange(errors_NT.shape[1], dtype=np.float64), 1e3 * errors_NT)
        claims.append(_drops(NAMES[attribute], errors_NT))
    sentence = (
        "Mean squared error outside the mask, pixels in [0, 1], at the start (Lambda 0.5) and after each layer was "
        "solved for, from coarse to fine. It counts as dropping if it is lower at the end and its rises sum to at most "
        f"{100 * NO_RISE:g} % of the first error, both by bootstrap intervals over the faces."
    )
    curves = [study.Curves("Error outside the mask, in thousandths", "layers", "mean", lines)] if lines else []
    return study.Section("Layer by layer (Fig. 6)", [sentence], [*curves, *shown]), claims


def _drops(attribute: str, errors_NT: NDArray[np.float64]) -> Claim:
    """Whether the mean error is lower at the end than at the start, without rises between (T layers and the start)."""
    faces, mean_T = len(errors_NT), errors_NT.mean(axis=0)
    told = f"{attribute}: rises of the mean error at layers, in sum, as a share of the first error ({faces} faces)"
    rise, low, high, verdict = np.nan, np.nan, np.nan, NOT_DECIDED
    if mean_T[0] > 0:
        rise = _rises(mean_T)
        told += f"; the last is {100 * mean_T[-1] / mean_T[0]:.0f} % of the first"
        drop, _ = mean_difference(errors_NT[:, 0], errors_NT[:, -1])
        if not np.isnan(drop.low):
            drawn_RT = mean_over_resamples(errors_NT)
            low, high = np.quantile([_rises(drawn_T) for drawn_T in drawn_RT if drawn_T[0] > 0], [TAIL, 1 - TAIL])
            falls = high <= NO_RISE and drop.verdict == BETTER
            verdict = HOLDS if falls else FAILS if low > NO_RISE or drop.verdict == WORSE else NOT_DECIDED
    return Claim("The error outside the mask drops from layer to layer", told, "no rise", rise, low, high, verdict)


def _rises(mean_T: NDArray[np.float64]) -> float:
    return float(np.diff(mean_T).clip(min=0).sum() / mean_T[0])


def after_layers(folder: str, numbers: Sequence[int]) -> study.Strip:
    """The pictures of one face after so many layers were solved for (Fig. 6a). Raises StoreError."""
    rows = pictured(folder).sort_values("step").to_dict("records")
    words = ["source", *(f"after {number}" if number else "at the start" for number in numbers), "edit"]
    looks = [study.Look(row["picture"], word) for row, word in zip(rows, words, strict=True)]
    return study.Strip(f"Face {rows[0]['index']} after so many layers were solved for", looks)


def read_coefficients(folder: str) -> list[Sequence[float]]:
    """Errors of each row that was solved for. Raises StoreError."""
    rows = Table.open(store.join(folder, "coefficients")).read(columns=["solved", "errors"]).to_pylist()
    return [row["errors"] for row in rows if row["solved"]]


def _means(place: NDArray[np.float64], values_NK: NDArray[np.float64]) -> pd.DataFrame:
    """A curve of the means over the faces, with their intervals of 95 %."""
    there = np.sum(~np.isnan(values_NK), axis=0)
    mean, sd = np.nanmean(values_NK, axis=0), np.nanstd(values_NK, axis=0, ddof=1) if len(values_NK) > 1 else np.nan
    half = intervals.Z95 * sd / np.sqrt(there)
    return pd.DataFrame({"x": place, "y": mean, "low": mean - half, "high": mean + half})
