"""Sections on DT curves: the means over the pairs beside the paper's, and each pair's curves and areas."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.metrics import AGREED, LEVEL, Cell, Curve
from pipeline.metrics.bootstrap import BETTER, NOT_DECIDED, WORSE
from pipeline.report import study
from pipeline.report.dt.paper import CHOICE, KEEPS_WELL, TABLE_1, plateau
from pipeline.report.dt.result import PairResult

DRAWN: tuple[Cell, ...] = (LEVEL, CHOICE, (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
"""Cells whose curves are drawn where there are more than can be told apart; and the best of a ranked pair."""
MOST_DRAWN = 8
COMMON, AGAINST_LEVEL = "mean q, common range", "minus (1, 1)"
AREAS = (
    "By cell (lambda1, lambda2), by {judge}: the p that is reached; the area up to it; the area divided by p (mean "
    "q); mean q over the range that all cells reach; and mean q minus that of (1, 1), over the range that both reach. "
    "Last, the same by {own}, whose gradients the edits follow: where it is larger, the edits exploit its weaknesses."
)


def cell_name(cell: Cell) -> str:
    """`(0.75, 0)`."""
    return f"({cell[0]:g}, {cell[1]:g})"


def means(areas: pd.DataFrame, family: str) -> dict[Cell, float]:
    """Mean over the ranked pairs of the area over the pair's common range, by cell (Eq. 7); empty where none is."""
    ranked = areas[areas["ranked"] & (areas["family"] == family)]
    mean = ranked.groupby(["lambda1", "lambda2"])["auc_common"].mean().reset_index()
    return {(row["lambda1"], row["lambda2"]): row["auc_common"] for row in mean.to_dict("records")}


def best(result: PairResult) -> Cell | None:
    """The cell of the largest area over the common range, of a pair that is ranked."""
    ranked = result.areas[result.areas["ranked"] & (result.areas["family"] == result.judge)]
    if not len(ranked):
        return None
    row = ranked.iloc[ranked["auc_common"].argmax()]
    return row["lambda1"], row["lambda2"]


def overview(judge: str, areas: pd.DataFrame, heading: str = "Means over the pairs (Table 1, Eq. 7)") -> study.Section:
    """Means over the pairs, the paper's claim and its Table 1; of rows of `dt_auc`, by one family."""
    judged = areas[areas["family"] == judge]
    if not len(judged):
        return study.Section(heading, ["No row could be measured."])
    mean = means(areas, judge)
    pairs = judged.groupby(["primal", "condition"], sort=False)["ranked"].first()
    sentences = [
        f"{int(pairs.sum())} of {len(pairs)} pairs are ranked: the two families agree on them (kappa {AGREED} or more, "
        "on unedited faces), and all cells change the attribute of some face. Each area is the mean of q over the "
        "range of p that all cells of the pair reach, so that no cell is favoured for going further.",
        *_verdicts(judged, judge),
    ]
    parts: list[study.Grid] = []
    if mean:
        parts.append(_map("Mean area over the ranked pairs: lambda1 down, lambda2 across", mean))
        if theirs := {cell: TABLE_1[cell] for cell in mean if cell in TABLE_1}:
            parts.append(_map("The paper's Table 1, the same cells: lambda1 down, lambda2 across", theirs))
    return study.Section(heading, sentences, parts)


def _map(caption: str, mean: Mapping[Cell, float]) -> study.Grid:
    """Tinted by the difference from (1, 1), or from the mean if there is no such cell."""
    middle = mean[LEVEL] if LEVEL in mean else sum(mean.values()) / len(mean)
    reach = max(abs(value - middle) for value in mean.values()) or 1.0
    down, across = (sorted({cell[place] for cell in mean}) for place in (0, 1))
    rows = [[mean.get((first, second), math.nan) for second in across] for first in down]
    frame = pd.DataFrame(rows, index=[f"{share:g}" for share in down], columns=[f"{share:g}" for share in across])
    colours = f"green above {'(1, 1)' if LEVEL in mean else 'the mean'}, orange below"
    return study.Grid(f"{caption}; {colours}", frame, shaded=True, middle=middle, reach=reach, digits=4)


def _verdicts(judged: pd.DataFrame, judge: str) -> Iterator[str]:
    """Whether the paper's finding holds in the pairs on which the families agree."""
    first, second = KEEPS_WELL
    inside = plateau(judged, judge)
    compared = inside[(inside["kappa"] >= AGREED) & (inside["verdict"] != "")]
    if not len(compared):
        return
    counts = compared["verdict"].value_counts()
    better, worse, open_ = (int(counts.get(verdict, 0)) for verdict in (BETTER, WORSE, NOT_DECIDED))
    yield (
        f"The paper finds (1, 1) worse than the cells with lambda1 of {first:g} or more and lambda2 of {second:g} or "
        f"less. Of {len(compared)} such comparisons in pairs on which the families agree, {better} find the cell "
        f"better than (1, 1), {worse} worse, and {open_} are not decided. The 95 % intervals are from a paired "
        "bootstrap, not corrected for the number of comparisons."
    )


def pair_section(result: PairResult, more: str = "") -> study.Section:
    """One pair's curves (Fig. 3) and areas. more: text after the heading."""
    primal, condition = result.pair
    heading, judge = f"{primal}, with {condition} preserved{more}", result.judge
    if not result.is_measured:
        return study.Section(heading, [f"{result.name}: no face could be measured."])
    curves = study.Curves(
        f"Share of faces whose {condition} stayed (q), over the share whose {primal} changed (p), by {judge}",
        f"p: share whose {primal} changed",
        f"q: share whose {condition} stayed",
        _drawn(result),
    )
    areas = study.Grid(AREAS.format(judge=judge, own=result.own), areas_frame(result), digits=3)
    released = [said_as_released(result)] if result.asked.get("as_released") else []
    return study.Section(heading, [_said(result), *released], [curves, areas])


def _said(result: PairResult) -> str:
    row, judge, own = result.areas[result.areas["family"] == result.judge].iloc[0], result.judge, result.own
    side = "without" if result.asked["target"] == "1" else "with"
    unknown = "not defined" if result.kappa_known else f"not known (--labels has none by {own})"
    agreed = unknown if math.isnan(row["kappa"]) else f"{row['kappa']:.2f}"
    edited = "not defined" if math.isnan(row["kappa_edited"]) else f"{row['kappa_edited']:.2f}"
    other = result.seen.families[own].started_there
    away = f", of which {other:,} start in the other class by {own}" if other else ""
    rejected = f", {result.seen.rejected:,} were rejected" if result.seen.rejected else ""
    return (
        f"{row['rows']:,} rows that start {side} {result.pair[0]} by {judge}{away}{rejected}. Kappa of {judge} "
        f"and {own} is {agreed} on unedited faces: the pair is {'ranked' if row['ranked'] else 'shown, and not ranked'}"
        f". On the faces of these edits, with their sources, it is {edited}. All cells reach p = {row['common']:.2f}."
    )


def said_as_released(result: PairResult, most: int | None = None) -> str:
    """A sentence of the public code's score of the first `most` cells, or of all."""
    cells = list(result.as_released().items())[:most]
    told = ", ".join(f"{cell_name(cell)} {area:.4f}" for cell, area in cells)
    return (
        f"{' | '.join(result.pair)} as released, by {result.own}, which edits: "
        f"{told or 'no row starts in the source class'}."
    )


def _drawn(result: PairResult) -> dict[str, pd.DataFrame]:
    """The curves of all cells, or of some where they are many."""
    cells: Sequence[Cell] = result.cells
    winner = best(result)
    if len(cells) > MOST_DRAWN:
        cells = [cell for cell in dict.fromkeys((*DRAWN, *((winner,) if winner else ()))) if cell in cells]
    drawn = {}
    for cell in cells:
        steps = result.curve(cell)
        curve = Curve.of(steps["p"], steps["q"])
        drawn[cell_name(cell) + (", best" if cell == winner else "")] = pd.DataFrame({"x": curve.p, "y": curve.q})
    return drawn


def areas_frame(result: PairResult) -> pd.DataFrame:
    """By cell, the areas by the judge and by the family that edits."""
    rows: dict[str, dict[str, Any]] = {}
    for row in result.areas.to_dict("records"):
        of_cell = rows.setdefault(cell_name((row["lambda1"], row["lambda2"])), {})
        if row["family"] == result.judge:
            of_cell |= {
                "p": row["p_max"],
                "area": row["auc_to_p_max"],
                "mean q": row["auc_normalised"],
                COMMON: row["auc_common"],
                AGAINST_LEVEL: row["difference"],
                "95 %": _interval(row["difference_low"], row["difference_high"]),
                "verdict": row["verdict"],
            }
        else:
            of_cell |= {f"p by {result.own}": row["p_max"], f"mean q by {result.own}": row["auc_normalised"]}
    return pd.DataFrame.from_dict(rows, orient="index")


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}".replace("-", "\N{MINUS SIGN}")
