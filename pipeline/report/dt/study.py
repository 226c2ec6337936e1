"""Results of several runs of `stylemill dt`: sections of a study's page, and claims."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from pipeline.metrics import AGREED, LEVEL, Cell, CellArea, Difference, Outcomes, cell_areas
from pipeline.report import study, wording
from pipeline.report.claims import Claim, by_bootstrap, of_difference
from pipeline.report.dt.paper import TABLE_1, Variant, plateau
from pipeline.report.dt.result import PairResult, all_areas
from pipeline.report.dt.sections import cell_name, means, overview

Pairs = Sequence[tuple[PairResult, PairResult]]
"""Of each pair the method as it is, and a variant."""


def plateau_claims(about: str, result: PairResult, more: str = "") -> list[Claim]:
    """Is (1, 1) worse than each cell of the paper's plateau? By the judge; the paper's is of its mean over 12 pairs."""
    claims = []
    for row in plateau(result.areas, result.judge).to_dict("records"):
        cell = (row["lambda1"], row["lambda2"])
        theirs = wording.score(TABLE_1[cell] - TABLE_1[LEVEL], 3) if cell in TABLE_1 else "more"
        counted = row["kappa"] >= AGREED
        verdict = by_bootstrap(row["verdict"]) if counted else f"not counted: kappa below {AGREED}"
        what = f"{result.name}{more}: mean of q, {cell_name(cell)} minus (1, 1)"
        numbers = (row["difference"], row["difference_low"], row["difference_high"])
        claims.append(Claim(about, what, theirs, *numbers, verdict))
    return claims


def ablation(pairs: Pairs, cells: Sequence[Cell], variant: Variant) -> tuple[study.Section, list[Claim]]:
    """The variant of each pair beside the method as it is, on the same faces; and the claim of each cell."""
    rows, claims, names = {}, [], variant.names
    for results in pairs:
        for cell in cells:
            what = f"{results[1].name} at {cell_name(cell)}"
            if both := compared(names, results, cell):
                rows[what], more = both
                told = f"{what}: mean of q, {names[1]} minus {names[0]}"
                claims.append(of_difference(variant.claim, told, variant.paper, more, variant.better))
    columns = "the p that each reaches, the p that both do, and the mean of q up to there"
    frame = pd.DataFrame.from_dict(rows, orient="index")
    grids = [study.Grid(f"{' and '.join(names)}: {columns}", frame, digits=3)] if rows else []
    return study.Section(variant.heading, [variant.lead], grids), claims


def compared(
    names: tuple[str, str], results: tuple[PairResult, PairResult], cell: Cell
) -> tuple[dict[str, Any], Difference] | None:
    """A row of a table, and how much more the second has than the first, over the rows that the judge measured in
    both; None where there are none.
    """
    shared = set(results[0].measured) & set(results[1].measured)
    if not shared:
        return None
    by_name: dict[str, Outcomes] = {}
    for name, result in zip(names, results, strict=True):
        places = [place for place, row in enumerate(result.measured) if row in shared]
        by_name[name] = Outcomes(*(of[places] for of in result.judged.by_cell[cell]))
    areas: dict[str, CellArea] = cell_areas(by_name, names[0])
    more = areas[names[1]].difference
    assert more is not None
    row = {
        "faces": len(shared),
        **{f"p, {name}": area.p_max for name, area in areas.items()},
        "common p": areas[names[0]].common,
        **{f"q, {name}": area.auc_common for name, area in areas.items()},
    }
    return row, more


def families(results: Sequence[PairResult]) -> study.Section:
    """p and q after the last step, by the judge and by the family that edits, and their difference."""
    sentences = [
        "A gradient can raise the score of its classifier without changing the face. (1, 1) follows no gradient, so a "
        "difference between the two families there has other causes; a larger one in another cell means that the edit "
        "exploits weaknesses of the family that it follows. Shares are of the faces that start in the source class by "
        "the same family, with 95 % intervals."
    ]
    grids = []
    for result in results:
        judge, own = result.judge, result.own
        if not {judge, own} <= set(result.curves["family"]):
            sentences.append(f"{result.name}: no face starts in the source class by both families.")
            continue
        rows: dict[str, dict[str, Any]] = {}
        gaps: dict[Cell, float] = {}
        for cell in result.cells:
            last = {family: result.curve(cell, family).iloc[-1] for family in (own, judge)}
            gaps[cell] = float(last[own]["p"] - last[judge]["p"])
            rows[cell_name(cell)] = {
                **{f"p by {family}": _share(row, "p") for family, row in last.items()},
                "difference of p": gaps[cell],
                **{f"q by {family}": _share(row, "q") for family, row in last.items()},
                "difference of q": float(last[own]["q"] - last[judge]["q"]),
            }
        most = max(gaps, key=lambda cell: gaps[cell])
        elsewhere = f"{_points(gaps[most])} at {cell_name(most)}, the largest difference"
        sentences.append(
            f"{result.name}: p by {own} minus p by {judge} is {_points(gaps[LEVEL])} at (1, 1), and "
            f"{'not larger in any other cell' if gaps[most] <= gaps[LEVEL] else elsewhere}."
        )
        frame = pd.DataFrame.from_dict(rows, orient="index")
        grids.append(study.Grid(f"{result.name}, after the last step, by cell (lambda1, lambda2)", frame))
    return study.Section("The judge beside the family that edits", sentences, grids)


def areas_section(heading: str, results: Sequence[PairResult], sentence: str) -> study.Section:
    """Means over the pairs beside the paper's (Table 1, Eq. 7), and how far the steps of each pair go."""
    section = overview(results[0].judge, all_areas(results), heading)
    rows = {
        result.name: {
            "steps": result.asked["steps"],
            "length": result.asked["step_size"],
            "faces measured": len(result.measured),
            **{
                f"p of {cell_name(cell)}": result.area(cell)["p_max"] if result.is_measured else None
                for cell in result.cells
            },
        }
        for result in results
    }
    caption = "How far the steps go: the share of faces whose attribute changed, by the judge"
    reach = study.Grid(caption, pd.DataFrame.from_dict(rows, orient="index"), digits=3)
    return replace(section, sentences=[*section.sentences, sentence], parts=[*section.parts, reach])


def beside_paper(results: Sequence[PairResult]) -> study.Section:
    """Our mean areas beside the paper's Table 1: over the ranked pairs, or if there are none over all that have an
    area; and their difference from that of (1, 1).
    """
    heading, areas, judge = "The paper's Table 1, for comparison", all_areas(results), results[0].judge
    ranked = means(areas, judge)
    counted = areas["ranked"] if ranked else areas["common"] > 0
    ours = means(areas.assign(ranked=counted), judge)
    cells = [cell for cell in TABLE_1 if cell in ours]
    if not cells:
        return study.Section(heading, ["No cell of this table could be measured."])
    mine = (areas["family"] == judge) & (areas["lambda1"] == cells[0][0]) & (areas["lambda2"] == cells[0][1])
    count = int((counted & mine).sum())
    pairs = f"{count} {'ranked ' if ranked else ''}pair{'' if count == 1 else 's'}"
    what = pairs if ranked else f"{pairs}, none of them ranked,"
    rows = {
        cell_name(cell): {
            "here": ours[cell],
            "here, minus (1, 1)": ours[cell] - ours[LEVEL],
            "paper": TABLE_1[cell],
            "paper, minus (1, 1)": TABLE_1[cell] - TABLE_1[LEVEL],
        }
        for cell in cells
    }
    sentence = (
        f"{len(cells)} of the paper's {len(TABLE_1)} cells were measured: our means over {what} and the paper's over "
        "12. Generators, classifiers and faces differ, and so do the scales: the paper's areas are over p from 0 to "
        "1, ours are means of q over the range of p that all cells reach. Only the order of the cells and the sign of "
        "their difference from (1, 1) can be compared."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return study.Section(heading, [sentence], [study.Grid("Mean area by cell (lambda1, lambda2)", frame, digits=4)])


def _share(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _points(value: float) -> str:
    return f"{100 * value:+.0f} points".replace("-", "\N{MINUS SIGN}")
