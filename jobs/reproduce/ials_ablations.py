"""What parts of IALS are worth: incremental updating (Fig. 4); attribute-level directions by SVM or by gradients."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from jobs.dt.spec import LEVEL, Cell
from jobs.reproduce.dt_runs import DtRun, both
from jobs.reproduce.ials_plan import CHOICE, Plan
from pipeline.directions.lookup import by_name
from pipeline.metrics import Curve, Outcomes, common_range, normalised_auc, paired_differences
from pipeline.report import study
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table

COLUMNS = "the p that each reaches, the p that both do, and the mean of q up to there"
NONE = "no face was measured both ways"


def incremental(whole: Mapping[str, DtRun], kept: Mapping[str, DtRun]) -> study.Section:
    """Sec. 3.3: the direction searched anew at each step, against that of the source kept, at (0.75, 0)."""
    rows = {}
    sentences = [
        "At (0.75, 0), the direction searched anew at each step beside the source's kept for all steps, which by the "
        "paper's pictures is clearly inferior. Both edit the same faces; differences are of the mean of q over the "
        "range of p that both reach, kept less anew, with intervals of 95 % of a paired bootstrap."
    ]
    for pair, run in kept.items():
        anew, same = both((whole[pair], CHOICE), (run, CHOICE))
        if not len(same.kept):
            sentences.append(f"{run.name}: {NONE}.")
            continue
        rows[run.name], said = _beside("anew", anew, "kept", same)
        sentences.append(f"{run.name}, {len(same.kept)} faces: keeping the source's direction: {said}.")
    return study.Section(
        "Incremental updating (Sec. 3.3, Fig. 4)", sentences, _grid(f"Searched anew, and kept: {COLUMNS}", rows)
    )


def levels(plan: Plan, whole: Mapping[str, DtRun], gradient: Mapping[str, DtRun]) -> study.Section:
    """Sec. 3.2: attribute-level directions by SVM, and as the mean of gradients."""
    cosines = _cosines(plan)
    rows = {}
    sentences = [
        "By the paper's pictures means of gradients are about as good as the normals of SVMs. Here the means are over "
        f"those of {plan.spec.gradient_faces:,} labelled faces that lack the attribute; the differences are means of "
        "gradients less SVM, as above.",
    ]
    for pair, run in gradient.items():
        for cell in (LEVEL, CHOICE):
            svm, mean = both((whole[pair], cell), (run, cell))
            name = f"{run.name} at {_cell(cell)}"
            if not len(mean.kept):
                sentences.append(f"{name}: {NONE}.")
                continue
            rows[name], said = _beside("SVM", svm, "gradients", mean)
            sentences.append(f"{name}, {len(mean.kept)} faces: with means of gradients: {said}.")
    return study.Section(
        "Attribute-level directions: SVM or mean of gradients",
        sentences,
        [
            study.Grid("Cosine of the two directions of an attribute", pd.DataFrame([cosines], index=["cosine"])),
            *_grid(f"By SVM, and by means of gradients: {COLUMNS}", rows),
        ],
    )


def _grid(caption: str, rows: Mapping[str, Mapping[str, Any]]) -> list[study.Grid]:
    """One, or none where there is no row."""
    return [study.Grid(caption, pd.DataFrame.from_dict(dict(rows), orient="index"), digits=3)] if rows else []


def _beside(one: str, first: Outcomes, other: str, second: Outcomes) -> tuple[dict[str, Any], str]:
    """A row of a table, and what is to be said of the second."""
    curves = {name: Curve.of(of.transformed.mean(axis=0), of.kept.mean(axis=0)) for name, of in
              ((one, first), (other, second))}  # fmt: skip
    common = common_range(curves.values())
    difference = paired_differences({one: first, other: second}, one)[other]
    interval = "" if np.isnan(difference.low) else f"{difference.low:+.3f} to {difference.high:+.3f}"
    row = {
        "faces": len(first.kept),
        **{f"p, {name}": curve.p_max for name, curve in curves.items()},
        "common p": common,
        **{f"q, {name}": normalised_auc(curve, common) for name, curve in curves.items()},
        "difference": difference.observed,
        "95 %": interval.replace("-", "\N{MINUS SIGN}"),
        "": difference.verdict,
    }
    more = f" ({difference.observed:+.3f})".replace("-", "\N{MINUS SIGN}")
    return row, difference.verdict + (more if interval else "")


def _cosines(plan: Plan) -> dict[str, float]:
    named = [by_name(read_directions(Table.open(url))) for url in (plan.directions, plan.by_gradients)]
    return dict(_between(plan.attributes, *named))


def _between(
    attributes: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[tuple[str, float]]:
    for name in attributes:
        yield name, float(np.dot(*(named[name].vector.astype(np.float64).ravel() for named in (first, second))))


def _cell(cell: Cell) -> str:
    return f"({cell[0]:g}, {cell[1]:g})"
