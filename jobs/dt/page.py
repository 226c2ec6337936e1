"""The page of DT curves: Table 1 beside the paper's, and each pair's curves and areas."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from jobs.dt.paper_ials import KEEPS_WELL, TABLE_1
from jobs.dt.spec import AGREED, LEVEL, Cell, Pair
from jobs.dt.tables import Pairs, best, means, said_as_released
from pipeline.engine.job import Job
from pipeline.metrics import Curve, PairOutcomes
from pipeline.metrics.bootstrap import BETTER, NOT_DECIDED, WORSE
from pipeline.report import study
from pipeline.stages.dt import DtStage
from pipeline.tables import store

LEAD = (
    "The share of faces whose edited attribute changed (p), and of those whose other attribute stayed (q), after each "
    "step of an edit, as seen by classifiers that were not used to edit. A cell is a pair of lambdas: the share of the "
    "attribute-level direction in that of the attribute (lambda1) and in that of the condition (lambda2); the rest is "
    "each face's own gradient."
)
PICTURES = (
    "This job keeps scores and no pictures. `stylemill reproduce ials` shows faces besides: the source, (1, 1) and the "
    "cells at the same score; `stylemill edit ials --images webp` makes any of these edits."
)
DRAWN: tuple[Cell, ...] = (LEVEL, (0.75, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
"""Cells whose curves are drawn where there are more than can be told apart; and the best of a ranked pair."""
MOST_DRAWN = 8
AREAS = (
    "Areas by cell (lambda1, lambda2), by {judge}: the p that is reached, the area up to it, that divided by p (the "
    "mean of q), the same over the range that all cells reach, and how much more a cell has than (1, 1) over the range "
    "that both reach. Last, what {own} sees, which edits follow: where that is more, they mislead it."
)


def write_page(job: Job, pairs: Pairs, points: pd.DataFrame, found: pd.DataFrame) -> str:
    """DIR/report.html; returns where it is. Raises StoreError."""
    assert isinstance(job.stage, DtStage)
    judge, known = job.stage.judge.family.name, job.stage.kappas is not None
    sections = [
        *overview(judge, found),
        *(
            of_pair(job.stage, pair, seen, points, found, known)
            for pair, seen in pairs.items()
            if seen.families[judge].rows.any()
        ),
        study.Section("Faces", [PICTURES]),
    ]
    facts = {
        "Command": job.command,
        "Fingerprint": job.fingerprint,
        "Rows": f"{job.spec['rows_of_a_pair']:,} of each pair, after {job.spec['first']:,} others, "
        f"{job.spec['steps']} steps of {job.spec['step_size']:g}",
        **{name.replace("_", " "): str(value) for name, value in job.resolved.items()},
        **{f"{name} version": value for name, value in job.versions.items()},
    }
    return study.write(store.join(job.out, "report.html"), "Disentanglement and transformation", LEAD, sections, facts)


def overview(judge: str, found: pd.DataFrame) -> Iterator[study.Section]:
    """Means over the pairs, the paper's claim and its Table 1; of rows of `dt_auc`, as a family sees them."""
    if not len(found):
        yield study.Section("Means", ["No row could be measured."])
        return
    mean = means(found, judge)
    judged = found[found["family"] == judge]
    pairs = judged.groupby(["primal", "condition"], sort=False)["ranked"].first()
    ranked, shown = int(pairs.sum()), len(pairs)
    sentences = [
        f"{ranked} of {shown} pairs are ranked: the two families agree on them (kappa {AGREED} or more, on "
        "unedited faces), and all cells change the attribute of some face. Each area is the mean of q over the "
        "range of p that all cells of the pair reach, so that no cell is favoured for going further.",
        *_verdicts(judged),
    ]
    parts: list[study.Grid] = []
    if len(mean):
        parts.append(_map("Mean area over the ranked pairs: lambda1 down, lambda2 across", mean))
        if theirs := {cell: TABLE_1[cell] for cell in mean if cell in TABLE_1}:
            parts.append(_map("The paper's Table 1, the same cells: lambda1 down, lambda2 across", theirs))
    yield study.Section("Means over the pairs (Table 1, Eq. 7)", sentences, parts)


def _map(caption: str, mean: Mapping[Cell, float]) -> study.Grid:
    """Tinted from the cell of attribute-level directions alone, or from the mean where there is none."""
    middle = mean[LEVEL] if LEVEL in mean else sum(mean.values()) / len(mean)
    reach = max(abs(value - middle) for value in mean.values()) or 1.0
    down, across = (sorted({cell[place] for cell in mean}) for place in (0, 1))
    rows = [[mean.get((first, second), math.nan) for second in across] for first in down]
    frame = pd.DataFrame(rows, index=[f"{share:g}" for share in down], columns=[f"{share:g}" for share in across])
    whence = f"tinted from {'(1, 1)' if LEVEL in mean else 'the mean'}, green above it and orange below"
    return study.Grid(f"{caption}; {whence}", frame, shaded=True, middle=middle, reach=reach, digits=4)


def _verdicts(judged: pd.DataFrame) -> Iterator[str]:
    """How the paper's finding fares in the pairs on which the families agree."""
    first, second = KEEPS_WELL
    inside = (judged["lambda1"] >= first) & (judged["lambda2"] <= second)
    compared = judged[(judged["kappa"] >= AGREED) & inside & (judged["verdict"] != "")]
    if not len(compared):
        return
    counts = compared["verdict"].value_counts()
    better, worse, open_ = (int(counts.get(verdict, 0)) for verdict in (BETTER, WORSE, NOT_DECIDED))
    yield (
        f"The paper finds (1, 1) worse than the cells with lambda1 of {first:g} or more and lambda2 of {second:g} or "
        f"less. Of {len(compared)} such comparisons in pairs on which the families agree {better} find the cell better "
        f"than (1, 1), {worse} worse, and {open_} are not decided: intervals are of 95 %, of a bootstrap of the "
        "difference in which both cells have the same faces; they are not corrected for how many comparisons there are."
    )


def of_pair(
    stage: DtStage,
    pair: Pair,
    seen: PairOutcomes[Cell],
    points: pd.DataFrame,
    found: pd.DataFrame,
    kappa_known: bool = True,
    more: str = "",
) -> study.Section:
    """One pair's curves (Fig. 3) and areas; of rows of `dt_curves` and of `dt_auc`. more: behind the heading."""
    judge, own = stage.judge.family.name, stage.classifiers.family.name
    primal, condition = pair
    mine = found[(found["primal"] == primal) & (found["condition"] == condition)]
    lines = points[(points["primal"] == primal) & (points["condition"] == condition) & (points["family"] == judge)]
    winner = best(mine, judge).get(pair)
    return study.Section(
        f"{primal}, leaving {condition} alone{more}",
        [
            _said(stage, pair, seen, mine[mine["family"] == judge].to_dict("records")[0], kappa_known),
            *([said_as_released(points, pair, own)] if stage.settings.as_released else []),
        ],
        [
            study.Curves(f"The share whose {condition} stayed (q), over the share whose {primal} changed, by {judge}",
                         f"p: share whose {primal} changed", f"q: share whose {condition} stayed",
                         _drawn(lines, winner)),
            study.Grid(AREAS.format(judge=judge, own=own), _areas(mine, judge, own), digits=3),
        ],
    )  # fmt: skip


def _said(stage: DtStage, pair: Pair, seen: PairOutcomes[Cell], row: Mapping[Any, Any], kappa_known: bool) -> str:
    judge, own = stage.judge.family.name, stage.classifiers.family.name
    side = "without" if stage.requests[0].target == "1" else "with"
    unknown = "not defined" if kappa_known else f"not known (--labels has none by {own})"
    agreed = unknown if math.isnan(row["kappa"]) else f"{row['kappa']:.2f}"
    edited = "not defined" if math.isnan(row["kappa_edited"]) else f"{row['kappa_edited']:.2f}"
    other = seen.families[own].started_there
    away = f", of which {other:,} start with another class by {own}" if other else ""
    aside = f", {seen.rejected:,} were set aside" if seen.rejected else ""
    return (
        f"{row['rows']:,} rows that start {side} {pair[0]} as {judge} sees them{away}{aside}. Kappa of {judge} "
        f"and {own} is {agreed} on unedited faces: the pair is {'ranked' if row['ranked'] else 'shown, and not ranked'}"
        f". On the faces of these edits, with their sources, it is {edited}. All cells reach p = {row['common']:.2f}."
    )


def _drawn(lines: pd.DataFrame, winner: Cell | None) -> dict[str, pd.DataFrame]:
    cells = list(dict.fromkeys(zip(lines["lambda1"], lines["lambda2"], strict=True)))
    if len(cells) > MOST_DRAWN:
        cells = [cell for cell in dict.fromkeys((*DRAWN, *((winner,) if winner else ()))) if cell in cells]
    drawn = {}
    for first, second in cells:
        steps = lines[(lines["lambda1"] == first) & (lines["lambda2"] == second)].sort_values("step")
        curve = Curve.of(steps["p"], steps["q"])
        best_ = ", best" if (first, second) == winner else ""
        drawn[f"({first:g}, {second:g}){best_}"] = pd.DataFrame({"x": curve.p, "y": curve.q})
    return drawn


def _areas(mine: pd.DataFrame, judge: str, own: str) -> pd.DataFrame:
    """By cell what the judge sees; and the family that edits: where that sees more, edits mislead it."""
    rows: dict[str, dict[str, Any]] = {}
    for row in mine.to_dict("records"):
        of_cell = rows.setdefault(f"({row['lambda1']:g}, {row['lambda2']:g})", {})
        if row["family"] == judge:
            of_cell |= {
                "p": row["p_max"],
                "area": row["auc_to_p_max"],
                "mean q": row["auc_normalised"],
                "in common": row["auc_common"],
                "more than (1, 1)": row["difference"],
                "95 %": _interval(row["difference_low"], row["difference_high"]),
                "": row["verdict"],
            }
        else:
            of_cell |= {f"p by {own}": row["p_max"], f"mean q by {own}": row["auc_normalised"]}
    return pd.DataFrame.from_dict(rows, orient="index")


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}".replace("-", "\N{MINUS SIGN}")
